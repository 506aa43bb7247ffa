"""The metrics explorer, driven by keys."""

import asyncio

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input

from marigram_tui.explore.form import Form
from marigram_tui.gateway import Kind, Trouble
from marigram_tui.screens.choose import Choose
from marigram_tui.screens.copy import Copy
from marigram_tui.screens.explorer import Explorer
from marigram_tui.screens.overview import Overview
from marigram_tui.widgets.complaint import pointed
from tests.tui.driving import live, screen_text, settle, until
from tests.tui.fake import SECOND_NS, START_NS, Clock, FakeGateway, application, status, stream
from tests.tui.scenes import BAD_FILTER
from tests.tui.test_chart import idle

SIZE = (80, 24)


async def opened(pilot: Pilot[None], gateway: FakeGateway) -> Explorer:
    """The explorer on a stream that stands still, with its first answer."""
    gateway.push(idle())
    await settle(pilot)
    await pilot.press("x")
    await settle(pilot)
    assert isinstance(pilot.app.screen, Explorer)
    return pilot.app.screen


async def ask(pilot: Pilot[None], screen: Explorer, **fields: str) -> None:
    """Put these into fields and press enter."""
    for name, text in fields.items():
        screen.fields.box(name).value = text
    screen.fields.box("measures").focus()
    await pilot.press("enter")
    await settle(pilot)


async def choose(pilot: Pilot[None], *keys: str) -> None:
    """Press keys in the list that is open, and take what they lead to."""
    await until(pilot, lambda: isinstance(pilot.app.screen, Choose))
    shown = pilot.app.screen
    await pilot.press(*keys)
    await pilot.press("enter")
    await until(pilot, lambda: pilot.app.screen is not shown)


async def test_a_key_of_the_overview_opens_it_on_the_stream_under_the_cursor() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        assert screen.fields.form.stream == "flights"
        text = screen_text(app)
    assert "48 rows · raw · 337 k scanned · commit 4,711 · exact · 3.40 ms" in text
    ((query, bounds),) = gateway.explored
    assert [call.source() for call in query.measures] == ["count()"]
    assert bounds == (START_NS - 7 * 86_400 * SECOND_NS, START_NS + 1)


async def test_a_frame_before_its_widgets_are_there_paints_nothing() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(idle())
        await settle(pilot)
        app.open_explorer(Form(stream="flights"))
        app.frame()
        await settle(pilot)
        assert "count" in screen_text(app)


async def test_a_key_of_the_chart_takes_along_what_is_drawn() -> None:
    app, gateway, _ = application(stream="flights")
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(idle())
        await settle(pilot)
        await pilot.press("m", "m", "m", "m", "g", "x")
        await settle(pilot)
        assert isinstance(app.screen, Explorer)
        asked = app.screen.fields.form
    assert (asked.stream, asked.measures, asked.group) == ("flights", "p95:dep_delay", "carrier")
    assert (asked.range, asked.window) == ("15m", "10s")


async def test_what_is_typed_is_asked_with_all_its_parts() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        await ask(
            pilot, screen, measures="p95:dep_delay, count", group="carrier", window="day@Europe/Berlin", range="all",
            filter="origin = JFK", fill="zero", order="-count", top="3 other",
        )  # fmt: skip
        assert "± 0.542 %" in screen_text(app)
    query, bounds = gateway.explored[-1]
    assert query.window is not None
    assert query.window.source() == 'calendar("day", "Europe/Berlin")'
    assert bounds == (None, None)
    assert (query.filter, query.fill, query.order, query.top, query.other) == (
        "origin = JFK",
        "zero",
        ("-count",),
        3,
        True,
    )


async def test_lines_have_letters_and_five_groups_are_drawn_at_a_time() -> None:
    app, gateway, _ = application()
    gateway.of_group = tuple("UVWXYZT")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, gateway)
        await ask(pilot, screen, group="carrier")
        assert "+2 (l)" in screen_text(app)
        await pilot.press("escape", "l")
        await settle(pilot)
        text = screen_text(app)
    assert "a V" in text or "a U" in text
    assert "+5 (l)" in text


async def test_measures_are_drawn_one_by_one() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        await ask(pilot, screen, measures="count, mean:dep_delay")
        assert "count (m: 1 of 2)" in screen_text(app)
        await pilot.press("escape", "m")
        await settle(pilot)
        assert "mean_dep_delay (2 of 2)" in screen_text(app)


async def test_without_windows_groups_are_bars() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        await ask(pilot, screen, group="carrier", window="")
        text = screen_text(app)
    assert "█" in text
    assert " UA " in text


