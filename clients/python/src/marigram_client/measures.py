"""What a query computes.

Nulls and NaN are skipped. A measure of no values is null, counts and ranks apart, which are 0; what else is null its
function says. Where nothing is said of the unit, it is that of the column.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from typing import Literal, Self

from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.errors import InvalidArgument
from marigram_client.filters import Condition

Sketch = Literal["exponential", "kll"]
"""What quantiles of many values are read from: within a share of the value, or within a share of ranks."""
_SKETCHES = {"exponential": pb.QUANTILE_SKETCH_EXPONENTIAL, "kll": pb.QUANTILE_SKETCH_KLL}


@dataclass(frozen=True, slots=True)
class Measure:
    """One column of an answer. ``name`` is its name there; empty lets the server call it KIND_COLUMN."""

    kind: pb.MeasureKind.ValueType
    column: str = ""
    name: str = ""
    q: float = 0.0
    second_column: str = ""
    threshold: float = 0.0
    windows: int = 0
    formula: str = ""
    bounds: tuple[float, ...] = ()
    sketch: pb.QuantileSketch.ValueType = pb.QUANTILE_SKETCH_UNSPECIFIED
    filter: Condition | None = None
    filter_text: str = ""

    def where(self, *conditions: Condition | str) -> Self:
        """The same of the rows alone for which these hold too; groups stay those of the query. Not for a formula.

        Name it if the query has the same of all rows.

        >>> count(name="errors").where("status >= 500").filter_text
        'status >= 500'
        """
        typed = [] if self.filter is None else [self.filter]
        typed += [condition for condition in conditions if isinstance(condition, Condition)]
        texts = [self.filter_text] if self.filter_text else []
        texts += [condition for condition in conditions if isinstance(condition, str)]
        text = texts[0] if len(texts) == 1 else " AND ".join(f"({text})" for text in texts)
        return replace(self, filter=reduce(and_, typed) if typed else None, filter_text=text)

    def message(self) -> pb.Measure:
        """The measure as the contract has it."""
        return pb.Measure(
            kind=self.kind,
            column=self.column,
            name=self.name,
            quantile=self.q,
            second_column=self.second_column,
            threshold=self.threshold,
            count=self.windows,
            formula=self.formula,
            bounds=self.bounds,
            sketch=self.sketch,
            filter=None if self.filter is None else self.filter.message,
            filter_text=self.filter_text,
        )


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


def quantile(column: str, q: float, name: str = "", *, sketch: Sketch = "exponential") -> Measure:
    """The quantile ``q`` in [0, 1]: exact up to 256 values a group, then within 0.542 % of the value. By ``"kll"``:
    exact up to 1,024 values a group, then one of the values, whose rank is within 0.6 % of their number for 997 answers
    of 1,000; ``provenance`` says the bound of an answer.

    Named by its percentile, since a query often wants several of one column.

    >>> quantile("delay", 0.99).name
    'p99_delay'

    Raises:
        InvalidArgument: there is no such sketch.
    """
    if sketch not in _SKETCHES:
        rule = f"a sketch is one of {', '.join(_SKETCHES)}, got {sketch}"
        raise InvalidArgument(rule, reason="UNKNOWN_ENUM", field="measure.sketch")
    named = name or f"p{q * 100:.10g}_{column}"
    number = pb.QUANTILE_SKETCH_UNSPECIFIED if sketch == "exponential" else _SKETCHES[sketch]
    return Measure(pb.MEASURE_KIND_QUANTILE, column, named, q, sketch=number)


def histogram(column: str, bounds: Sequence[float] = (), name: str = "") -> Measure:
    """How many values lie in each bucket: a list of ``{lower, upper, count}``.

    By ``bounds``, ascending, at most 1,024: the values up to the first, above it up to the second, and so on, above the
    last, exact. Without bounds: the buckets of the exponential histogram that have values, each 1.09 % wide.
    """
    return Measure(pb.MEASURE_KIND_HISTOGRAM, column, name, bounds=tuple(bounds))


def cumulative_distribution(column: str, bounds: Sequence[float], name: str = "") -> Measure:
    """For each of ``bounds``, ascending, at most 1,024, the share of the values that are not above it, exact: a list of
    ``{bound, share}``; null of no values."""
    return Measure(pb.MEASURE_KIND_CUMULATIVE_DISTRIBUTION, column, name, bounds=tuple(bounds))


def box(column: str, name: str = "") -> Measure:
    """Box of a box plot (Tukey 1977): ``{min, q1, median, q3, max, lower_fence, upper_fence, lower_whisker,
    upper_whisker, outliers}``.

    Quartiles as ``quantile``; fences 1.5 (q3 - q1) outside of them; whiskers the outermost values within the fences;
    outliers the number of values outside. Exact up to 256 values a group; then min and max are exact, quartiles and
    whiskers within 0.542 %, and a value is told from a fence by its bucket.
    """
    return Measure(pb.MEASURE_KIND_BOX, column, name)


def top_k(column: str, k: int, name: str = "") -> Measure:
    """The ``k`` (1 to 1,000) most frequent values: a list of ``{value, count, error}``, the least of equally frequent
    ones first.

    Exact while a group has at most 8,192 distinct values; from there a count is at most ``error`` too high and never
    too low, and ``error`` is at most a 4,096th of the group's values.
    """
    return Measure(pb.MEASURE_KIND_TOP_K, column, name, windows=k)


def distinct(column: str, name: str = "") -> Measure:
    """Distinct values, exact; null is none of them. ``entity`` counts users or series."""
    return Measure(pb.MEASURE_KIND_DISTINCT, column, name)


def distinct_sketch(column: str, name: str = "") -> Measure:
    """Distinct values in bounded memory: exact up to 1,024 a group, then within 1.8 % for 997 answers of 1,000."""
    return Measure(pb.MEASURE_KIND_DISTINCT_SKETCH, column, name)


def mode(column: str, name: str = "") -> Measure:
    """Most frequent value, exact; of equally frequent ones the least."""
    return Measure(pb.MEASURE_KIND_MODE, column, name)


def range_(column: str, name: str = "") -> Measure:
    """Greatest value minus least; of an i64 column past 64 bits an error."""
    return Measure(pb.MEASURE_KIND_RANGE, column, name)


def variance(column: str, name: str = "") -> Measure:
    """Variance of the sample, over n - 1, in the column's unit squared; null of fewer than two values."""
    return Measure(pb.MEASURE_KIND_VARIANCE, column, name)


