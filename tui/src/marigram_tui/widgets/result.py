"""An answer: lines over time or bars, and the same as a table."""

from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import DataTable, Static

from marigram_tui import formats, themes
from marigram_tui.explore import drawing
from marigram_tui.explore.found import MOST_ROWS
from marigram_tui.widgets.bars import Bars
from marigram_tui.widgets.plot import Drawn, TimePlot, described

if TYPE_CHECKING:
    from marigram_tui.explore.drawing import Series
    from marigram_tui.explore.found import Found

MOST_LINES = len(themes.LINES)
_FROM_ZERO = {"count", "sum", "distinct", "distinct_sketch", "rate", "increase", "variance", "standard_deviation"}


class Result(Vertical):
    """One measure at a time is drawn, five groups at a time; the table has them all."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word)
        super().__init__(id=id)
        self.found: Found | None = None
        self._table = False
        self._measure = 0
        self._page = 0

    def compose(self) -> ComposeResult:
        yield Static("", id="legend")
        yield TimePlot(id="plot")
        yield Bars(id="bars")
        yield DataTable[Text](id="table", cursor_type="row", zebra_stripes=False)

    def on_mount(self) -> None:
        self._arrange()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def show(self, found: "Found") -> None:
        """Show another answer; the measure that is drawn stays, if it is there."""
        if self.found is None or self.found.query.names != found.query.names:
            self._measure = self._page = 0
        self.found = found
        self._again()

    def turn(self) -> None:
        """From the chart to the table, and back."""
        self._table = not self._table
        self._again()

    def step_measure(self, step: int) -> None:
        """Draw the next measure."""
        self._measure += step
        self._page = 0
        self._draw()

    def step_lines(self, step: int) -> None:
        """Draw the next five groups."""
        self._page += step
        self._draw()

    def take_focus(self) -> None:
        """Keys go to the answer, not to fields."""
        if self._table:
            self.query_one(DataTable).focus()
        else:
            self.screen.set_focus(None)

    def _again(self) -> None:
        """Draw what fits the answer; a chart once it knows its size."""
        self._arrange()
        if self._table:
            self._draw()
        else:
            self.call_after_refresh(self._draw)

    def _arrange(self) -> None:
        over_time = self.found is None or self.found.starts_ns is not None
        self.query_one("#plot").display = not self._table and over_time
        self.query_one("#bars").display = not self._table and not over_time
        self.query_one("#table").display = self._table

    def _draw(self) -> None:
        found = self.found
        if found is None or not self.is_mounted:
            return
        if self._table:
            self._draw_table(found)
            return
        names = list(found.values)
        if not names:
            self._say(Content("no numbers to draw: F3 shows the table"))
            return
        name = names[self._measure % len(names)]
        if found.starts_ns is None:
            values = [float(value) for value in found.values[name]]
            labels = [label if found.query.group else name for label in found.labels]
            self.query_one(Bars).show(labels, values, self.app.theme_variables["primary"])
            self._say(self._title(name, len(names)))
        else:
            self._draw_lines(found, name, len(names))

    def _draw_lines(self, found: "Found", name: str, of: int) -> None:
        lines = drawing.series(found, name)
        pages = max(1, -(-len(lines) // MOST_LINES))
        first = self._page % pages * MOST_LINES
        shown = lines[first : first + MOST_LINES]
        several = len(lines) > 1
        colours = self.app.theme_variables
        drawn = [
            Drawn(line.x, line.y, themes.LINES[place] if several else colours["primary"],
                  chr(ord("a") + place) if several else "")
            for place, line in enumerate(shown)
        ]  # fmt: skip
        settled = found.made.watermark_ns / formats.SECOND_NS if found.made.watermark_ns is not None else None
        kind = found.query.measures[found.query.names.index(name)].function if name in found.query.names else ""
        self.query_one(TimePlot).show(
            drawn,
            drawing.extent(found, shown),
            settled,
            from_zero=kind.rstrip("_") in _FROM_ZERO,
            muted=colours["secondary"],
        )
        title = self._title(name, of)
        if not lines:
            self._say(Content.assemble(title, "no rows in this range"))
        elif not several:
            self._say(Content.assemble(title, described(lines[0].y)))
        else:
            hidden = len(lines) - len(shown)
            rest = f"+{hidden} (l)" if hidden else ""
            room = self.size.width - 2 - len(title.plain) - len(rest)
            self._say(Content.assemble(title, letters(shown, room), rest))

    def _title(self, name: str, of: int) -> Content:
        more = f" (m: 1 of {of})" if of > 1 and self._measure % of == 0 else f" ({self._measure % of + 1} of {of})"
        return Content.assemble(
            (formats.safe(name, 28), "bold $accent"), (more if of > 1 else "", "$foreground 60%"), "  "
        )

    def _draw_table(self, found: "Found") -> None:
        table = self.query_one(DataTable)
        row, column = table.cursor_coordinate
        top = table.scroll_y
        table.clear(columns=True)
        left = {"start", "end", *found.query.group}
        for name in found.columns:
            table.add_column(_text(name, 28, left=name in left))
        for cells in found.cells:
            named = zip(found.columns, cells, strict=True)
            table.add_row(*(_text(cell, 40, left=name in left) for name, cell in named))
        if found.cells:
            table.move_cursor(row=min(row, len(found.cells) - 1), column=column, scroll=False)
            table.scroll_to(y=top, animate=False)
        hidden = f"the first {MOST_ROWS:,} of {found.rows:,} rows" if found.rows > MOST_ROWS else f"{found.rows:,} rows"
        self._say(Content.styled(hidden, "$foreground 60%"))

    def _say(self, text: Content) -> None:
        line = self.query_one("#legend", Static)
        if line.content != text:
            line.update(text)


def _text(text: str, cells: int, *, left: bool) -> Text:
    return Text(formats.safe(text, cells), justify="left" if left else "right", no_wrap=True, end="")


def letters(shown: "list[Series]", cells: int) -> Content:
    """Letter, label and newest value of each line; labels share what room the rest leaves."""
    newest = [formats.number(float(line.y[-1])) if len(line.y) else "–" for line in shown]
    room = min(24, (cells - sum(len(value) + 5 for value in newest)) // len(shown))
    parts: list[tuple[str, str] | str] = []
    for place, (line, value) in enumerate(zip(shown, newest, strict=True)):
        colour = themes.LINES[place]
        label = formats.safe(line.label, max(2, room))
        parts += [(f"{chr(ord('a') + place)} ", f"bold {colour}"), (label, colour), f" {value}  "]
    return Content.assemble(*parts)
