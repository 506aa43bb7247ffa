"""Which part of time a chart shows, and in windows of which width."""

from dataclasses import dataclass
from datetime import timedelta

from marigram_tui.formats import SECOND_NS

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
RANGES_S = (
    _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 3 * _DAY, 7 * _DAY, 28 * _DAY,
    91 * _DAY, 364 * _DAY, 1_820 * _DAY, 3_640 * _DAY,
)  # fmt: skip
WIDTHS_S = (
    1, 2, 5, 10, 15, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR,
    3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 28 * _DAY, 91 * _DAY, 364 * _DAY,
)  # fmt: skip
MOST_WINDOWS = 2_000
FEWEST_POINTS = 20
"""A range that nobody chose is widened until it has so many."""
CROSSING_S = 60
"""And until what is new takes at least so long from the right edge to the left."""
_FIRST = RANGES_S.index(15 * _MINUTE)


@dataclass(slots=True)
class View:
    """The chosen range and width; ``end_ns`` is where time stands still, None while it runs."""

    range_place: int = _FIRST
    chosen: bool = False
    width_s: int | None = None
    end_ns: int | None = None

    @property
    def range_s(self) -> int:
        """Length of the range."""
        return RANGES_S[self.range_place]

    @property
    def paused(self) -> bool:
        """Time stands still."""
        return self.end_ns is not None

    def width(self, columns: int) -> timedelta:
        """Width of the windows, by itself so that there are one or two for each column of the plot."""
        return timedelta(seconds=self.width_s or self._fitting(columns))

    def span(self, edge_ns: int, columns: int) -> tuple[int, int]:
        """``[start, end)`` in Unix nanoseconds, beginning on a window; ``edge_ns`` is the newest time there is."""
        end_ns = self.end_ns if self.end_ns is not None else edge_ns
        width_ns = int(self.width(columns).total_seconds()) * SECOND_NS
        start_ns = (end_ns - self.range_s * SECOND_NS) // width_ns * width_ns
        return start_ns, end_ns + 1

    def zoom(self, steps: int) -> None:
        """A longer range (above 0) or a shorter one. A width that would make too many windows is let go."""
        self.range_place = min(len(RANGES_S) - 1, max(0, self.range_place + steps))
        self.chosen = True
        if self.width_s is not None and not self._possible(self.width_s):
            self.width_s = None

    def resize(self, steps: int, columns: int) -> None:
        """Wider windows (above 0) or narrower ones, as far as the range allows."""
        now = self.width_s or self._fitting(columns)
        place = WIDTHS_S.index(now) + steps
        if 0 <= place < len(WIDTHS_S) and self._possible(WIDTHS_S[place]):
            self.width_s = WIDTHS_S[place]

    def pause(self, edge_ns: int) -> None:
        """Time stands still here, or runs again."""
        self.end_ns = None if self.paused else edge_ns

    def pan(self, quarters: int, edge_ns: int) -> None:
        """Back (below 0) or forth by quarters of the range; time then stands still, and runs again at the edge."""
        end_ns = (self.end_ns if self.end_ns is not None else edge_ns) + quarters * self.range_s * SECOND_NS // 4
        self.end_ns = end_ns if end_ns < edge_ns else None

    def adapt(self, pace: float, points: int | None) -> bool:
        """Widen a range that nobody chose; whether it did.

        Args:
            pace: seconds of event time that pass in one of ours, as in a replay.
            points: windows of the last answer, None if a longer range would have no more.
        """
        if self.chosen or self.paused or self.range_place + 1 >= len(RANGES_S):
            return False
        if self.range_s < CROSSING_S * pace or (points is not None and points < FEWEST_POINTS):
            self.range_place += 1
            return True
        return False

    def _fitting(self, columns: int) -> int:
        most = 2 * max(20, columns)
        return next((width for width in WIDTHS_S if self.range_s <= width * most), WIDTHS_S[-1])

    def _possible(self, width: int) -> bool:
        return 2 * width <= self.range_s <= MOST_WINDOWS * width