async def test_what_was_before_is_a_line_beside() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        await ask(pilot, screen, compare="previous")
        text = screen_text(app)
    assert "a count" in text
    assert "b count_" in text


async def test_a_key_turns_the_chart_into_a_table_and_back() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        await pilot.press("f3")
        await settle(pilot)
        assert "48 rows" in screen_text(app)
        assert screen.query_one(DataTable).row_count == 48
        await pilot.press("escape", "t")
        await settle(pilot)
        assert not screen.query_one(DataTable).display


async def test_an_error_of_the_server_is_shown_as_it_is_and_points_at_the_character() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        gateway.trouble = BAD_FILTER
        await ask(pilot, screen, filter="origin = AND dep_delay > 15")
        lines = screen_text(app).split("\n")
        assert screen.fields.form.filter == "origin = AND dep_delay > 15"
        assert screen.found is not None
    (place,) = [place for place, line in enumerate(lines) if "spec.filter_text BAD_FILTER_TEXT" in line]
    assert "character 10: expected a value, got 'A'" in lines[place]
    assert lines[place + 2].index("▲") == lines[place + 1].index("AND")
    assert any(line.startswith("!filter") for line in lines)


async def test_spaces_before_a_filter_move_the_sign_along() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        gateway.trouble = BAD_FILTER
        await ask(pilot, screen, filter="   origin = AND b = 1")
        lines = screen_text(app).split("\n")
    (place,) = [place for place, line in enumerate(lines) if "▲" in line]
    assert lines[place].index("▲") == lines[place - 1].index("AND")


async def test_the_sign_goes_with_the_text_that_it_points_into() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        gateway.trouble = BAD_FILTER
        await ask(pilot, screen, filter="origin = AND b = 1")
        screen.fields.box("filter").value = "origin = JFK"
        await settle(pilot)
        assert "▲" not in screen_text(app)
        gateway.trouble = None
        await ask(pilot, screen)
        assert "BAD_FILTER_TEXT" not in screen_text(app)


@pytest.mark.parametrize(
    ("text", "character", "shown"),
    [("abc", 1, "abc\n▲"), ("abc", 4, "abc\n   ▲"), ("航班 = 1", 4, "航班 = 1\n     ▲"), ("a" * 60, 60, None)],
)
def test_a_sign_stands_below_the_character_whatever_its_width(text: str, character: int, shown: str | None) -> None:
    found = pointed(text, character, 30)
    above, below = found.split("\n")
    assert shown in {None, found}
    assert len(above) <= 31
    assert len(below) <= 31


@pytest.mark.parametrize(
    ("field", "marked"),
    [
        ("spec.window.calendar.time_zone", "window"),
        ("spec.measures[0].column", "measures"),
        ("spec.group_by[1]", "group"),
        ("spec.top_groups", "top"),
        ("spec.order_by[0].column", "order"),
        ("spec.compare.period", "compare"),
        ("spec.budget", None),
    ],
)
async def test_the_field_that_the_server_names_is_marked(field: str, marked: str | None) -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        gateway.trouble = Trouble(Kind.QUESTION, "breaks a rule", field=field, reason="BAD")
        await ask(pilot, screen)
        text = screen_text(app)
    assert f"! {field} BAD: breaks a rule" in text
    fields = ("group", "top", "order", "compare", *([marked] if marked else []))
    assert {name for name in fields if f"!{name}" in text} == ({marked} if marked else set())


async def test_what_cannot_be_read_is_told_without_asking() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        await ask(pilot, screen, window="fortnight")
        text = screen_text(app)
    assert "! window: must be LENGTH" in text
    assert "!window" in text
    assert len(gateway.explored) == 1


async def test_a_newer_question_cancels_the_one_that_runs() -> None:
    app, gateway, _ = application()
    gateway.hold = asyncio.Event()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        await ask(pilot, screen, measures="mean:dep_delay")
        assert (len(gateway.explored), gateway.given_up) == (2, 1)
        gateway.hold.set()
        await settle(pilot)
        assert screen.found is not None
        assert screen.found.query.names == ("mean_dep_delay",)


async def test_leaving_cancels_the_query_that_runs() -> None:
    app, gateway, _ = application()
    gateway.hold = asyncio.Event()
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: gateway.given_up == 1)
        assert isinstance(app.screen, Overview)


async def moving(pilot: Pilot[None], gateway: FakeGateway, clock: Clock, second: int) -> None:
    """Another second in which rows came."""
    clock.advance(1)
    gateway.push(status(second, streams=(stream("flights", rows=1_300_000 + second),)))
    await settle(pilot)


