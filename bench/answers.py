"""What a contender says about the rows it took, and whether two of them say the same."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from bench.data import SERIES, Points

MINUTE_NS = 60_000_000_000
# Float sums depend on their order. Ours is within 2^-50 of the sum of magnitudes, a compensated peer within 2^-52.
SUM_TOLERANCE = 2.0**-49
# Plain sums of many millions of doubles, in whatever order: each is off by some hundreds of units in the last place.
PLAIN_SUM_TOLERANCE = 1e-11
# Means of at most a few thousand values, against the greatest of all numbers that are compared with them.
MEAN_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Answers:
    """Answers about points.

    Attributes:
        count: rows.
        total, least, greatest: sum, minimum and maximum of the values.
        magnitude: sum of the absolute values, on which the sum's tolerance rests.
        by_series: rows of each series, by its code.
        by_minute: rows of each minute that has any, ascending.
        minutes: those minutes' starts, Unix nanoseconds.
    """

    count: int
    total: float
    least: float
    greatest: float
    magnitude: float
    by_series: list[int]
    by_minute: list[int]
    minutes: list[int]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a pipe."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """The opposite of ``to_json``."""
        return cls(**plain)


@dataclass(frozen=True)
class Replies:
    """Replies to questions that were timed.

    Attributes:
        rows: the rows of all replies, one after the other. Integers and texts are compared exactly, floats within
            the tolerance.
        tolerance: of floats, against the greatest of all numbers; the wider of two replies counts.
    """

    rows: Sequence[Sequence[Any]]
    tolerance: float = MEAN_TOLERANCE


def of_points(points: Points) -> Answers:
    """What must be answered about these points."""
    minutes, by_minute = np.unique(points.time // MINUTE_NS * MINUTE_NS, return_counts=True)
    return Answers(
        count=len(points),
        total=math.fsum(points.value),
        least=float(points.value.min()),
        greatest=float(points.value.max()),
        magnitude=math.fsum(np.abs(points.value)),
        by_series=np.bincount(points.series, minlength=SERIES).tolist(),
        by_minute=by_minute.tolist(),
        minutes=minutes.tolist(),
    )


def disagreements(ours: Answers | Replies, theirs: Answers | Replies) -> list[str]:
    """Where two contenders differ, in words; empty when they agree."""
    if isinstance(ours, Replies) or isinstance(theirs, Replies):
        if isinstance(ours, Replies) and isinstance(theirs, Replies):
            return _different_rows(ours.rows, theirs.rows, max(ours.tolerance, theirs.tolerance))
        return [f"answers: {type(ours).__name__} against {type(theirs).__name__}"]
    found: list[str] = []
    for name in ("count", "least", "greatest"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        if mine != other:
            found.append(f"{name}: {mine!r} against {other!r}")
    bound = SUM_TOLERANCE * max(ours.magnitude, theirs.magnitude)
    if not abs(ours.total - theirs.total) <= bound:
        found.append(f"total: {ours.total!r} against {theirs.total!r}, further apart than {bound:.3g}")
    for name in ("by_series", "minutes", "by_minute"):
        found += _first_difference(name, getattr(ours, name), getattr(theirs, name))
    return found


def _first_difference(name: str, ours: list[int], theirs: list[int]) -> list[str]:
    if len(ours) != len(theirs):
        return [f"{name}: {len(ours)} entries against {len(theirs)}"]
    for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        if mine != other:
            return [f"{name}[{index}]: {mine} against {other}"]
    return []


def _different_rows(ours: Sequence[Sequence[Any]], theirs: Sequence[Sequence[Any]], tolerance: float) -> list[str]:
    if len(ours) != len(theirs):
        return [f"rows: {len(ours)} against {len(theirs)}"]
    floats = [abs(number) for row in (*ours, *theirs) for number in row if isinstance(number, float)]
    bound = tolerance * max(floats, default=0.0)
    for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        if len(mine) != len(other) or not all(map(_close, mine, other, [bound] * len(mine))):
            return [f"rows[{index}]: {list(mine)} against {list(other)}"]
    return []


def _close(mine: Any, other: Any, bound: float) -> bool:
    if isinstance(mine, float) and isinstance(other, float):
        return abs(mine - other) <= bound
    return type(mine) is type(other) and bool(mine == other)
