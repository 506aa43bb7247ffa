"""A list to choose from by typing a part."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from marigram_tui import formats
from marigram_tui.explore.choices import Choice

_TEXT = 22
"""Cells of the text before what it means."""


class Choose(ModalScreen[str | None]):
    """Gives the text that was chosen, None if none was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "close"),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def __init__(self, title: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title = title
        self._all = list(choices)
        self._shown: list[Choice] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="choose"):
            yield Input(placeholder="type a part · ↑ ↓ · enter takes it · escape", id="part", compact=True)
            yield OptionList(id="choices")

    def on_mount(self) -> None:
        self.query_one("#choose").border_title = self._title
        self.query_one("#choices").can_focus = False
        self._list("")
        self.query_one("#part").focus()

    def action_give_up(self) -> None:
        self.dismiss(None)

    def action_move(self, step: int) -> None:
        box = self.query_one(OptionList)
        if step > 0:
            box.action_cursor_down()
        else:
            box.action_cursor_up()

    @on(Input.Changed, "#part")
    def _narrow(self, event: Input.Changed) -> None:
        self._list(event.value.casefold())

    @on(Input.Submitted, "#part")
    def _take(self) -> None:
        place = self.query_one(OptionList).highlighted
        self.dismiss(self._shown[place].text if place is not None else None)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[event.option_index].text)

    def _list(self, part: str) -> None:
        """Those whose text holds the part come before those whose meaning does."""
        named = [one for one in self._all if part in one.text.casefold()]
        meant = [one for one in self._all if one not in named and part in one.about.casefold()]
        self._shown = named + meant
        box = self.query_one(OptionList)
        box.clear_options()
        box.add_options([Option(_line(one)) for one in self._shown])
        box.highlighted = 0 if self._shown else None


def _line(choice: Choice) -> Content:
    text = formats.safe(choice.text, 40) or "–"
    about = formats.safe(choice.about, 120)
    return Content.assemble((f"{text:<{_TEXT}} ", "bold"), (about, "$foreground 60%"))
