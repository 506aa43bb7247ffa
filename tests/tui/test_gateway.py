"""The gateway beside a real server, and what goes wrong in words for people."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import marigram_client as client
from marigram_client.aio import Client
from marigram_tui.gateway import Kind, LiveGateway, Trouble, trouble
from marigram_tui.questions import ENTITY, ROWS, Column, Measure, Question
from tests.faults import server as servers

SECOND_NS = 10**9
TIMES = np.arange(6) * SECOND_NS
VALUE = Column("value", "f64")
QUESTION = Question("cpu", VALUE, "mean", timedelta(seconds=2), 0, 6 * SECOND_NS)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[servers.Server]:
    async with servers.running(tmp_path / "data") as running:
        yield running


@pytest.fixture
async def gateway(server: servers.Server) -> AsyncIterator[LiveGateway]:
    async with Client(server.address, server.key) as writer:
        hosts = ["a", "a", "b", "b", "a", "a"]
        rows = {"time": TIMES, "value": [1.0, 3.0, 5.0, 7.0, None, 9.0], "host": hosts}
        await writer.write("cpu", rows, kind="metric", labels=["host"])
    made = LiveGateway(server.address, server.key)
    yield made
    await made.close()


async def test_figures_come_at_once(gateway: LiveGateway) -> None:
    figures = gateway.watch_status(timedelta(seconds=1))
    status = await anext(figures)
    assert [stream.name for stream in status.streams] == ["cpu"]
    assert status.ledger.received == 6


async def test_the_schema_names_numbers_first_and_groups(gateway: LiveGateway) -> None:
    schema = await gateway.schema("cpu")
    assert [column.name for column in schema.columns] == ["value", ROWS, "host"]
    assert schema.groups == ("host", ENTITY)
    assert schema.out_of_orderness == timedelta(seconds=10)


@pytest.mark.parametrize(
    ("measure", "values"),
    [
        ("mean", [2.0, 6.0, 9.0]),
        ("min", [1.0, 5.0, 9.0]),
        ("max", [3.0, 7.0, 9.0]),
        ("sum", [4.0, 12.0, 9.0]),
        ("last", [3.0, 7.0, 9.0]),
        ("distinct", [2.0, 2.0, 1.0]),
        ("p50", [1.0, 5.0, 9.0]),
        ("p99", [1.0, 5.0, 9.0]),
        ("count", [2.0, 2.0, 1.0]),
    ],
)
async def test_a_measure_is_answered_by_window(gateway: LiveGateway, measure: Measure, values: list[float]) -> None:
    answer = await gateway.ask(replace(QUESTION, measure=measure))
    (line,) = answer.lines
    assert line.starts_ns.tolist() == [0, 2 * SECOND_NS, 4 * SECOND_NS]
    assert line.values.tolist() == values


@pytest.mark.parametrize(
    ("measure", "starts", "values"),
    [
        ("standard deviation", [0, 2], [2**0.5, 2**0.5]),
        ("increase", [0, 2, 4], [2.0, 2.0, 6.0]),
        ("rate", [0, 2, 4], [2.0, 2.0, 1.5]),
    ],
)
async def test_a_window_without_a_number_is_no_point_of_a_line(
    gateway: LiveGateway, measure: Measure, starts: list[int], values: list[float]
) -> None:
    (line,) = (await gateway.ask(replace(QUESTION, measure=measure))).lines
    assert line.starts_ns.tolist() == [start * SECOND_NS for start in starts]
    assert line.values.tolist() == pytest.approx(values)


async def test_rows_are_counted_without_a_column(gateway: LiveGateway) -> None:
    answer = await gateway.ask(replace(QUESTION, column=Column(ROWS, "rows"), measure="count"))
    assert answer.lines[0].values.tolist() == [2.0, 2.0, 2.0]
    assert answer.rows_scanned == 6
    assert answer.commit > 0


async def test_a_group_has_a_line_for_each_member_the_greatest_first(gateway: LiveGateway) -> None:
    asked = replace(QUESTION, group="host")
    members = await gateway.members(asked, 5)
    answer = await gateway.ask(replace(asked, members=members))
    assert members == ("a", "b")
    assert {line.label: line.values.tolist() for line in answer.lines} == {"a": [2.0, 9.0], "b": [6.0]}


async def test_a_group_without_members_has_no_lines(gateway: LiveGateway) -> None:
    assert (await gateway.ask(replace(QUESTION, group="host"))).lines == ()


async def test_a_wrong_key_is_denied_with_advice(server: servers.Server) -> None:
    gateway = LiveGateway(server.address, "mg_wrong")
    with pytest.raises(Trouble) as caught:
        await anext(gateway.watch_status(timedelta(seconds=1)))
    await gateway.close()
    assert caught.value.kind is Kind.DENIED
    assert "MARIGRAM_KEY" in caught.value.advice


async def test_a_missing_scope_is_denied_and_named(server: servers.Server) -> None:
    async with Client(server.address, server.key) as admin:
        made = await admin.create_key(["ingest:write"])
    gateway = LiveGateway(server.address, made.secret)
    with pytest.raises(Trouble) as caught:
        await anext(gateway.watch_status(timedelta(seconds=1)))
    await gateway.close()
    assert caught.value.kind is Kind.DENIED
    assert "status:read" in caught.value.advice


async def test_a_stream_that_is_not_there_is_no_lost_connection(gateway: LiveGateway) -> None:
    with pytest.raises(Trouble) as caught:
        await gateway.schema("nope")
    assert caught.value.kind is Kind.QUESTION


async def drained(figures: AsyncIterator[object]) -> None:
    async for _ in figures:
        pass


async def test_a_killed_server_is_a_lost_connection(server: servers.Server, gateway: LiveGateway) -> None:
    figures = gateway.watch_status(timedelta(seconds=1))
    await anext(figures)
    server.kill()
    with pytest.raises(Trouble) as caught:
        await drained(figures)
    assert caught.value.kind is Kind.LOST


async def test_nobody_listening_is_a_lost_connection_in_few_words() -> None:
    gateway = LiveGateway("127.0.0.1:1", "mg_any")
    with pytest.raises(Trouble) as caught:
        await anext(gateway.watch_status(timedelta(seconds=1)))
    await gateway.close()
    assert caught.value.kind is Kind.LOST
    assert caught.value.why == "connection refused"


async def test_a_profile_that_is_not_there_is_a_wrong_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(Trouble) as caught:
        await anext(LiveGateway(profile="nope").watch_status(timedelta(seconds=1)))
    assert caught.value.kind is Kind.SETTING


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client.Overloaded("draining"), Kind.LOST),
        (client.Internal("id 4"), Kind.LOST),
        (client.DeadlineExceeded("20 s"), Kind.QUESTION),
        (client.LimitExceeded("rows"), Kind.QUESTION),
        (client.Unsupported("WatchStatus"), Kind.SETTING),
        (OSError("no route"), Kind.LOST),
    ],
)
def test_every_error_means_something(error: Exception, kind: Kind) -> None:
    assert trouble(error, "query:read").kind is kind
