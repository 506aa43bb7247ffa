"""The last minutes of a figure."""

import math

_LATE_S = 3
"""Figures come once a second, give or take: a shorter hole is none."""


class History:
    """One value a second, in a ring of ``seconds`` places; a second without a value is NaN.

    Seconds are whole numbers of a clock that never goes back. A short hole is filled with the value after it, since
    figures that come once a second now and then skip one of ours.
    """

    def __init__(self, seconds: int = 600) -> None:
        self._places = [math.nan] * seconds
        self._newest: int | None = None

    def put(self, second: int, value: float) -> None:
        """Keep the value of this second; of two in one second, the later."""
        size = len(self._places)
        if self._newest is not None and second > self._newest:
            missed = range(max(self._newest + 1, second - size + 1), second)
            fill = value if second - self._newest <= _LATE_S else math.nan
            for place in missed:
                self._places[place % size] = fill
        self._places[second % size] = value
        self._newest = second if self._newest is None else max(second, self._newest)

    def columns(self, count: int, seconds: int, now: int) -> list[float]:
        """The greatest value of each of ``count`` spans of ``seconds``, the last holding ``now``.

        Spans are aligned to the clock, so that a column that was drawn keeps its value and moves as a whole.
        """
        if self._newest is not None and 0 <= now - self._newest <= _LATE_S:
            now = self._newest  # the figures of this second are still on their way: that is no hole
        last = now // seconds
        return [self._greatest(span * seconds, seconds) for span in range(last - count + 1, last + 1)]

    def _greatest(self, start: int, seconds: int) -> float:
        if self._newest is None:
            return math.nan
        oldest = self._newest - len(self._places) + 1
        inside = range(max(start, oldest), min(start + seconds, self._newest + 1))
        found = [value for second in inside if not math.isnan(value := self._places[second % len(self._places)])]
        return max(found, default=math.nan)
