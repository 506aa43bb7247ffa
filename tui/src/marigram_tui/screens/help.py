"""All keys."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

_KEYS = (
    (
        "Everywhere",
        (
            ("?", "this page"),
            ("^p", "palette: open a stream, act, change the theme"),
            ("escape", "back"),
            ("R", "connect now instead of waiting"),
            ("q", "quit"),
        ),
    ),
    (
        "Overview",
        (
            ("↑ ↓  j k", "move; home and end to the first and last"),
            ("enter", "chart of the stream"),
            ("/", "filter by a part of the name; escape shows all"),
            ("s", "sort by the next column; a click on its title does too"),
            ("r", "turn the order round"),
        ),
    ),
    (
        "Chart",
        (
            ("space", "pause, and go on"),
            ("c  C", "next and previous column"),
            ("m  M", "measure: mean, min, max, quantiles, deviation, rate, count …"),
            ("g  G", "one line for each of the greatest members of a label"),
            ("[  ]", "shorter and longer range"),
            ("-  +", "narrower and wider windows"),
            ("← →  h l", "earlier and later (pauses)"),
            ("0", "back to the newest"),
            ("a", "range and windows by themselves again"),
        ),
    ),
)
_SIGNS = (
    "The right edge is the newest time of the stream, not the clock on the wall. Windows right of the upright line are "
    "still open: their values may change. ± is the bound of the relative error of a quantile. Times are UTC."
)


class Help(ModalScreen[None]):
    """A page over the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "close", "close"),
    ]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            for title, keys in _KEYS:
                yield Static(Content.styled(title, "bold $primary"), classes="title")
                yield Static(
                    Content("\n").join(Content.assemble((f"  {key:<10}", "bold $accent"), what) for key, what in keys)
                )
            yield Static(Content.styled(_SIGNS, "$foreground 70%"), classes="title")

    def on_mount(self) -> None:
        box = self.query_one("#help")
        box.border_title = "Help"
        box.border_subtitle = "escape closes"
        box.focus()

    def action_close(self) -> None:
        self.dismiss()
