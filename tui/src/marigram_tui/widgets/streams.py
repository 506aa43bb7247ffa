"""The table of streams."""

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from marigram_tui import formats
from marigram_tui.messages import StreamChosen
from marigram_tui.state import State, nanoseconds

if TYPE_CHECKING:
    from marigram_tui.gateway import StreamStatus

NAME, RATE, ROWS, ENTITIES, WATERMARK, TREND = "name", "rate", "rows", "entities", "watermark", "trend"
SEALED = "sealed"
_TITLES = {
    NAME: "STREAM",
    RATE: "ROWS/S",
    ROWS: "ROWS",
    SEALED: "SEALED",
    ENTITIES: "ENTITIES",
    WATERMARK: "WATERMARK",
    TREND: "LAST 2 MIN",
}
SORTS = (NAME, RATE, ROWS, ENTITIES, WATERMARK)
_WIDTHS = {RATE: 8, ROWS: 8, SEALED: 7, ENTITIES: 8, WATERMARK: 16, TREND: 12}
_NARROWEST_NAME, _WIDEST_NAME = 12, 48
_DROPPED = (SEALED, TREND)
"""Columns that go, in this order, where it is narrow."""


class _Name(Text):
    """The cell of a name: what is shown of it need not be unique, the stream is."""

    __slots__ = ("stream",)
    stream: str