async def test_the_answer_moves_with_the_stream_and_stands_while_it_is_paused() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        await moving(pilot, gateway, clock, 1)
        await moving(pilot, gateway, clock, 2)
        assert len(gateway.explored) == 3
        await pilot.press("escape", "space")
        await moving(pilot, gateway, clock, 3)
        assert len(gateway.explored) == 3
        assert "‖ PAUSED" in screen_text(app)


async def test_a_stream_that_stands_still_is_asked_once() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, gateway)
        for second in range(1, 5):
            clock.advance(1)
            gateway.push(idle(second))
            await settle(pilot)
    assert len(gateway.explored) == 1


async def test_what_is_being_typed_is_not_asked_by_itself_and_says_so() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        screen.fields.box("measures").value = "mean:dep"
        await moving(pilot, gateway, clock, 1)
        assert "enter asks" in screen_text(app)
    assert gateway.explored[-1][0].names == ("count",)


async def test_a_measure_is_chosen_by_kind_and_column() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        await pilot.press("f2")
        await choose(pilot, *"ratio")
        await choose(pilot, *"arr")
        await choose(pilot, *"dep")
        await until(pilot, lambda: "ratio" in screen.fields.form.measures)
        assert screen.fields.form.measures == "count, ratio:arr_delay:dep_delay"


async def test_giving_up_a_choice_leaves_the_field_as_it_was() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        await pilot.press("f2")
        await choose(pilot, *"mean")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert screen.fields.form.measures == "count"


@pytest.mark.parametrize(
    ("field", "keys", "text"),
    [
        ("stream", "weath", "weather"),
        ("group", "carr", "carrier"),
        ("window", "sess", "session:30m"),
        ("range", "30d", "30d"),
        ("filter", "orig", "origin = "),
        ("fill", "zero", "zero"),
        ("compare", "year", "year_ago"),
        ("order", "-count", "-count"),
        ("top", "5 o", "5 other"),
    ],
)
async def test_every_field_has_choices(field: str, keys: str, text: str) -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        gateway.push(status())
        await settle(pilot)
        screen.fields.box(field).focus()
        await pilot.press("f2")
        await choose(pilot, *(key if key != " " else "space" for key in keys))
        await until(pilot, lambda: screen.fields.box(field).value == text)


async def test_up_and_down_go_from_field_to_field() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        await pilot.press("down", "down")
        assert screen.fields.chosen == "window"
        await pilot.press("up", "up", "up")
        assert screen.fields.chosen == "range"


async def test_the_fields_can_go_and_come_back_with_what_was_typed() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        screen.fields.box("filter").value = "origin = JFK"
        await pilot.press("f6")
        await settle(pilot)
        assert "origin = JFK" not in screen_text(app)
        await pilot.press("e")
        await settle(pilot)
        assert "origin = JFK" in screen_text(app)
        assert isinstance(app.focused, Input)


async def test_help_can_be_had_while_typing_and_begins_with_the_keys_of_the_explorer() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        await pilot.press("f1")
        await settle(pilot)
        text = screen_text(app)
        await pilot.press("f1")
        await until(pilot, lambda: app.screen is screen)
    assert "hide the fields, and show them" in text


async def test_the_query_is_shown_as_command_and_python_and_copied() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, gateway)
        await pilot.press("f4")
        await until(pilot, lambda: isinstance(app.screen, Copy))
        await settle(pilot)
        text = screen_text(app)
        assert "marigram query flights" in text
        assert "table = client.query(" in text
        await pilot.press("p")
        assert app.clipboard.startswith("from marigram_client import Client, count, tumbling")
        await pilot.press("c")
        assert app.clipboard.startswith("marigram query flights \\\n  --measure count")


async def test_a_lost_connection_loses_nothing_and_the_question_waits_for_it() -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(pilot, gateway)
        gateway.push(Trouble(Kind.LOST, "connection refused"))
        await settle(pilot)
        await ask(pilot, screen, measures="mean:dep_delay")
        assert "waits for the connection" in screen_text(app)
        await pilot.press("escape", "R")
        gateway.push(idle(1))
        await settle(pilot)
        await until(pilot, lambda: len(gateway.explored) >= 2)
    assert gateway.explored[-1][0].names == ("mean_dep_delay",)


async def test_without_a_stream_it_asks_nothing_and_says_what_to_do() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        gateway.push(status(1, streams=()))
        await settle(pilot)
        await pilot.press("x")
        await settle(pilot)
        assert "enter asks · F2 chooses" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert "! stream: must be the name of a stream" in screen_text(app)
    assert gateway.explored == []