def standard_deviation(column: str, name: str = "") -> Measure:
    """Standard deviation of the sample, the root of ``variance``; null of fewer than two values."""
    return Measure(pb.MEASURE_KIND_STANDARD_DEVIATION, column, name)


def rate(column: str, name: str = "") -> Measure:
    """How much counters rose a second: of each entity its ``increase`` over the time that it took, all entities of the
    group together. Null where no entity has two times."""
    return Measure(pb.MEASURE_KIND_RATE, column, name)


def increase(column: str, name: str = "") -> Measure:
    """How much counters rose: of each entity from its last value before the window, if the range has one, to its last
    in it, all entities of the group together. A value below the one before is a reset to zero. Null where no entity has
    two values."""
    return Measure(pb.MEASURE_KIND_INCREASE, column, name)


def delta(column: str, name: str = "") -> Measure:
    """Last value minus first, of a gauge, which may fall; of an i64 column past 64 bits an error."""
    return Measure(pb.MEASURE_KIND_DELTA, column, name)


def derivative(column: str, name: str = "") -> Measure:
    """Change a second: slope of the values over time by least squares; null of one instant."""
    return Measure(pb.MEASURE_KIND_DERIVATIVE, column, name)


def time_weighted_mean(column: str, name: str = "") -> Measure:
    """Mean by how long each value stood: until the next of its entity in the window, the last not at all. Null where
    none stood."""
    return Measure(pb.MEASURE_KIND_TIME_WEIGHTED_MEAN, column, name)


def weighted_mean(column: str, weight: str, name: str = "") -> Measure:
    """Mean weighted by the column ``weight``, over rows that have both; null where weights come to nothing."""
    return Measure(pb.MEASURE_KIND_WEIGHTED_MEAN, column, name, second_column=weight)


def ratio(column: str, over: str, name: str = "") -> Measure:
    """Sum of the column over the sum of ``over``, never a mean of ratios, in the unit of the one by that of the other;
    null where the sum below is zero."""
    return Measure(pb.MEASURE_KIND_RATIO, column, name, second_column=over)


def rank(column: str, threshold: float, name: str = "") -> Measure:
    """How many values are not above the threshold, exact."""
    return Measure(pb.MEASURE_KIND_RANK, column, name, threshold=threshold)


def share_below(column: str, threshold: float, name: str = "") -> Measure:
    """Share of the values that are below the threshold, in [0, 1], exact."""
    return Measure(pb.MEASURE_KIND_SHARE_BELOW, column, name, threshold=threshold)


def share_of_total(column: str, name: str = "") -> Measure:
    """The group's sum over that of all groups of its window, without a unit; null where that is zero."""
    return Measure(pb.MEASURE_KIND_SHARE_OF_TOTAL, column, name)


def cumulative(column: str, name: str = "") -> Measure:
    """Running total: sum over the group's window and all before it in the range. Needs windows."""
    return Measure(pb.MEASURE_KIND_CUMULATIVE, column, name)


def moving(column: str, windows: int, name: str = "") -> Measure:
    """Moving mean: of all values in the group's window and those before it, ``windows`` (1 to 10,000) in all, never a
    mean of means. Needs windows."""
    return Measure(pb.MEASURE_KIND_MOVING, column, name, windows=windows)


def formula(text: str, name: str) -> Measure:
    """Arithmetic on other measures of the query by their names: ``formula("sum_errors / count * 100", "percent")``.

    It has ``+ - * /``, numbers, parentheses, and names in double quotes unless they are made of letters, digits and
    underscores. Formulas that it is of come before it. Null where an operand is, or where it divides by zero.
    """
    return Measure(pb.MEASURE_KIND_FORMULA, name=name, formula=text)