class StreamTable(DataTable[Text]):
    """A row a stream. A cell is written only when its text changed, and the order only when it did."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "chart", show=True),
        Binding("s", "sort", "sort by", show=True),
        Binding("r", "reverse", "reverse", show=True),
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("g,home", "scroll_top", show=False),
        Binding("G,end", "scroll_bottom", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word)
        super().__init__(id=id, cursor_type="row", zebra_stripes=False)
        self._sort, self._reverse = NAME, False
        self._filter = ""
        self._texts: dict[tuple[str, str], str] = {}
        self._order: list[str] = []
        self._layout: tuple[int, tuple[str, ...]] = (_NARROWEST_NAME, ())
        self._last: tuple[State, int] | None = None

    def on_mount(self) -> None:
        self._build()

    def on_resize(self) -> None:
        self._lay_out()

    def show(self, state: State, second: int) -> None:
        """Write what changed; ``second`` of the clock is the newest column of the trends."""
        self._last = (state, second)
        streams = [stream for stream in self._streams(state) if self._filter in stream.name.casefold()]
        streams.sort(key=lambda stream: stream.name, reverse=self._sort == NAME and self._reverse)
        if self._sort != NAME:
            streams.sort(key=self._key, reverse=self._reverse)
        order = [stream.name for stream in streams]
        if order != self._order:
            self._arrange(order)
        now_ns = nanoseconds(state.status.now) if state.status else 0
        seen = range(max(0, int(self.scroll_y)), int(self.scroll_y) + self.size.height + 1)
        for place, stream in enumerate(streams):
            texts = {
                RATE: formats.number(stream.rows_per_second) if stream.rows_per_second else "–",
                ROWS: formats.number(stream.rows),
                SEALED: formats.percent(stream.sealed_rows, stream.rows),
                ENTITIES: formats.number(stream.entities),
                WATERMARK: formats.watermark(stream.watermark_ns, now_ns),
            }
            if place in seen:
                texts[TREND] = formats.sparkline(state.trend(stream.name, _WIDTHS[TREND], second))[0]
            for column, text in texts.items():
                self._write(stream.name, column, text)
        self._title(len(order), len(self._streams(state)), state)

    def narrow(self, text: str) -> None:
        """Show the streams whose name holds this, whatever its case."""
        self._filter = text.casefold()
        self._again()

    def action_sort(self) -> None:
        self.sort_by(SORTS[(SORTS.index(self._sort) + 1) % len(SORTS)])

    def action_reverse(self) -> None:
        self._reverse = not self._reverse
        self._build()

    def sort_by(self, column: str) -> None:
        """Sort by this; figures greatest first, names in their order. Once more turns it round."""
        self._reverse = not self._reverse if column == self._sort else column != NAME
        self._sort = column
        self._build()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.post_message(StreamChosen(str(event.row_key.value)))

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        event.stop()
        if event.column_key.value in SORTS:
            self.sort_by(str(event.column_key.value))

    def _again(self) -> None:
        if self._last is not None:
            self.show(*self._last)

    def _streams(self, state: State) -> "tuple[StreamStatus, ...]":
        return state.status.streams if state.status else ()

    def _key(self, stream: "StreamStatus") -> float:
        """What streams are sorted by; by name they are already."""
        if self._sort == RATE:
            return stream.rows_per_second
        if self._sort == ROWS:
            return stream.rows
        if self._sort == ENTITIES:
            return stream.entities
        return stream.watermark_ns if stream.watermark_ns is not None else -(1 << 63)

    def _lay_out(self) -> None:
        """Columns as wide as the screen allows; where it is narrow some go."""
        fixed = sum(_WIDTHS.values()) + 2 * (len(_WIDTHS) + 1)
        left = self.size.width - fixed - 1
        dropped = 0
        while left < _NARROWEST_NAME and dropped < len(_DROPPED):
            left += _WIDTHS[_DROPPED[dropped]] + 2
            dropped += 1
        layout = (max(_NARROWEST_NAME, min(_WIDEST_NAME, left)), _DROPPED[:dropped])
        if self.size.width and layout != self._layout:
            self._layout = layout
            self._build()

    def _build(self) -> None:
        """Columns and rows anew, the cursor where it was."""
        width, dropped = self._layout
        held = self.held
        self.clear(columns=True)
        self._texts.clear()
        self._order = []
        for column, title in _TITLES.items():
            if column not in dropped:
                sorted_by = column == self._sort
                arrow = ("▼" if self._reverse else "▲") if sorted_by else ""
                label = self._cell(column, title + arrow, "bold" if sorted_by else "")
                self.add_column(label, key=column, width=width if column == NAME else _WIDTHS[column])
        self._again()
        if held in self._order:
            self.move_cursor(row=self._order.index(held))

    @property
    def held(self) -> str | None:
        """The stream that the cursor is on."""
        return self._order[self.cursor_row] if 0 <= self.cursor_row < len(self._order) else None

    def _arrange(self, order: list[str]) -> None:
        """Rows in this order, the cursor on the stream it was on."""
        held = self.held
        if set(order) != set(self._order):
            self.clear()
            self._texts.clear()
            for name in order:
                shown = _Name(formats.safe(name, self._layout[0]), no_wrap=True, end="")
                shown.stream = name
                self.add_row(shown, *[Text("")] * (len(self.columns) - 1), key=name)
        else:
            places = {name: place for place, name in enumerate(order)}
            self.sort(NAME, key=lambda cell: places[cell.stream])
        self._order = order
        if held in order:
            self.move_cursor(row=order.index(held))

    def _write(self, stream: str, column: str, text: str) -> None:
        if self._texts.get((stream, column)) != text and column in self.columns:
            self._texts[stream, column] = text
            style = self.app.theme_variables["primary"] if column == TREND else ""
            self.update_cell(stream, column, self._cell(column, text, style))

    def _cell(self, column: str, text: str, style: str = "") -> Text:
        left = column in {NAME, TREND}
        return Text(text, style=style, justify="left" if left else "right", no_wrap=True, end="")

    def _title(self, shown: int, of: int, state: State) -> None:
        title = f"Streams {of}" if shown == of else f"Streams {shown} of {of}"
        if self.border_title != title:
            self.border_title = title
        below = sealing(state) if of else "no streams yet: marigram import FILE writes one"
        if self.border_subtitle != below:
            self.border_subtitle = below


def sealing(state: State) -> str:
    """What of the server's rows is not sealed, for how long, and why if it should be."""
    if state.status is None:
        return ""
    found = state.status.sealing
    if found.failure_reason:
        return f"sealing fails: {formats.safe(found.failure_reason, 32)}"
    parts = f"{formats.number(found.parts)} parts"
    if not found.lag_rows:
        return f"all sealed · {parts}"
    since = formats.duration(int(found.lag.total_seconds()))
    return f"{formats.number(found.lag_rows)} rows not sealed for {since} · {parts}"
