"""The fields of a query: a line each, typed in the words of ``marigram query``."""

from dataclasses import asdict, replace
from typing import ClassVar

from rich.highlighter import Highlighter
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from marigram_tui import formats
from marigram_tui.explore.form import Form

_WIDE = ("measures", "filter")
_ORDER = ("stream", "range", "measures", "group", "window", "filter", "fill", "compare", "order", "top")
_HINTS = {
    "stream": "name",
    "range": "7d, all, FROM .. TO",
    "measures": "count, p95:COLUMN, ratio:A:B, NAME=ARITHMETIC",
    "group": "columns, labels, entity",
    "window": "1h, 1h/5m, day@ZONE …",
    "filter": "as the server reads it: origin = JFK AND delay > 15",
    "fill": "null, zero, linear …",
    "compare": "previous, year_ago …",
    "order": "-COLUMN for greatest first",
    "top": "5, or 5 other",
}


class _Visible(Highlighter):
    """Shows letters that a terminal would obey, or hide, as signs; what stands in the field stays as it is."""

    def highlight(self, text: Text) -> None:
        text.plain = "".join(formats.visible(letter) for letter in text.plain)


class QueryForm(Grid):
    """All fields; up and down go from one to the next."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    def __init__(self, form: Form, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word)
        super().__init__(id=id)
        self._first = form
        self._marked = ""

    def compose(self) -> ComposeResult:
        for name in _ORDER:
            with Horizontal(classes="field -wide" if name in _WIDE else "field"):
                yield Static(label(name, marked=False), id=f"label-{name}", classes="label")
                yield Input(
                    getattr(self._first, name), placeholder=_HINTS[name], id=f"field-{name}", compact=True,
                    select_on_focus=False, highlighter=_Visible(),
                )  # fmt: skip

    @property
    def form(self) -> Form:
        """What stands in the fields."""
        return replace(self._first, **{name: self.box(name).value for name in asdict(self._first)})

    @property
    def chosen(self) -> str | None:
        """The field that has the focus."""
        focused = self.screen.focused
        name = (focused.id or "").removeprefix("field-") if focused is not None else ""
        return name if name in _ORDER else None

    def box(self, name: str) -> Input:
        """The line of a field."""
        return self.query_one(f"#field-{name}", Input)

    def mark(self, name: str) -> None:
        """Mark the field that cannot be answered, and no other; none with the empty name."""
        if name == self._marked:
            return
        for one in (self._marked, name):
            if one in _ORDER:
                shown = self.query_one(f"#label-{one}", Static)
                shown.update(label(one, marked=one == name))
        self._marked = name


def label(name: str, *, marked: bool) -> Content:
    """The word before a line; a sign stands where something is wrong with it."""
    return Content.styled(f"{'!' if marked else ' '}{name}", "bold $warning" if marked else "$foreground 60%")
