"""Points shared out among producers, in batches."""

from collections.abc import Sequence

from bench.data import SERIES, STEP_NS, Points, narrow_points

BESIDE_STEPS = 5
BESIDE_ROWS = BESIDE_STEPS * SERIES
BESIDE_SECONDS = 0.05  # a batch: 100,000 rows a second


def split(points: Points, producers: int, batch_rows: int) -> list[list[Points]]:
    """Batches of each producer, in order of arrival. Producer k of n owns the series whose code is k modulo n.

    The last batch of a producer may be smaller than ``batch_rows``.
    """
    parts: list[list[Points]] = []
    for producer in range(producers):
        own = points.series % producers == producer
        mine = Points(points.time[own], points.series[own], points.value[own]) if producers > 1 else points
        starts = range(0, len(mine), batch_rows)
        parts.append([_slice(mine, start, start + batch_rows) for start in starts])
    return parts


def small_batches(batch_rows: int, count: int) -> list[Points]:
    """``count`` batches of ``batch_rows``, the first ones of the narrow points."""
    rows = -(-batch_rows * count // SERIES) * SERIES
    [batches] = split(narrow_points(rows), 1, batch_rows)
    return batches[:count]


def beside_batches(after_rows: int, first: int, count: int, rows: int = BESIDE_ROWS) -> Sequence[Points]:
    """``count`` batches of ``rows`` rows, later than ``after_rows`` narrow points and ``first`` such batches."""
    base = narrow_points(rows)
    begin = after_rows // SERIES * STEP_NS
    shifts = [begin + number * (rows // SERIES) * STEP_NS for number in range(first, first + count)]
    return [Points(base.time + shift, base.series, base.value) for shift in shifts]


def _slice(points: Points, start: int, end: int) -> Points:
    return Points(points.time[start:end], points.series[start:end], points.value[start:end])
