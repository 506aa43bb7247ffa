"""One stream over time."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from textual.pilot import Pilot

from marigram_client.admin import ServerStatus
from marigram_tui.gateway import Kind, Trouble
from marigram_tui.questions import Answer, Question, Schema
from marigram_tui.screens.chart import Chart
from tests.tui.driving import live, screen_text, settle
from tests.tui.fake import SECOND_NS, START_NS, FakeGateway, application, status, stream, wave

SIZE = (80, 24)
EDGE_NS = START_NS
"""Watermark of ``flights`` at the start, and its ten seconds of disorder."""


def idle(second: int = 0) -> ServerStatus:
    """Figures of a stream that no row comes to."""
    return status(second, streams=(stream("flights", rows_per_second=0.0),))


async def opened(pilot: Pilot[None], gateway: FakeGateway) -> Chart:
    """The chart of a stream that stands still, with its first answer."""
    gateway.push(idle())
    await settle(pilot)
    assert isinstance(pilot.app.screen, Chart)
    return pilot.app.screen


async def test_the_first_number_is_drawn_as_its_mean() -> None:
    app, gateway, _ = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        text = screen_text(app)
    assert "mean of dep_delay (min)  per 10 s  over 15 min  until 2026-03-01 12:00:00Z" in text
    assert "337 k rows scanned · commit 4,711 · 3.40 ms · exact" in text
    assert "● LIVE" in text


async def test_a_column_can_be_asked_for_from_outside() -> None:
    app, gateway, _ = application(stream="flights", column="arr_delay")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        assert "mean of arr_delay" in screen_text(app)


async def test_now_is_the_newest_time_of_the_stream_and_not_the_clock() -> None:
    app, gateway, _ = application(stream="flights")
    old = START_NS - 400 * 86_400 * SECOND_NS
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status(streams=(stream("flights", watermark_ns=old, rows_per_second=0.0),)))
        await settle(pilot)
    assert gateway.questions[0].end_ns == old + 10 * SECOND_NS + 1


async def test_a_stream_that_stands_still_is_asked_once() -> None:
    app, gateway, clock = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        for second in range(1, 6):
            clock.advance(1)
            gateway.push(idle(second))
            await settle(pilot)
    assert len(gateway.questions) == 1


async def test_a_stream_that_moves_is_asked_on_the_frame_clock() -> None:
    app, gateway, clock = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        before = len(gateway.questions)
        for _ in range(8):
            clock.advance(0.25)
            await settle(pilot)
    assert len(gateway.questions) == before + 8


async def test_there_is_never_a_second_query_on_top_of_one_that_runs() -> None:
    app, gateway, clock = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        gateway.hold = asyncio.Event()
        await live(pilot, gateway, clock)
        for _ in range(8):
            clock.advance(1)
            await settle(pilot)
        assert len(gateway.questions) == 1
        gateway.hold.set()


async def test_a_slow_query_is_asked_more_rarely() -> None:
    app, gateway, clock = application(stream="flights")

    def slow(question: Question) -> Answer:
        clock.advance(1)
        return wave(question)

    gateway.answer = slow
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status(0))
        await settle(pilot)
        assert len(gateway.questions) == 1
        clock.advance(2.9)
        await settle(pilot)
        assert len(gateway.questions) == 1
        clock.advance(0.2)
        await settle(pilot)
        assert len(gateway.questions) == 2


async def test_a_chart_under_another_screen_asks_nothing() -> None:
    app, gateway, clock = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        await pilot.press("question_mark")
        await pilot.pause()
        before = len(gateway.questions)
        for _ in range(4):
            clock.advance(1)
            await settle(pilot)
    assert len(gateway.questions) == before


@pytest.mark.parametrize(
    ("presses", "shown"),
    [
        ("m", "min of dep_delay"),
        ("mm", "max of dep_delay"),
        ("mmm", "p50 of dep_delay"),
        ("mmmmm", "p99 of dep_delay"),
        ("mmmmmm", "standard deviation of dep_delay (min)"),
        ("mmmmmmm", "rate of dep_delay (min/s)"),
        ("mmmmmmmm", "increase of dep_delay (min)"),
        ("mmmmmmmmm", "sum of dep_delay (min)"),
        ("mmmmmmmmmm", "last of dep_delay (min)"),
        ("mmmmmmmmmmm", "distinct of dep_delay  per"),
        ("mmmmmmmmmmmm", "count of dep_delay  per"),
        ("mmmmmmmmmmmmm", "mean of dep_delay"),
        ("M", "count of dep_delay"),
        ("c", "mean of arr_delay"),
        ("cc", "mean of flight"),
        ("ccc", "rows  per"),
        ("cccc", "count of carrier"),
        ("ccccm", "distinct of carrier"),
        ("C", "count of origin"),
    ],
)
async def test_columns_and_measures_are_chosen_by_keys(presses: str, shown: str) -> None:
    app, gateway, _ = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        await pilot.press(*presses)
        await settle(pilot)
        assert shown in screen_text(app)
        assert gateway.questions[-1].measure in {shown.partition(" of ")[0], "count"}


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("right_square_bracket", "per 30 s  over 1 h"),
        ("left_square_bracket", "per 5 s  over 5 min"),
        ("plus", "per 15 s  over 15 min"),
        ("minus", "per 5 s  over 15 min"),
    ],
)
async def test_range_and_windows_are_chosen_by_keys(key: str, shown: str) -> None:
    app, gateway, _ = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        await pilot.press(key)
        await settle(pilot)
        assert shown in screen_text(app)


async def test_a_quantile_shows_the_bound_of_its_error() -> None:
    app, gateway, _ = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        await pilot.press(*"mmmmm")
        await settle(pilot)
        assert "± 0.542 %" in screen_text(app)


async def test_a_pause_holds_the_picture_and_says_so() -> None:
    app, gateway, clock = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock, 3)
        await pilot.press("space")
        await settle(pilot)
        assert "‖ PAUSED" in screen_text(app)
        held = gateway.questions[-1].end_ns
        await live(pilot, gateway, clock, 5)
        assert gateway.questions[-1].end_ns == held
        await pilot.press("space")
        await settle(pilot)
        assert "● LIVE" in screen_text(app)
        assert gateway.questions[-1].end_ns > held


async def test_going_back_pauses_and_zero_returns() -> None:
    app, gateway, _ = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        await pilot.press("left")
        await settle(pilot)
        assert gateway.questions[-1].end_ns == EDGE_NS - 225 * SECOND_NS + 1
        assert "‖ PAUSED" in screen_text(app)
        await pilot.press("0")
        await settle(pilot)
        assert gateway.questions[-1].end_ns == EDGE_NS + 1


async def test_a_group_draws_a_line_for_each_member() -> None:
    app, gateway, _ = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        await pilot.press("g")
        await settle(pilot)
        text = screen_text(app)
    assert gateway.questions[-1].group == "carrier"
    assert gateway.questions[-1].members == gateway.of_group
    assert "by carrier" in text
    for letter, member in zip("abcde", gateway.of_group, strict=True):
        assert f"{letter} {member} " in text


async def test_a_group_without_members_says_so() -> None:
    app, gateway, _ = application(stream="flights")
    gateway.of_group = ()
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        await pilot.press("g")
        await settle(pilot)
        assert "no values of carrier in this range" in screen_text(app)


async def test_a_replay_is_shown_at_a_range_that_can_be_followed() -> None:
    app, gateway, clock = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        for second in range(12):
            moved = START_NS + second * 3_600 * SECOND_NS
            gateway.push(status(second, streams=(stream("flights", watermark_ns=moved),)))
            clock.advance(1)
            await settle(pilot)
        assert "over 3 d" in screen_text(app)


@pytest.mark.parametrize(("rows", "shown"), [(3, "over 15 min"), (10_000_000, "over 3640 d")])
async def test_a_range_is_widened_for_few_points_only_while_there_are_rows_outside(rows: int, shown: str) -> None:
    app, gateway, clock = application(stream="flights")
    gateway.answer = odd([1.0, 2.0, 3.0])
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status(streams=(stream("flights", rows=rows),)))
        for _ in range(16):
            clock.advance(0.3)
            await settle(pilot)
        assert shown in screen_text(app)


@pytest.mark.parametrize(
    "values", [[], [float("nan")] * 3, [1.0], [5.0, 5.0, 5.0], [float("inf"), 1.0], [-1e300, 1e300]]
)
async def test_odd_answers_are_drawn_all_the_same(values: list[float]) -> None:
    app, gateway, _ = application(stream="flights")
    gateway.answer = odd(values)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        assert "337 k rows scanned" in screen_text(app)


def odd(values: list[float]) -> Callable[[Question], Answer]:
    def answer(question: Question) -> Answer:
        usual = wave(question)
        line = usual.lines[0]
        starts, kept = line.starts_ns[: len(values)], line.values[: len(values)].copy()
        kept[:] = values
        return replace(usual, lines=(replace(line, starts_ns=starts, values=kept),))

    return answer


async def test_a_trouble_with_a_query_is_told_and_the_chart_goes_on() -> None:
    app, gateway, clock = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        gateway.trouble = Trouble(Kind.QUESTION, "the query needs more than 1,000,000 rows")
        await pilot.press("m")
        await settle(pilot)
        assert "! no answer: the query needs more than 1,000,000 rows" in screen_text(app)
        gateway.trouble = None
        clock.advance(4)
        await settle(pilot)
        assert "! no answer" not in screen_text(app)


async def test_a_key_without_queries_is_told_what_to_do() -> None:
    app, gateway, _ = application(stream="flights")
    gateway.trouble = Trouble(Kind.DENIED, "the key does not have scope query:read", "Ask for a key with it.")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        text = screen_text(app)
    assert "! not allowed: the key does not have scope query:read" in text
    assert "Ask for a key with it." in text


async def test_a_stream_that_is_gone_is_told() -> None:
    app, gateway, _ = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        gateway.push(status(1, streams=()))
        await settle(pilot)
        assert "! this stream has no rows, or is gone" in screen_text(app)


async def test_a_lost_connection_greys_the_chart_and_it_goes_on_after() -> None:
    app, gateway, clock = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock, 2)
        gateway.push(Trouble(Kind.LOST, "refused"))
        await settle(pilot)
        asked = len(gateway.questions)
        assert "connection lost" in screen_text(app)
        assert app.screen.has_class("-stale")
        clock.advance(2)
        await settle(pilot)
        assert len(gateway.questions) == asked
        await live(pilot, gateway, clock)
        assert len(gateway.questions) > asked
        assert "● LIVE" in screen_text(app)


async def test_a_stream_made_anew_with_older_rows_is_followed() -> None:
    app, gateway, clock = application(stream="flights")
    old = START_NS - 86_400 * SECOND_NS
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        gateway.push(status(1, streams=(stream("flights", watermark_ns=old, rows=3),)))
        clock.advance(1)
        await settle(pilot)
        assert gateway.questions[-1].end_ns == old + 10 * SECOND_NS + 1


async def test_what_was_chosen_while_a_query_ran_is_asked_right_after() -> None:
    app, gateway, clock = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        gateway.hold = asyncio.Event()
        await pilot.press("m")
        await settle(pilot)
        clock.advance(2)
        await pilot.press("m")
        gateway.hold.set()
        await settle(pilot)
        assert [question.measure for question in gateway.questions] == ["mean", "min", "max"]


async def test_new_columns_appear_and_the_chosen_one_stays() -> None:
    app, gateway, clock = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        chart = await opened(pilot, gateway)
        await pilot.press("c")
        await settle(pilot)
        old = gateway.schemas["flights"]
        columns = (replace(old.columns[0], name="air_time"), *old.columns)
        gateway.schemas["flights"] = Schema(columns, old.groups, timedelta(seconds=10))
        clock.advance(20)
        await pilot.press("m")
        await settle(pilot)
        assert chart.column.name == "arr_delay"
        assert "min of arr_delay" in screen_text(app)


async def test_the_plot_follows_the_size_of_the_terminal() -> None:
    app, gateway, _ = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        await pilot.resize_terminal(120, 40)
        await settle(pilot)
        assert "per 5 s  over 15 min" in screen_text(app)
