"""One stream over time: a windowed query, asked again on the frame clock."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from marigram_tui import formats, themes
from marigram_tui.explore import grammar
from marigram_tui.gateway import Kind, Trouble
from marigram_tui.questions import ROWS, Answer, Column, Line, Measure, Question, Schema
from marigram_tui.screens.frame import FrameScreen
from marigram_tui.view import View
from marigram_tui.widgets.plot import Drawn, TimePlot, described
from marigram_tui.widgets.titlebar import Badge

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_LINES = len(themes.LINES)
_SHARE = 4.0
"""A query that took this long is not asked again for this many times as long."""
_LEAST_S = 0.25
_AFTER_TROUBLE_S = 3.0
_SCHEMA_S = 15.0
_MEMBERS_S = 5.0
_PREFERRED: dict[str, Measure] = {"f64": "mean", "i64": "mean"}


class Chart(FrameScreen):
    """A stream's chart. Right is newest: the watermark and what has come behind it, not the clock on the wall."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back"),
        Binding("space", "pause", "pause", key_display="␣"),
        Binding("c", "column(1)", "column"),
        Binding("C", "column(-1)", "column back", show=False),
        Binding("m", "measure(1)", "measure"),
        Binding("M", "measure(-1)", "measure back", show=False),
        Binding("g", "group(1)", "group"),
        Binding("G", "group(-1)", "group back", show=False),
        Binding("x", "explore", "explore", show=False),
        Binding("left_square_bracket", "zoom(-1)", "range", key_display="[ ]"),
        Binding("right_square_bracket", "zoom(1)", "longer", show=False),
        Binding("minus,comma", "width(-1)", "window", key_display="- +"),
        Binding("plus,equals_sign,full_stop", "width(1)", "wider", show=False),
        Binding("a", "automatic", "range and window by themselves", show=False),
        Binding("left,h", "pan(-1)", "earlier", show=False),
        Binding("right,l", "pan(1)", "later", show=False),
        Binding("end,0", "live", "newest", show=False),
    ]

    def __init__(self, stream: str, column: str | None = None) -> None:
        super().__init__()
        self.stream = stream
        self.view = View()
        self.schema: Schema | None = None
        self.answer: Answer | None = None
        self.trouble: Trouble | None = None
        self._wanted = column
        self._place = 0
        self._measure: Measure = "count"
        self._group: str | None = None
        self._members: tuple[str, ...] = ()
        self._members_at = self._schema_at = -1e9
        self._asking = False
        self._next_at = 0.0
        self._asked: object = None
        self._hurry = False
        self._told_ns: int | None = None
        self._watermark_ns: int | None = None

    def body(self) -> ComposeResult:
        yield Static("", id="question")
        yield TimePlot(id="plot")
        yield Static("", id="trouble")
        yield Static("", id="legend")
        yield Static("", id="provenance")

    def on_mount(self) -> None:
        self.query_one("#trouble").display = False

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def crumbs(self) -> tuple[str, ...]:
        return (*super().crumbs(), "Overview", formats.safe(self.stream, 40))

    def badge(self) -> Badge:
        badge = super().badge()
        return Badge.PAUSED if badge is Badge.LIVE and self.view.paused else badge

    def note(self) -> str:
        figures = self.state.stream(self.stream)
        return f"{formats.number(figures.rows_per_second)} rows/s" if figures else ""

    def commands(self) -> Iterator[tuple[str, Callable[[], None]]]:
        yield ("Go on" if self.view.paused else "Pause"), self.action_pause
        yield "Range and window by themselves", self.action_automatic
        yield "Explore from here", self.action_explore
        for place, column in enumerate(self.schema.columns if self.schema else ()):
            yield f"Draw {formats.safe(column.name) or 'rows'}", partial(self._choose, place)

    def paint(self) -> None:
        super().paint()
        now = self.home.clock.now()
        if self._due(now):
            self._asking = True
            self.run_worker(self._ask(), group="ask")
        self._describe()

    @property
    def column(self) -> Column:
        """The column that is drawn."""
        return self.schema.columns[self._place] if self.schema else Column(ROWS, "rows")

    def action_back(self) -> None:
        self.dismiss()

    def action_pause(self) -> None:
        edge = self._edge()
        if edge is not None:
            self.view.pause(edge)
            self._changed()

    def action_live(self) -> None:
        self.view.end_ns = None
        self._changed()

    def action_pan(self, quarters: int) -> None:
        edge = self._edge()
        if edge is not None:
            self.view.pan(quarters, edge)
            self._changed()

    def action_zoom(self, steps: int) -> None:
        self.view.zoom(steps)
        self._changed()

    def action_width(self, steps: int) -> None:
        self.view.resize(steps, self.query_one(TimePlot).columns)
        self._changed()

    def action_automatic(self) -> None:
        self.view = View(end_ns=self.view.end_ns)
        self._changed()

    def action_column(self, step: int) -> None:
        if self.schema:
            self._choose((self._place + step) % len(self.schema.columns))

    def action_measure(self, step: int) -> None:
        measures = self.column.measures
        self._measure = measures[(measures.index(self._measure) + step) % len(measures)]
        self._changed()

    def action_group(self, step: int) -> None:
        if self.schema:
            choices = (None, *self.schema.groups)
            place = choices.index(self._group) if self._group in choices else 0
            self._group = choices[(place + step) % len(choices)]
            self._members, self._members_at = (), -1e9
            self._changed()

    def action_explore(self) -> None:
        """The same question, with all that there is to change of it."""
        from marigram_tui.explore.form import Form

        width_s = self.view.width(self.query_one(TimePlot).columns).total_seconds()
        self.home.open_explorer(
            Form(
                stream=self.stream,
                range=formats.length(self.view.range_s),
                measures="count" if self.column.name == ROWS else typed(self._measure, self.column.name),
                group=grammar.joined("", self._group) if self._group else "",
                window=formats.length(int(width_s)),
            )
        )

    def _choose(self, place: int) -> None:
        self._place = place
        column = self.column
        if self._measure not in column.measures or column.name == ROWS:
            self._measure = _PREFERRED.get(column.type, column.measures[0])
        self._changed()

    def _changed(self) -> None:
        """Something was chosen: ask at once, or as soon as the query that runs has ended."""
        self._next_at = 0.0
        self._hurry = True
        self.paint()

    def _due(self, now: float) -> bool:
        if self._asking or now < self._next_at or not self.state.live:
            return False
        figures = self.state.stream(self.stream)
        moving = figures is not None and figures.rows_per_second > 0 and not self.view.paused
        return moving or self._asked != self._stamp()

    def _stamp(self) -> object:
        """While this stays the same, so does the answer."""
        figures = self.state.stream(self.stream)
        return (
            self._place, self._measure, self._group, self.view.range_place, self.view.width_s, self.view.end_ns,
            self.query_one(TimePlot).columns, (figures.rows, figures.watermark_ns) if figures else None,
            self.state.status is not None,
        )  # fmt: skip

    async def _ask(self) -> None:
        clock = self.home.clock
        began = clock.now()
        self._hurry = False
        try:
            await self._learn(began)
            stamp = self._stamp()
            question = self._question()
            if question is None:
                self._asked = stamp
                return
            if question.group is not None and began - self._members_at >= _MEMBERS_S:
                self._members = await self.home.gateway.members(question, MOST_LINES)
                self._members_at = began
                question = self._question() or question
            answer = await self.home.gateway.ask(question)
            self.trouble = None
            self._asked = stamp
            self.answer = answer
            if answer.watermark_ns is not None and (self._watermark_ns or answer.watermark_ns) <= answer.watermark_ns:
                self._watermark_ns = answer.watermark_ns
            if question.group is None and self.view.adapt(self.state.pace(self.stream), self._points(answer)):
                self._asked = None
            self._draw()
            if not self._hurry:
                self._next_at = began + max(_LEAST_S, _SHARE * (clock.now() - began))
        except Trouble as trouble:
            self.trouble = trouble if trouble.kind is not Kind.LOST else None
            self._asked = None
            self._next_at = clock.now() + _AFTER_TROUBLE_S
        finally:
            self._asking = False

    def _points(self, answer: Answer) -> int | None:
        """Windows of an answer; None if it has all rows of the stream, so that a longer range would add nothing."""
        figures = self.state.stream(self.stream)
        if figures is None or answer.rows_matched >= figures.rows:
            return None
        return max((len(line.values) for line in answer.lines), default=0)

    async def _learn(self, now: float) -> None:
        """The schema, now and then anew, since streams grow columns."""
        if now - self._schema_at < _SCHEMA_S:
            return
        name = self._wanted or (self.column.name if self.schema else None)
        self.schema = await self.home.gateway.schema(self.stream)
        self._schema_at = now
        names = [column.name for column in self.schema.columns]
        place = names.index(name) if name in names else 0
        fresh = self._wanted is not None or self.column.name != name
        self._wanted = None
        self._place = place
        if fresh or self._measure not in self.column.measures:
            self._measure = _PREFERRED.get(self.column.type, self.column.measures[0])

    def _edge(self) -> int | None:
        """The newest time worth showing: what has come lies at most ``out_of_orderness`` behind the watermark."""
        figures = self.state.stream(self.stream)
        told = figures.watermark_ns if figures else None
        if told is not None and self._told_ns is not None and told < self._told_ns:
            self._watermark_ns = None  # watermarks never fall: this is another stream of the same name
        self._told_ns = told
        known = [time for time in (told, self._watermark_ns) if time is not None]
        if not known or self.schema is None:
            return None
        return max(known) + int(self.schema.out_of_orderness / timedelta(microseconds=1)) * 1_000

    def _question(self) -> Question | None:
        edge = self._edge()
        if edge is None:
            return None
        columns = self.query_one(TimePlot).columns
        start, end = self.view.span(edge, columns)
        width = self.view.width(columns)
        return Question(self.stream, self.column, self._measure, width, start, end, self._group, self._members)

    def _draw(self) -> None:
        answer = self.answer
        if answer is None or not self.is_mounted:
            return
        question = answer.question
        colours = self.app.theme_variables
        drawn = []
        for place, line in enumerate(answer.lines):
            x, y = points(line, question)
            colour = themes.LINES[place] if question.group else colours["primary"]
            drawn.append(Drawn(x, y, colour, chr(ord("a") + place) if question.group else ""))
        settled = answer.watermark_ns / formats.SECOND_NS if answer.watermark_ns is not None else None
        width = question.width.total_seconds()
        if settled is not None:
            settled = settled // width * width
        self.query_one(TimePlot).show(
            drawn,
            (question.start_ns / formats.SECOND_NS, question.end_ns / formats.SECOND_NS),
            settled,
            from_zero=question.measure in {"count", "distinct", "sum", "rate", "increase", "standard deviation"},
            muted=colours["secondary"],
        )

    def _describe(self) -> None:
        self._say("#question", self._asking_line())
        self._say("#legend", self._legend())
        self._say("#provenance", self._provenance())
        trouble = self._trouble()
        self.query_one("#trouble").display = bool(trouble)
        self._say("#trouble", Content(trouble))

    def _say(self, where: str, text: Content) -> None:
        line = self.query_one(where, Static)
        if line.content != text:
            line.update(text)

    def _asking_line(self) -> Content:
        view, columns = self.view, self.query_one(TimePlot).columns
        width_s = view.width(columns).total_seconds()
        width = formats.duration(width_s)
        length = formats.duration(view.range_s)
        column = self.column
        unit = "" if self._measure in {"count", "distinct"} else formats.safe(column.unit, 12)
        if self._measure == "rate":
            unit = f"{unit or '1'}/s"
        unit = f" ({unit})" if unit else ""
        what = "rows" if column.name == ROWS else f"{self._measure} of {formats.safe(column.name, 28)}{unit}"
        parts: list[tuple[str, str] | str] = [(what, "bold $accent")]
        if self._group is not None:
            parts += [("  by ", "$foreground 60%"), (formats.safe(self._group, 20), "bold")]
        parts += [("  per ", "$foreground 60%"), (width, "bold"), ("  over ", "$foreground 60%"), (length, "bold")]
        span = self.answer.question if self.answer else None
        if span is not None:
            until = formats.moment(span.end_ns)
            until = until if width_s < 60 else f"{until[:-4]}Z"
            parts += [("  until ", "$foreground 60%"), (until, "bold")]
        return Content.assemble(*parts)

    def _legend(self) -> Content:
        answer = self.answer
        if answer is None:
            return Content("")
        if answer.question.group is None:
            lines = answer.lines
            return Content(described(lines[0].values) if lines and len(lines[0].values) else "no rows in this range")
        parts: list[tuple[str, str] | str] = []
        room = max(6, self.size.width // MOST_LINES - 14)
        for place, line in enumerate(answer.lines):
            newest = formats.number(float(line.values[-1])) if len(line.values) else "–"
            letter = chr(ord("a") + place)
            parts += [
                (f"{letter} ", f"bold {themes.LINES[place]}"),
                (formats.safe(line.label, room), themes.LINES[place]),
                f" {newest}   ",
            ]
        nothing = f"no values of {formats.safe(answer.question.group)} in this range"
        return Content.assemble(*parts) if parts else Content(nothing)

    def _provenance(self) -> Content:
        answer = self.answer
        if answer is None:
            return Content.styled("" if self.trouble else "asking …", "$foreground 60%")
        bound = f"± {answer.relative_error:.3%}".replace("%", " %") if answer.relative_error else "exact"
        parts = [
            f"{formats.number(answer.rows_scanned)} rows scanned",
            f"commit {answer.commit:,}",
            formats.duration(answer.elapsed.total_seconds()),
            bound,
        ]
        if answer.watermark_ns is not None:
            parts.append(f"│ settled {formats.moment(answer.watermark_ns)[11:]}")
        return Content.styled(" · ".join(parts), "$foreground 60%")

    def _trouble(self) -> str:
        if self.trouble is not None:
            text = f"! {self.trouble.kind.value}: {formats.safe(self.trouble.why, 200)}"
            return f"{text}\n{self.trouble.advice}" if self.trouble.advice else text
        if self.state.live and self.state.status is not None and self.state.stream(self.stream) is None:
            return "! this stream has no rows, or is gone"
        return ""


def typed(measure: Measure, column: str) -> str:
    """A measure of the chart in the explorer's words."""
    return grammar.joined("", f"{measure.replace(' ', '_')}:{column}")


def points(line: Line, question: Question) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Middles of windows (seconds), as far as they lie in the range, and values; windows without rows count 0."""
    width_ns = int(question.width / timedelta(microseconds=1)) * 1_000
    starts, values = line.starts_ns, line.values
    if question.measure == "count" and len(starts) > 1:
        every = np.arange(starts[0], starts[-1] + width_ns, width_ns)
        filled = np.zeros(len(every))
        filled[(starts - starts[0]) // width_ns] = values
        starts, values = every, filled
    middles = (starts + np.minimum(starts + width_ns, question.end_ns)) / 2
    return middles / formats.SECOND_NS, values
