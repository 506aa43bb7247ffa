"""What a query computes and over which windows."""

from dataclasses import dataclass
from datetime import timedelta

from marigram_client import times
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Measure:
    """One column of an answer. ``name`` is its name there; empty lets the server call it KIND_COLUMN."""

    kind: pb.MeasureKind.ValueType
    column: str = ""
    name: str = ""
    q: float = 0.0

    def message(self) -> pb.Measure:
        """The measure as the contract has it."""
        return pb.Measure(kind=self.kind, column=self.column, name=self.name, quantile=self.q)


@dataclass(frozen=True, slots=True)
class Window:
    """How event time is cut. Make one with ``tumbling`` or ``whole``."""

    message: pb.Window


@dataclass(frozen=True, slots=True)
class Order:
    """One key of an order. Nulls come last either way."""

    column: str
    descending: bool = False

    def message(self) -> pb.OrderBy:
        """The key as the contract has it."""
        return pb.OrderBy(column=self.column, descending=self.descending)


def tumbling(
    width: timedelta | None = None,
    *,
    weeks: float = 0,
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    seconds: float = 0,
) -> Window:
    """Equal windows side by side, aligned to the Unix epoch: ``tumbling(minutes=5)`` or
    ``tumbling(timedelta(days=7))``.

    Raises:
        InvalidArgument: the width is not positive; microseconds are the least.
    """
    length = (width or timedelta()) + timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    if length <= timedelta():
        message = f"width must be positive, got {length.total_seconds():g} s"
        raise InvalidArgument(message, reason="NOT_POSITIVE", field="window.tumbling.width")
    return Window(pb.Window(tumbling=pb.TumblingWindow(width=times.duration(length))))


def whole() -> Window:
    """One window over the whole range, which is also what a query without a window has."""
    return Window(pb.Window(whole=pb.WholeWindow()))


def count(column: str = "", name: str = "") -> Measure:
    """Rows; with a column, its values that are neither null nor NaN."""
    return Measure(pb.MEASURE_KIND_COUNT, column, name)


def sum_(column: str, name: str = "") -> Measure:
    """Sum of the values; an i64 column sums to i64, and past 64 bits to an error."""
    return Measure(pb.MEASURE_KIND_SUM, column, name)


def mean(column: str, name: str = "") -> Measure:
    """Arithmetic mean."""
    return Measure(pb.MEASURE_KIND_MEAN, column, name)


def min_(column: str, name: str = "") -> Measure:
    """Least value."""
    return Measure(pb.MEASURE_KIND_MIN, column, name)


def max_(column: str, name: str = "") -> Measure:
    """Greatest value."""
    return Measure(pb.MEASURE_KIND_MAX, column, name)


def first(column: str, name: str = "") -> Measure:
    """Value at the least time."""
    return Measure(pb.MEASURE_KIND_FIRST, column, name)


def last(column: str, name: str = "") -> Measure:
    """Value at the greatest time."""
    return Measure(pb.MEASURE_KIND_LAST, column, name)


def quantile(column: str, q: float, name: str = "") -> Measure:
    """The quantile ``q`` in [0, 1]: exact up to 256 values a group, then within 0.542 % of the value.

    Named by its percentile, since a query often wants several of one column.

    >>> quantile("delay", 0.99).name
    'p99_delay'
    """
    return Measure(pb.MEASURE_KIND_QUANTILE, column, name or f"p{q * 100:.10g}_{column}", q)


def distinct(column: str, name: str = "") -> Measure:
    """Distinct values, exact; null is none of them. ``entity`` counts users or series."""
    return Measure(pb.MEASURE_KIND_DISTINCT, column, name)


def ascending(column: str) -> Order:
    """Least first."""
    return Order(column)


def descending(column: str) -> Order:
    """Greatest first."""
    return Order(column, descending=True)
