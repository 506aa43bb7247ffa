"""The server at a glance: what comes in, how fast it is kept, what became of every row, and the streams."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from marigram_tui import formats
from marigram_tui.screens.frame import FrameScreen
from marigram_tui.widgets.card import Card, Trace, figure
from marigram_tui.widgets.streams import SORTS, StreamTable

if TYPE_CHECKING:
    from marigram_tui.gateway import ServerStatus
    from marigram_tui.history import History

_SPANS_S = (2, 5, 10)
"""Seconds of a column of a sparkline: the shortest that shows three minutes."""
_MINUTES_S = 180
_NEARLY_FULL = 0.8
"""Of the tail: from here on the server asks writers to slow down."""


class Overview(FrameScreen):
    """Four cards, the ledger, the streams."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("x", "explore", "explore"),
        Binding("escape", "unfilter", "all streams", show=False),
    ]

    def body(self) -> ComposeResult:
        with Horizontal(id="cards"):
            yield Card("Ingest", id="ingest")
            yield Card("Commit", id="commit")
            yield Card("Queue", id="queue")
            yield Card("Store", id="store")
        yield Static("", id="ledger")
        yield StreamTable(id="streams")
        yield Input(placeholder="part of a name · enter keeps it, escape shows all", id="filter")

    def on_mount(self) -> None:
        self.query_one("#filter").display = False
        self.query_one(StreamTable).focus()

    def crumbs(self) -> tuple[str, ...]:
        return (*super().crumbs(), "Overview")

    def note(self) -> str:
        status = self.state.status
        if status is None:
            return ""
        age = formats.duration(int((status.now - status.start_time).total_seconds()))
        return f"v{formats.safe(status.version, 16)} · up {age}"

    def commands(self) -> Iterator[tuple[str, Callable[[], None]]]:
        table = self.query_one(StreamTable)
        for column in SORTS:
            yield f"Sort streams by {column}", partial(table.sort_by, column)
        yield "Filter streams", self.action_filter
        yield "Explore metrics", self.action_explore

    def paint(self) -> None:
        super().paint()
        status = self.state.status
        if status is None:
            return
        second = int(self.home.clock.now())
        self._cards(status, second)
        width = self.query_one("#ledger").size.width
        self.query_one("#ledger", Static).update(ledger(status, width))
        self.query_one(StreamTable).show(self.state, second)

    def action_explore(self) -> None:
        from marigram_tui.explore.form import Form

        self.home.open_explorer(Form(stream=self.query_one(StreamTable).held or ""))

    def action_filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.display = True
        box.focus()

    def action_unfilter(self) -> None:
        box = self.query_one("#filter", Input)
        box.value = ""
        self._done(box)

    @on(Input.Changed, "#filter")
    def _narrow(self, event: Input.Changed) -> None:
        self.query_one(StreamTable).narrow(event.value)

    @on(Input.Submitted, "#filter")
    def _keep(self, event: Input.Submitted) -> None:
        self._done(event.input)

    def _done(self, box: Input) -> None:
        box.display = bool(box.value)
        self.query_one(StreamTable).focus()

    def _cards(self, status: "ServerStatus", second: int) -> None:
        state = self.state
        ingest, commit, queue, store = (self.query_one(f"#{name}", Card) for name in _CARDS)
        width = ingest.size.width
        tail = (status.tail_bytes, status.tail_limit_bytes)
        full = tail[0] >= _NEARLY_FULL * tail[1] > 0
        percent = f"{formats.percent(*tail)}{' !' if full else ''}"
        style = "bold $warning" if full else "bold"
        ingest.show(
            [
                figure(formats.number(status.rows_per_second), "rows/s", width),
                figure(formats.size(status.bytes_per_second), "bytes/s", width),
            ],
            trace(state.rows, second),
        )
        commit.show(
            [
                figure(formats.duration(status.commit_p50.total_seconds()), "p50", width),
                figure(formats.duration(status.commit_p99.total_seconds()), "p99", width),
            ],
            trace(state.latency, second),
        )
        queue.show(
            [
                figure(formats.size(status.queue_bytes), "waiting", width),
                figure(percent, f"tail {formats.bar(*tail, width - len(percent) - 6)}", width, style),
            ],
            trace(state.queue, second),
        )
        store.show(
            [
                figure(formats.size(status.disk_bytes), "disk", width),
                figure(formats.size(status.disk_free_bytes), "free", width),
                figure(formats.size(status.resident_bytes), "memory", width),
                figure(_queries(status), "queries", width),
            ]
        )


_CARDS = ("ingest", "commit", "queue", "store")


def trace(history: "History", second: int) -> Trace:
    """The last minutes of a figure, for as many columns as there are."""

    def values(columns: int) -> list[float]:
        span = next((span for span in _SPANS_S if span * columns >= _MINUTES_S), _SPANS_S[-1])
        return history.columns(columns, span, second)

    return values


def ledger(status: "ServerStatus", width: int) -> Content:
    """received = stored + rejected + duplicate, and whether more is taken; in shorter words where it is narrow."""
    book = status.ledger
    rejected = sum(book.rejected.values())
    received, duplicate = ("received", "duplicate") if width >= 90 else ("in", "dup")
    parts: list[tuple[str, str]] = []
    for sign, label, count, style in (
        ("", received, book.received, ""),
        (" = ", "stored", book.stored, ""),
        (" + ", "rejected", rejected, "$warning"),
        (" + ", duplicate, book.duplicate, ""),
        (" · ", "late", book.late, "$warning"),
    ):
        parts += [(sign, "$foreground 50%"), (f"{label} ", "$foreground 60%")]
        parts.append((formats.number(count), f"bold {style if count else ''}".strip()))
    verdict = ("✓ accepting", "$success") if status.accepting_writes else ("× refusing", "bold $error")
    text = Content.assemble(*parts)
    return Content.assemble(text, " " * max(2, width - len(text) - len(verdict[0])), verdict)


def _queries(status: "ServerStatus") -> str:
    waiting = f" +{status.queries_waiting} wait" if status.queries_waiting else ""
    return f"{status.queries_running} run{waiting}"
