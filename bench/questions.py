"""What is asked of everybody: small questions about one series, the same ones in the same order, and large ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.data import SEED, SERIES, START_NS, STEP_NS

Kind = Literal["lookup", "hour"]
# Of a store that was filled once. "check": of each series count, least, greatest and mean of the points; of each host
# rows and the sums of its metrics; of each type of event rows, users and countries. "minutes": mean and greatest
# usage_user of all hosts by the minute. "sum": of all points. "hour": a Question. "lastpoint": of each host its newest
# metrics.
What = Literal["check", "minutes", "sum", "hour", "lastpoint"]
LOOKUP_NS = 10_000_000_000
MINUTE_NS = 60_000_000_000
HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True)
class Question:
    """Count, least, greatest of a series between two instants, and its newest value or, by the minute, its mean.

    Attributes:
        series: its code.
        start_ns, end_ns: Unix nanoseconds, half-open.
        by_minute: a row for each minute that has any, its start first; else one row for the whole.
    """

    series: int
    start_ns: int
    end_ns: int
    by_minute: bool


def questions(kind: Kind, count: int, rows: int) -> Sequence[Question]:
    """``count`` questions about a store of ``rows`` narrow points: ``lookup`` takes ten seconds of a series anywhere in
    them, ``hour`` the first hour, or all of them if they are fewer. No row that is later changes an answer."""
    random = np.random.default_rng(SEED)
    series = random.integers(0, SERIES, count).tolist()
    begin = START_NS - STEP_NS // 2  # between two steps, whatever their jitter
    length = rows // SERIES * STEP_NS
    if kind == "hour":
        return [Question(code, begin, begin + min(HOUR_NS, length), by_minute=True) for code in series]
    starts = (begin + random.integers(0, max(1, length - LOOKUP_NS), count)).tolist()
    return [
        Question(code, start, start + LOOKUP_NS, by_minute=False) for code, start in zip(series, starts, strict=True)
    ]


def hours(count: int, rows: int) -> Sequence[Question]:
    """``count`` questions about ``rows`` narrow points: an hour of a series by the minute, beginning at any second but
    those that leave a single point in the first or last minute, of which VictoriaMetrics makes no window; all of them
    where they are fewer than an hour."""
    random = np.random.default_rng(SEED)
    series = random.integers(0, SERIES, count).tolist()
    steps = rows // SERIES
    length = min(HOUR_NS // STEP_NS, steps)
    starts = random.integers(0, steps - length + 1, count)
    steps_before = (START_NS + starts * STEP_NS) % MINUTE_NS // STEP_NS
    lonely = (steps_before == 1) | (steps_before == MINUTE_NS // STEP_NS - 1)
    starts = np.where(lonely & (starts > 2), starts - 3, starts).tolist()
    begin = START_NS - STEP_NS // 2
    return [
        Question(code, begin + start * STEP_NS, begin + (start + length) * STEP_NS, by_minute=True)
        for code, start in zip(series, starts, strict=True)
    ]


def mixed_questions(count: int, rows: int) -> Sequence[Question]:
    """``count`` lookups and hours in turn."""
    pairs = zip(questions("lookup", count, rows), questions("hour", count, rows), strict=True)
    return [pair[number % 2] for number, pair in enumerate(pairs)]
