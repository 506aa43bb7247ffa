"""Numbers of groups without time: a bar a group."""

import math
from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from marigram_tui import formats

_LABEL = 24
_VALUE = 10


class Bars(Static):
    """As many groups as there is room for, in the order of the answer, and how many are not shown."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word)
        super().__init__("", id=id)

    def show(self, labels: Sequence[str], values: Sequence[float], colour: str) -> None:
        """Draw anew. Labels are foreign text."""
        room = max(1, self.size.height)
        shown = len(values) if len(values) <= room else room - 1
        greatest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
        width = max((cell_len(formats.safe(text, _LABEL)) for text in labels[:shown]), default=0)
        cells = max(4, self.size.width - width - _VALUE - 6)
        lines = []
        for text, value in zip(labels[:shown], values[:shown], strict=True):
            name = formats.safe(text, _LABEL)
            padded = name + " " * (width - cell_len(name))
            finite = abs(value) if math.isfinite(value) else 0.0
            lines.append(
                Content.assemble(
                    f" {padded}  ",
                    (f"{formats.number(value):>{_VALUE}}  ", "bold"),
                    (formats.bar(finite, greatest, cells), colour),
                )
            )
        if shown < len(values):
            lines.append(Content.styled(f" … and {len(values) - shown:,} more: the table has them", "$foreground 60%"))
        self.update(Content("\n").join(lines) if lines else Content(" no rows in this range"))
