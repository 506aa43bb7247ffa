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
            ("?  F1", "this page; F1 where letters are typed"),
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
            ("x", "metrics explorer of the stream"),
        ),
    ),
    (
        "Chart",
        (
            ("space", "pause, and go on"),
            ("c  C", "next and previous column"),
            ("m  M", "measure: mean, min, max, quantiles, rate, sum, last, distinct, count …"),
            ("g  G", "one line for each of the greatest members of a label"),
            ("[  ]", "shorter and longer range"),
            ("-  +", "narrower and wider windows"),
            ("← →  h l", "earlier and later (pauses)"),
            ("0", "back to the newest"),
            ("a", "range and windows by themselves again"),
            ("x", "metrics explorer with what is drawn"),
        ),
    ),
    (
        "Explorer",
        (
            ("enter F5", "ask what stands in the fields; a query that runs is cancelled"),
            ("↑ ↓  tab", "from field to field"),
            ("F2", "choose for the field: kinds of measures, columns, windows …"),
            ("F3  t", "chart or table"),
            ("F4  y", "the query as a command and as Python, to copy"),
            ("F6  f", "hide the fields, and show them"),
            ("escape", "from the fields to the answer, and back from there"),
            ("e  /", "from the answer to the fields"),
            ("m  M", "next and previous measure of the chart"),
            ("l  L", "next and previous five groups of the chart"),
            ("space", "pause, and go on, in the answer"),
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
        Binding("escape,question_mark,f1,q,enter", "close", "close"),
    ]

    def __init__(self, here: str = "") -> None:
        """The page for one who comes from the screen of this title, whose keys then come first."""
        super().__init__()
        self._sections = sorted(_KEYS, key=lambda section: section[0] != here)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            for title, keys in self._sections:
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
