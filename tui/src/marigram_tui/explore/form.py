"""The fields of the explorer as they were typed, and the query that they mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from marigram_tui.explore import grammar
from marigram_tui.explore.calls import Call
from marigram_tui.explore.grammar import Range, Unreadable
from marigram_tui.explore.kinds import MeasureKind

_LEAST_NS = -(2**63)


@dataclass(frozen=True, slots=True)
class Form:
    """What stands in the fields, in the words of ``marigram query``."""

    stream: str = ""
    range: str = "7d"
    measures: str = "count"
    group: str = ""
    window: str = "1h"
    filter: str = ""
    fill: str = ""
    compare: str = ""
    order: str = ""
    top: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A question to the server, but for when its range ends. ``names`` are those of the measures in the answer,
    ``group`` those of the keys."""

    stream: str
    measures: tuple[Call, ...]
    names: tuple[str, ...]
    typed: tuple[str, ...]
    group: tuple[str, ...]
    keys: tuple[Call | str, ...]
    keys_typed: tuple[str, ...]
    window: Call | None
    range: Range
    filter: str
    fill: str | float | None
    compare: str | None
    order: tuple[str, ...]
    top: int
    other: bool
    window_text: str

    def bounds(self, edge_ns: int | None) -> tuple["int | str | None", "int | str | None"]:
        """``[start, end)`` if ``edge_ns`` is the newest time of the stream, in Unix nanoseconds or as typed.

        The last hours begin where a window does, so that the first window is as full as the others.

        Raises:
            Unreadable: the range is up to the newest time, and there is none.
        """
        if self.range.last is None:
            return self.range.start, self.range.end
        if edge_ns is None:
            raise Unreadable("range", "the stream has no rows yet, so that nothing is the last of it")
        start, width = edge_ns - _nanoseconds(self.range.last), self._width()
        if width is not None and width < self.range.last:
            start -= start % _nanoseconds(width)
        if start < _LEAST_NS:
            raise Unreadable("range", f"must not go back to before 1677, got {self.range.last.days:,} days")
        return start, edge_ns + 1

    def _width(self) -> timedelta | None:
        if self.window is None or self.window.function not in {"tumbling", "hopping"}:
            return None
        return grammar.length(self.window_text.rpartition("/")[2], "window")


def read(form: Form, kinds: Sequence[MeasureKind]) -> Query:
    """The query that these fields mean.

    Raises:
        Unreadable: one of them means nothing.
    """
    if not form.stream.strip():
        raise Unreadable("stream", "must be the name of a stream")
    typed = tuple(grammar.items(form.measures))
    if not typed:
        raise Unreadable("measures", "must be at least one, such as count or mean:COLUMN")
    found = [grammar.measure(text, kinds) for text in typed]
    keys_typed = tuple(grammar.items(form.group))
    keys = [grammar.key(text) for text in keys_typed]
    top, other = grammar.top(form.top.strip())
    names = tuple(name for _, name in found)
    order = tuple(grammar.items(form.order))
    return Query(
        form.stream.strip(),
        tuple(call for call, _ in found),
        names,
        typed,
        tuple(name for _, name in keys),
        tuple(key for key, _ in keys),
        keys_typed,
        grammar.window(form.window.strip()),
        grammar.span(form.range.strip()),
        form.filter.strip(),
        grammar.fill(form.fill.strip()),
        grammar.period(form.compare.strip()),
        order or ((f"-{names[0]}",) if top else ()),
        top,
        other,
        form.window.strip(),
    )


def _nanoseconds(length: timedelta) -> int:
    return int(length / timedelta(microseconds=1)) * 1_000
