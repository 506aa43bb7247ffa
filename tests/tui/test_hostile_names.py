"""Names, labels and messages of strangers are shown, and do nothing."""

import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest

from marigram_tui.explore.form import Form
from marigram_tui.gateway import Kind, Trouble
from marigram_tui.questions import Column, Schema
from marigram_tui.screens.choose import Choose
from marigram_tui.screens.explorer import Explorer
from tests.tui.driving import live, screen_text, settle, until
from tests.tui.fake import application, status, stream

HOSTILE = {
    "escape": "a\x1b[2J\x1b[31mred\x07",
    "markup": "[red]boo[/red][@click=app.quit]x[/]",
    "broken markup": "[/][[",
    "newline": "one\ntwo\r\nthree",
    "bidi": "safe\u202eexe.txt\u2066",
    "invisible": "a\u200b\u200d\ufeffb",
    "long": "x" * 5_000,
    "wide": "航班延误" * 40,
    "emoji": "✈️👩‍✈️🛫" * 10,
    "zalgo": "z" + "\u0336\u0321" * 60,
    "surrogate": "\ud83d",
    "c1": "\x9b31m\x90",
    "nothing": "",
}
SIZE = (80, 24)
MARK = pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())


def harmless(text: str) -> None:
    """No line holds what a terminal would obey, or is broken by what it holds."""
    assert len(text.splitlines()) == SIZE[1]
    assert not [letter for line in text.split("\n") for letter in line if unicodedata.category(letter) in {"Cc", "Cf"}]


@MARK
async def test_a_stream_s_name_in_table_and_chart(name: str) -> None:
    app, gateway, _ = application()
    gateway.schemas |= {name: gateway.schemas["flights"], "other": gateway.schemas["flights"]}
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status(streams=(stream(name), stream("other"))))
        await settle(pilot)
        harmless(screen_text(app))
        await pilot.press("home", "enter")
        await settle(pilot)
        harmless(screen_text(app))
        assert gateway.questions[-1].stream in {name, "other"}


@MARK
async def test_a_column_s_name_and_unit(name: str) -> None:
    app, gateway, _ = application(stream="flights")
    gateway.schemas["flights"] = Schema.of((Column(name, "f64", name), Column(name, "label")), timedelta(seconds=10))
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status())
        await settle(pilot)
        await pilot.press("g")
        await settle(pilot)
        harmless(screen_text(app))


@MARK
async def test_a_label_s_value_as_a_line(name: str) -> None:
    app, gateway, _ = application(stream="flights")
    gateway.of_group = (name, "plain")
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status())
        await settle(pilot)
        await pilot.press("g")
        await settle(pilot)
        harmless(screen_text(app))
        assert "b plain" in screen_text(app)


@MARK
async def test_a_server_s_words(name: str) -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status(accepting_writes=False, refusal_reason=name, version=name))
        await settle(pilot)
        harmless(screen_text(app))
        gateway.push(Trouble(Kind.LOST, name))
        await settle(pilot)
        harmless(screen_text(app))


@MARK
async def test_a_stream_s_name_in_the_palette(name: str) -> None:
    app, gateway, _ = application()
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status(streams=(stream(name),)))
        await settle(pilot)
        await pilot.press("ctrl+p", *"chart")
        await until(pilot, lambda: "Chart of" in screen_text(app))
        harmless(screen_text(app))


async def test_names_that_look_alike_stay_two_streams() -> None:
    app, gateway, clock = application()
    async with app.run_test(size=SIZE) as pilot:
        await live(pilot, gateway, clock)
        twins = (stream("a\u200b", rows=1), stream("a\u200c", rows=2))
        gateway.push(status(streams=twins))
        await settle(pilot)
        assert screen_text(app).count("a�") == 2
        gateway.push(status(streams=(replace(twins[0], rows=3_333), twins[1])))
        await settle(pilot)
        assert screen_text(app).count("3,333") == 1


@MARK
async def test_what_an_explorer_asks_of_and_gets(name: str) -> None:
    app, gateway, _ = application()
    gateway.schemas |= {name: Schema.of((Column(name, "f64", name), Column(name, "label")), timedelta(seconds=10))}
    gateway.of_group = (name, "plain")
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status(streams=(stream(name),)))
        await settle(pilot)
        await pilot.press("x")
        await settle(pilot)
        assert isinstance(app.screen, Explorer)
        screen = app.screen
        screen.fields.box("group").value = name
        for window, key in (("1h", "f3"), ("", "f3"), ("", "enter")):
            screen.fields.box("window").value = window
            await pilot.press("enter")
            await settle(pilot)
            harmless(screen_text(app))
            await pilot.press(key)
            await settle(pilot)
            harmless(screen_text(app))
        gateway.trouble = Trouble(Kind.QUESTION, name, field=name, reason=name)
        await pilot.press("enter")
        await settle(pilot)
        harmless(screen_text(app))
        gateway.trouble = None
        await pilot.press("f4")
        await settle(pilot)
        harmless(screen_text(app))


@MARK
async def test_a_column_s_name_among_choices(name: str) -> None:
    app, gateway, _ = application()
    gateway.schemas["flights"] = Schema.of((Column(name, "label", name),), timedelta(seconds=10))
    async with app.run_test(size=SIZE) as pilot:
        gateway.push(status())
        await settle(pilot)
        app.open_explorer(Form(stream="flights"))
        await settle(pilot)
        assert isinstance(app.screen, Explorer)
        app.screen.fields.box("group").focus()
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await settle(pilot)
        harmless(screen_text(app))
