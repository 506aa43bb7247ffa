"""The metrics explorer: any question to a stream, by its fields, and the answer as lines, bars or a table."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, Static

from marigram_tui import formats
from marigram_tui.explore import choices, copying, form, grammar
from marigram_tui.explore.choices import Choice
from marigram_tui.explore.form import Form, Query
from marigram_tui.explore.grammar import Unreadable
from marigram_tui.gateway import Trouble
from marigram_tui.screens.choose import Choose
from marigram_tui.screens.copy import Copy
from marigram_tui.screens.frame import FrameScreen
from marigram_tui.widgets.complaint import Complaint, of_trouble, of_typing
from marigram_tui.widgets.form import QueryForm
from marigram_tui.widgets.result import Result
from marigram_tui.widgets.titlebar import Badge

if TYPE_CHECKING:
    from marigram_tui.explore.found import Found
    from marigram_tui.explore.kinds import MeasureKind
    from marigram_tui.questions import Schema

_SHARE = 4.0
"""A query that took this long is not asked again for this many times as long."""
_LEAST_S = 1.0
_AFTER_TROUBLE_S = 3.0


class Explorer(FrameScreen):
    """Fields above, the answer below. Enter asks; a newer question cancels the one that runs."""

    AUTO_FOCUS = "#field-measures"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back"),
        Binding("f2,ctrl+@,ctrl+space", "choose", "choose", key_display="F2"),
        Binding("f5", "ask", "ask", key_display="F5"),
        Binding("f3,t", "table", "table", key_display="F3"),
        Binding("f4,y", "copy", "copy", key_display="F4"),
        Binding("f6,f", "fields", "fields", key_display="F6"),
        Binding("e,slash", "edit", "edit", key_display="e"),
        Binding("m", "measure(1)", "measure"),
        Binding("M", "measure(-1)", "measure back", show=False),
        Binding("l", "lines(1)", "lines"),
        Binding("L", "lines(-1)", "lines back", show=False),
        Binding("space", "pause", "pause", key_display="␣"),
    ]

    def __init__(self, first: Form) -> None:
        super().__init__()
        self.found: Found | None = None
        self.complaint: Complaint | None = None
        self._first = first
        self._asked: Form | None = first if first.stream else None
        self._pending = bool(first.stream)
        self._kinds: tuple[MeasureKind, ...] = ()
        self._schemas: dict[str, Schema] = {}
        self._number = 0
        self._awaits = False
        self._paused = False
        self._next_at = 0.0
        self._stamp: object = None
        self._field = "measures"

    def body(self) -> ComposeResult:
        yield QueryForm(self._first, id="form")
        yield Static("", id="trouble")
        yield Result(id="result")
        yield Static("", id="provenance")

    def on_mount(self) -> None:
        self.query_one("#trouble").display = False

    def crumbs(self) -> tuple[str, ...]:
        return (*super().crumbs(), "Overview", "Explorer")

    def badge(self) -> Badge:
        badge = super().badge()
        return Badge.PAUSED if badge is Badge.LIVE and self._paused else badge

    def commands(self) -> Iterator[tuple[str, Callable[[], None]]]:
        yield "Ask", self.action_ask
        yield "Chart or table", self.action_table
        yield "Query as command and as Python", self.action_copy
        yield ("Go on" if self._paused else "Pause"), self.action_pause

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where letters are typed, those of the answer are no keys."""
        return not (action == "edit" and isinstance(self.focused, Input))

    def paint(self) -> None:
        super().paint()
        if self._due(self.home.clock.now()):
            self._begin()
        self._describe()

    @property
    def fields(self) -> QueryForm:
        """What can be typed."""
        return self.query_one(QueryForm)

    def action_back(self) -> None:
        """From the fields to the answer, and from there away."""
        if self.fields.chosen is None:
            self.dismiss()
            return
        self._field = self.fields.chosen
        self.query_one(Result).take_focus()

    def action_edit(self) -> None:
        self.fields.display = True
        self.fields.box(self._field).focus()

    def action_fields(self) -> None:
        if self.fields.display:
            self._field = self.fields.chosen or self._field
            self.fields.display = False
            self.query_one(Result).take_focus()
        else:
            self.action_edit()

    @on(Input.Submitted)
    def action_ask(self) -> None:
        self._asked = self.fields.form
        self._pending = True
        self._stamp = None
        self.paint()

    def action_table(self) -> None:
        result = self.query_one(Result)
        result.turn()
        if self.fields.chosen is None:
            result.take_focus()

    def action_measure(self, step: int) -> None:
        self.query_one(Result).step_measure(step)

    def action_lines(self, step: int) -> None:
        self.query_one(Result).step_lines(step)

    def action_pause(self) -> None:
        self._paused = not self._paused
        self.paint()

    def action_copy(self) -> None:
        self.run_worker(self._copy(), group="copy", exclusive=True)

    def action_choose(self) -> None:
        if self.fields.chosen is not None:
            self.run_worker(self._choose(self.fields.chosen), group="choose", exclusive=True)

    def _due(self, now: float) -> bool:
        if not self.state.live or self.state.status is None or self._asked is None:
            return False
        if self._pending:
            return True
        moved = self._stamp != self._moment(self._asked.stream)
        return moved and not self._paused and not self._awaits and now >= self._next_at

    def _moment(self, stream: str) -> object:
        """While this stays the same, so does the answer."""
        figures = self.state.stream(stream.strip())
        return (figures.rows, figures.watermark_ns) if figures else None

    def _begin(self) -> None:
        """Ask what was asked last; a query that still runs is cancelled."""
        if self._asked is None:
            return
        self._pending = False
        self._awaits = True
        self._number += 1
        self._stamp = self._moment(self._asked.stream)
        self.run_worker(self._ask(self._asked, self._number), group="ask", exclusive=True)

    async def _ask(self, asked: Form, number: int) -> None:
        clock = self.home.clock
        began = clock.now()
        pause = _LEAST_S
        try:
            query = form.read(asked, await self._known_kinds())
            found = await self.home.gateway.explore(query, query.bounds(await self._edge(query)))
            if not self.stands:
                return
            self.complaint = None
            self.found = found
            self.query_one(Result).show(found)
            pause = max(_LEAST_S, _SHARE * (clock.now() - began))
        except Unreadable as wrong:
            self.complaint = of_typing(wrong)
        except Trouble as trouble:
            self.complaint = of_trouble(trouble, asked)
            pause = _AFTER_TROUBLE_S
        finally:
            if number == self._number:
                self._awaits = False
                self._next_at = clock.now() + pause
        self._describe()

    async def _known_kinds(self) -> "tuple[MeasureKind, ...]":
        if not self._kinds:
            self._kinds = await self.home.gateway.kinds()
        return self._kinds

    async def _schema(self, stream: str) -> "Schema":
        if stream not in self._schemas:
            self._schemas[stream] = await self.home.gateway.schema(stream)
        return self._schemas[stream]

    async def _edge(self, query: Query) -> int | None:
        """The newest time worth asking for: what has come lies at most ``out_of_orderness`` behind the watermark."""
        if query.range.last is None:
            return None
        schema = await self._schema(query.stream)
        figures = self.state.stream(query.stream)
        if figures is None or figures.watermark_ns is None:
            return None
        return figures.watermark_ns + int(schema.out_of_orderness / timedelta(microseconds=1)) * 1_000

    async def _copy(self) -> None:
        """The query as it stands in the fields; one that cannot be read says so instead."""
        try:
            query = form.read(self.fields.form, await self._known_kinds())
            bounds = query.bounds(await self._edge(query))
        except Unreadable as wrong:
            self.complaint = of_typing(wrong)
        except Trouble as trouble:
            self.complaint = of_trouble(trouble, self.fields.form)
        else:
            self.complaint = None
            await self.app.push_screen(Copy(copying.shell(query, bounds), copying.python(query, bounds)))
        self._describe()

    async def _choose(self, field: str) -> None:
        self._schemas.clear()  # streams grow columns
        try:
            listed, adds = await self._choices(field)
            chosen = await self.app.push_screen_wait(Choose(field, listed))
            if chosen is not None and field == "measures":
                chosen = await self._with_columns(chosen)
        except Trouble as trouble:
            self.complaint = of_trouble(trouble, self.fields.form)
            self._describe()
            return
        if chosen is None:
            return
        box = self.fields.box(field)
        box.value = grammar.joined(box.value, chosen) if adds else chosen
        box.cursor_position = len(box.value)

    async def _choices(self, field: str) -> tuple[list[Choice], bool]:
        """What there is for a field, and whether it is added to what stands there."""
        now = self.fields.form
        status = self.state.status
        if field == "stream":
            streams = status.streams if status else ()
            return [Choice(one.name, f"{formats.number(one.rows)} rows") for one in streams], False
        if field == "measures":
            return choices.measures(await self._known_kinds()), True
        if field == "order":
            return choices.orders(now.measures, now.group, now.window, await self._known_kinds()), True
        if field == "group":
            return choices.columns((await self._schema(now.stream.strip())).columns, entity=True), True
        if field == "filter":
            listed = choices.columns((await self._schema(now.stream.strip())).columns, entity=True)
            head = f"{now.filter.strip()} AND " if now.filter.strip() else ""
            return [Choice(f"{head}{grammar.name_in_filter(one.text)} = ", one.about) for one in listed], False
        return choices.fixed(field), False

    async def _with_columns(self, word: str) -> str | None:
        """A kind with its columns, each chosen; None if one was not."""
        kind = choices.kind_of(word, self._kinds)
        if kind is None or kind.is_formula or not kind.needs_column:
            return word
        schema = await self._schema(self.fields.form.stream.strip())
        for _ in range(kind.columns):
            column = await self.app.push_screen_wait(
                Choose(f"{formats.safe(word)}: of which column", choices.columns(schema.columns, entity=True))
            )
            if column is None:
                return None
            word = f"{word}:{column}"
        return word

    def _describe(self) -> None:
        if not self.stands:
            return
        complaint = self.complaint
        box = self.query_one("#trouble", Static)
        box.display = complaint is not None
        if complaint is not None:
            box.update(complaint.shown(self.fields.form, self.size.width))
        self.fields.mark(complaint.field if complaint else "")
        line = self.query_one("#provenance", Static)
        said = self._provenance()
        if line.content != said:
            line.update(said)

    def _provenance(self) -> Content:
        parts = [described(self.found)] if self.found else []
        if self._pending:
            parts.insert(0, "waits for the connection │")
        elif self._awaits and self.found is None:
            parts.insert(0, "asking …")
        elif self._asked is None or self.fields.form != self._asked:
            parts.insert(0, "enter asks │" if parts else "enter asks · F2 chooses for a field")
        return Content.styled(" ".join(parts), "$foreground 60%")


def described(found: "Found") -> str:
    """How an answer was made, in a line."""
    made = found.made
    error = made.relative_error
    bounds = [] if error is None or not error else [f"± {error:.3%}"]
    bounds += [f"± {made.rank_error:.3%} of ranks"] if made.rank_error else []
    known = "no bound" if error is None else " ".join(bounds).replace("%", " %") or "exact"
    parts = [
        f"{found.rows:,} rows",
        made.tier,
        f"{formats.number(made.rows_scanned)} scanned",
        f"commit {made.commit:,}",
        known,
        formats.duration(made.elapsed.total_seconds()),
    ]
    parts += [f"{made.rows_unavailable:,} rows are gone"] if made.rows_unavailable else []
    return " · ".join(parts if made.complete else [*parts, "open"])
