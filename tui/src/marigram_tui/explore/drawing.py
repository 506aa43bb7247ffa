"""Lines of an answer: of one measure, by group, the greatest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from marigram_tui import formats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marigram_tui.explore.found import Found

_BEFORE = "_before"


@dataclass(frozen=True, slots=True)
class Series:
    """Seconds since 1970, ascending, and values. ``label`` is foreign text."""

    label: str
    x: "NDArray[np.float64]"
    y: "NDArray[np.float64]"


def series(found: "Found", name: str) -> list[Series]:
    """A line a group, the one with the greatest sum of magnitudes first; without groups, what was before beside it."""
    if found.starts_ns is None or name not in found.values:
        return []
    x = found.starts_ns / formats.SECOND_NS
    if not found.query.group:
        names = [name, f"{name}{_BEFORE}"]
        return [_ordered(one if one != name or names[1] in found.values else "", x, found.values[one]) for one in names
                if one in found.values]  # fmt: skip
    places: dict[str, list[int]] = {}
    for place, label in enumerate(found.labels):
        places.setdefault(label, []).append(place)
    values = found.values[name]
    lines = [_ordered(label, x[of], values[of]) for label, of in places.items()]
    return sorted(lines, key=lambda line: -float(np.nansum(np.abs(line.y))))


def extent(found: "Found", lines: Sequence[Series]) -> tuple[float, float]:
    """First and last second of a chart: those of the range, or of what there is."""
    start, end = found.bounds
    first = min((float(line.x[0]) for line in lines if len(line.x)), default=0.0)
    last = max((float(line.x[-1]) for line in lines if len(line.x)), default=1.0)
    first = min(first, start / formats.SECOND_NS) if isinstance(start, int) else first
    last = max(last, end / formats.SECOND_NS) if isinstance(end, int) else last
    return first, last if last > first else first + 1


def _ordered(label: str, x: "NDArray[np.float64]", y: "NDArray[np.float64]") -> Series:
    order = np.argsort(x, kind="stable")
    return Series(label, x[order], y[order])
