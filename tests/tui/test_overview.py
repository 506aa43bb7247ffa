"""The server at a glance."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import DataTable, Input

from marigram_tui.app import MarigramApp
from marigram_tui.gateway import Kind, Trouble
from marigram_tui.screens.chart import Chart
from marigram_tui.widgets.banner import REFUSALS, Banner
from marigram_tui.widgets.streams import StreamTable
from tests.tui.driving import live, screen_text, settle, until
from tests.tui.fake import STREAMS, application, status, stream

SIZE = (80, 24)


def names(app: MarigramApp) -> list[str]:
    """Streams of the table from the top."""
    table = app.screen.query_one(DataTable)
    return [str(table.get_row_at(place)[0]) for place in range(table.row_count)]


async def test_figures_are_on_the_screen() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        text = screen_text(app)
    for shown in ("● LIVE", "1,925", "162 KiB", "3.12 ms", "41 %", "50.2 GiB", "1 run", "✓ accepting"):
        assert shown in text
    assert "in 99.4 M = stored 99.4 M + rejected 315 + dup 525 · late 1,204" in text


async def test_before_figures_it_says_that_it_connects() -> None:
    app, _, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        assert "○ CONNECTING" in screen_text(app)


async def test_a_server_without_streams_says_how_to_write_some() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status(streams=()))
        await settle(pilot)
        assert "no streams yet" in screen_text(app)


@pytest.mark.parametrize(
    ("presses", "order"),
    [
        ("", ["flights", "host", "orders", "weather"]),
        ("r", ["weather", "orders", "host", "flights"]),
        ("s", ["flights", "weather", "host", "orders"]),
        ("ss", ["orders", "flights", "weather", "host"]),
        ("sss", ["orders", "flights", "weather", "host"]),
        ("ssss", ["flights", "host", "orders", "weather"]),
        ("ssssr", ["weather", "orders", "host", "flights"]),
        ("sssss", ["flights", "host", "orders", "weather"]),
    ],
)
async def test_streams_are_sorted_by_keys(presses: str, order: list[str]) -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        await pilot.press(*presses)
        await settle(pilot)
        assert names(app) == order


async def test_the_cursor_stays_on_its_stream_when_the_order_changes() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        await pilot.press("s", "home")
        table = app.screen.query_one(StreamTable)
        assert names(app)[table.cursor_row] == "flights"
        gateway.push(status(2, streams=(*STREAMS[:3], replace(STREAMS[3], rows_per_second=1e6))))
        await settle(pilot)
        assert names(app)[0] == "orders"
        assert names(app)[table.cursor_row] == "flights"


async def test_only_cells_whose_text_changed_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    real = DataTable.update_cell

    def update_cell(table: DataTable[object], row: str, column: str, value: object, **given: bool) -> None:
        written.append((row, column))
        real(table, row, column, value, **given)

    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status(0))
        await settle(pilot)
        monkeypatch.setattr(StreamTable, "update_cell", update_cell)
        gateway.push(status(0, streams=(replace(STREAMS[0], rows=2_000_000), *STREAMS[1:])))
        await settle(pilot)
    assert written == [("flights", "rows")]


async def test_the_share_of_sealed_rows_and_what_waits_are_shown() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        assert "9.00 M rows not sealed for 1 min 34 s · 41 parts" in screen_text(app)
        none_left = replace(status().sealing, lag_rows=0)
        gateway.push(status(3, sealing=none_left))
        await settle(pilot)
        assert "all sealed · 41 parts" in screen_text(app)
        gateway.push(status(4, sealing=replace(none_left, failure_reason="STORE_FULL")))
        await settle(pilot)
        assert "sealing fails: STORE_FULL" in screen_text(app)
    app, gateway, clock = application()
    async with app.run_test(size=(120, 40)) as pilot:
        await live(pilot, gateway, clock)
        (line,) = [line for line in screen_text(app).splitlines() if "flights" in line]
        assert "91 %" in line


async def test_a_filter_narrows_the_table_and_escape_shows_all() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        await pilot.press("slash", "H", "t", "enter")
        await settle(pilot)
        assert names(app) == ["flights"]
        assert "Streams 1 of 4" in screen_text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert len(names(app)) == 4
        assert not app.screen.query_one(Input).display


async def test_letters_typed_into_the_filter_are_no_commands() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        await pilot.press("slash", "q", "r")
        assert app.screen.query_one(Input).value == "qr"
        assert app.is_running


async def test_enter_opens_the_chart_and_escape_comes_back() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, Chart)
        assert app.screen.stream == "flights"
        assert "Overview › flights" in screen_text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(app.screen, Chart)


async def test_refused_writes_are_told_in_words() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status(accepting_writes=False, refusal_reason="STORE_FULL"))
        await settle(pilot)
        text = screen_text(app)
    assert "! writes are refused (STORE_FULL): the disk is full" in text
    assert "× refusing" in text


def test_reasons_that_have_words_are_those_a_server_gives() -> None:
    page = (Path(__file__).parents[2] / "docs/errors.md").read_text()
    assert [reason for reason in REFUSALS if f"`{reason}`" not in page] == []


async def test_a_lost_connection_is_a_banner_that_counts_down_and_goes_by_itself() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        gateway.push(Trouble(Kind.LOST, "refused"))
        await settle(pilot)
        assert "connection lost, retrying in 1 s (refused)" in screen_text(app)
        assert "× OFFLINE" in screen_text(app)
        assert "flights" in screen_text(app)
        assert app.screen.has_class("-stale")
        clock.advance(1)
        await settle(pilot)
        gateway.push(status(3))
        await settle(pilot)
        assert not app.screen.query_one(Banner).display
        assert "● LIVE" in screen_text(app)
        assert not app.screen.has_class("-stale")


async def test_the_countdown_follows_the_clock() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(Trouble(Kind.SETTING, "no such profile"))
        await settle(pilot)
        assert "retrying in 15 s: no such profile" in screen_text(app)
        clock.advance(9.5)
        await settle(pilot)
        assert "retrying in 6 s" in screen_text(app)


async def test_a_wrong_key_is_a_banner_with_what_to_do() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(Trouble(Kind.DENIED, "the key is not known", "Give a valid one with --key."))
        await settle(pilot)
        text = screen_text(app)
    assert "× DENIED" in text
    assert "the key is not known" in text
    assert "Give a valid one with --key." in text


async def test_capital_r_connects_without_waiting() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(Trouble(Kind.DENIED, "the key is not known"))
        await settle(pilot)
        await pilot.press("R")
        await settle(pilot)
        assert gateway.connections == 2


async def test_the_palette_finds_a_stream_and_opens_it() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        await pilot.press("ctrl+p", *"flights")
        await until(pilot, lambda: "Chart of flights" in screen_text(app))
        await pilot.press("down", "enter")
        await settle(pilot)
        assert isinstance(app.screen, Chart)
        assert app.screen.stream == "flights"


async def test_the_palette_knows_the_commands_of_the_screen() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        await pilot.press("ctrl+p", *"by rows")
        await until(pilot, lambda: "Sort streams by rows" in screen_text(app))
        await pilot.press("down", "enter")
        await settle(pilot)
        assert names(app) == ["orders", "flights", "weather", "host"]


async def test_a_nearly_full_tail_is_marked() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status(tail_bytes=1_800_000_000))
        await settle(pilot)
        assert "84 % !" in screen_text(app)


async def test_help_opens_and_closes() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        await pilot.press("question_mark")
        await pilot.pause()
        assert "escape closes" in screen_text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert "escape closes" not in screen_text(app)


async def test_q_quits_with_zero() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        await pilot.press("q")
    assert app.return_code == 0


async def test_a_thousand_streams_fit() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status(streams=tuple(stream(f"s{place:04}") for place in range(1_000))))
        await settle(pilot)
        await pilot.press("end")
        await settle(pilot)
        assert "s0999" in screen_text(app)


async def test_without_colours_all_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app, gateway, clock = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        await pilot.press("space")
        await settle(pilot)
        colours = {
            segment.style.color.name
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style and segment.style.color
        }
        assert "‖ PAUSED" in screen_text(app)
    assert colours
