"""Points shared out among producers, in batches."""

from bench.data import Points


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


def _slice(points: Points, start: int, end: int) -> Points:
    return Points(points.time[start:end], points.series[start:end], points.value[start:end])
