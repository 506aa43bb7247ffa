"""A few figures of one kind, and how the main one went."""

from collections.abc import Callable, Sequence

from textual.content import Content
from textual.widget import Widget

from marigram_tui import formats

Trace = Callable[[int], Sequence[float]]
"""Values for so many columns, the newest last."""


class Card(Widget):
    """Lines of text above a sparkline that takes what room is left. The border's title says what it is."""

    def __init__(self, title: str, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word)
        super().__init__(id=id)
        self.border_title = title
        self._lines: list[Content] = []
        self._trace: Trace | None = None
        self._shown: tuple[list[Content], list[str]] = ([], [])

    def show(self, lines: list[Content], trace: Trace | None = None) -> None:
        """Paint if something changed."""
        self._lines = lines
        self._trace = trace
        shown = (lines, self._sparkline())
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    def render(self) -> Content:
        self._shown = (self._lines, self._sparkline())
        lines, spark = self._shown
        blank = max(0, self.size.height - len(lines) - len(spark))
        return Content("\n").join([*lines, *[Content("")] * blank, *(Content.styled(row, "$primary") for row in spark)])

    def _sparkline(self) -> list[str]:
        rows = min(4, self.size.height - len(self._lines))
        if self._trace is None or rows < 1:
            return []
        return formats.sparkline(self._trace(self.size.width), rows)


def figure(value: str, label: str, width: int, style: str = "bold") -> Content:
    """A value and what it is, at both ends of a line."""
    gap = max(1, width - len(value) - len(label))
    return Content.assemble((label, "$foreground 60%"), " " * gap, (value, style))
