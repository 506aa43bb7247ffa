"""The explorer's questions to a real server, and what it says to them."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from marigram_client import measures
from marigram_client.aio import Client
from marigram_tui.app import MarigramApp
from marigram_tui.explore import choices, copying, form, kinds
from marigram_tui.explore.form import Form
from marigram_tui.explore.kinds import MeasureKind
from marigram_tui.gateway import Kind, LiveGateway, Trouble
from marigram_tui.screens.explorer import Explorer
from tests.faults import server as servers
from tests.tui.driving import screen_text, until

MINUTE_NS = 60 * 10**9
ROWS = 120
EDGE_NS = (ROWS - 1) * MINUTE_NS
KINDS = kinds.of(measures)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[servers.Server]:
    async with servers.running(tmp_path / "data") as running:
        async with Client(running.address, running.key) as client:
            number = np.arange(ROWS)
            rows = {
                "time": number * MINUTE_NS,
                "host": ["abc"[n % 3] for n in number],
                "a": (number % 7).astype(float),
                "b": np.ones(ROWS),
            }
            await client.write("cpu", rows, kind="metric", labels=["host"])
        yield running


@pytest.fixture
async def gateway(server: servers.Server) -> AsyncIterator[LiveGateway]:
    made = LiveGateway(server.address, server.key)
    yield made
    await made.close()


def typed(kind: MeasureKind) -> str:
    (choice, *_) = choices.measures([kind])
    return ":".join([choice.text, "a", "b"][: 1 + kind.columns])


async def test_every_measure_is_answered_under_the_name_that_it_is_expected_to_have(gateway: LiveGateway) -> None:
    texts = [typed(kind) for kind in KINDS if not kind.is_formula]
    query = form.read(Form(stream="cpu", range="all", window="1h", measures=", ".join(texts)), KINDS)
    found = await gateway.explore(query, query.bounds(EDGE_NS))
    assert found.columns == ("start", *query.names)


async def test_every_window_is_answered(gateway: LiveGateway) -> None:
    rows = {"": 1, "1h": 2, "1h/30m": 5, "session:2h": 3, "day@Asia/Tokyo": 1, "year(4)": 1, "hour": 2}
    answered = {}
    for window in rows:
        query = form.read(Form(stream="cpu", range="all", window=window), KINDS)
        found = await gateway.explore(query, query.bounds(EDGE_NS))
        assert (found.starts_ns is None) == (window == "")
        answered[window] = found.rows
    assert answered == rows


async def test_groups_have_labels_and_the_others_are_one(gateway: LiveGateway) -> None:
    query = form.read(Form(stream="cpu", range="all", window="", measures="sum:b", group="host", top="1 other"), KINDS)
    found = await gateway.explore(query, query.bounds(EDGE_NS))
    assert sorted(zip(found.labels, found.values["sum_b"], strict=True)) == [("a", 40.0), ("other", 80.0)]


async def test_a_comparison_has_what_was_before_and_the_change(gateway: LiveGateway) -> None:
    query = form.read(Form(stream="cpu", range="1h", window="", compare="previous"), KINDS)
    found = await gateway.explore(query, query.bounds(EDGE_NS))
    assert found.columns == ("count", "count_before", "count_change")
    assert found.made.rows_scanned > 61
    assert found.made.relative_error == 0.0


async def test_a_refusal_names_field_and_reason(gateway: LiveGateway) -> None:
    refused = {
        ("filter", "host = AND a > 1"): "spec.filter_text BAD_FILTER_TEXT",
        ("window", "day@Europe/Nowhere"): "spec.window.calendar.time_zone BAD_CALENDAR",
        ("measures", "mean:nope"): "spec.measures[0].column UNKNOWN_COLUMN",
        ("group", "nope"): "spec.group_by[0].column UNKNOWN_COLUMN",
        ("compare", "previous"): "spec.compare.period BAD_COMPARISON",
        ("measures", "moving(0):a"): "spec.measures[0].count BAD_COUNT",
    }
    told = {}
    for field, text in refused:
        query = form.read(Form(**({"stream": "cpu", "range": "all"} | {field: text})), KINDS)
        with pytest.raises(Trouble) as raised:
            await gateway.explore(query, query.bounds(EDGE_NS))
        assert raised.value.kind is Kind.QUESTION
        told[field, text] = f"{raised.value.field} {raised.value.reason}"
    assert told == refused


async def test_the_copied_python_gives_the_same_numbers(
    server: servers.Server, gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MARIGRAM_ADDRESS", server.address)
    monkeypatch.setenv("MARIGRAM_KEY", server.key)
    asked = Form(stream="cpu", range="1h", window="", measures="sum:b, twice=sum_b * 2", group="host", order="-host")
    query = form.read(asked, KINDS)
    bounds = query.bounds(EDGE_NS)
    found = await gateway.explore(query, bounds)
    exec(compile(copying.python(query, bounds), "copied", "exec"), {})
    printed = eval(capsys.readouterr().out)
    assert [row["host"] for row in printed] == list(found.labels)
    assert [row["twice"] for row in printed] == found.values["twice"].tolist()


async def test_it_is_driven_by_keys_from_the_overview_to_an_answer_and_an_error(server: servers.Server) -> None:
    app = MarigramApp(LiveGateway(server.address, server.key))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "cpu" in screen_text(app))
        await pilot.press("x")
        await until(pilot, lambda: "rows · " in screen_text(app))
        await pilot.press("ctrl+u", *"p95", "colon", "a", "down", *"host", "enter")
        await until(pilot, lambda: "p95_a" in screen_text(app))
        assert "120 scanned" in screen_text(app)
        await pilot.press("down", "down", *"host", "space", "equals_sign", "enter")
        await until(pilot, lambda: "BAD_FILTER_TEXT" in screen_text(app))
        assert "▲" in screen_text(app)
        assert isinstance(app.screen, Explorer)
        assert app.screen.fields.form.filter == "host ="
        assert app.screen.fields.form.measures == "p95:a"
