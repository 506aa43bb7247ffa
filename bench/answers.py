"""What a contender says about the rows it took, and whether two of them say the same."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

# Float sums depend on their order. Ours is within 2^-50 of the sum of magnitudes, a compensated peer within 2^-52.
SUM_TOLERANCE = 2.0**-49


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


def disagreements(ours: Answers, theirs: Answers) -> list[str]:
    """Where two contenders differ, in words; empty when they agree."""
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
