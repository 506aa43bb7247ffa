"""Lines over time."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from textual.reactive import reactive
from textual_plot import AxisFormatter, HiResMode, PlotWidget

from marigram_tui import formats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_MONTH = 28 * _DAY
_STEPS_S = (
    1, 2, 5, 10, 15, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR,
    3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY,
)  # fmt: skip
_MONTHS = (1, 2, 3, 6, 12, 24, 60)
_LABEL_CELLS = 13
"""Of the time axis: a label and room around it."""
_MARGIN = 0.02
"""Free to the right of the newest time, as a share of the range: room for the newest points and their letters."""
_HOLE = 4.0
"""A line is broken where the next point is so many times the usual distance away."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line: seconds since 1970, values, colour; ``letter`` marks its newest point (empty: no mark)."""

    x: "Floats"
    y: "Floats"
    colour: str
    letter: str = ""


class TimePlot(PlotWidget, can_focus=False):
    """A plot whose x axis is time (UTC) and whose lines are settled up to a watermark."""

    margin_top = reactive(0)
    margin_bottom = reactive(1)
    margin_left = reactive(9)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word)
        super().__init__(id=id, allow_pan_and_zoom=False)
        self._time = TimeAxis()
        self.set_x_formatter(self._time)
        self.set_y_formatter(NumberAxis())
        self.set_xticks([])
        self.set_yticks([])

    @property
    def columns(self) -> int:
        """Cells of the plot from left to right."""
        return max(10, self.size.width - self.margin_left - 2)

    def show(
        self, lines: Sequence[Drawn], span: tuple[float, float], settled: float | None, *, from_zero: bool, muted: str
    ) -> None:
        """Draw anew.

        Args:
            span: first and last second.
            settled: up to here no more rows are expected; what is later is drawn ``muted``, behind an upright line.
            from_zero: the y axis begins at 0, as counts want.
        """
        self.clear()
        self.set_xticks(None)
        self.set_yticks(None)
        self._time.most = max(2, self.columns // _LABEL_CELLS)
        self.set_xlimits(span[0], span[1] + _MARGIN * (span[1] - span[0]))
        self.set_ylimits(*limits([line.y for line in lines], from_zero=from_zero))
        border = settled if settled is not None and span[0] < settled < span[1] else None
        if border is not None:
            self.add_v_line(border, muted)
        for line in lines:
            for x, y in segments(line.x, line.y):
                self._segment(x, y, line.colour, border, muted)
        for line in lines:
            if line.letter and len(line.x):
                self.scatter(line.x[-1:], line.y[-1:], marker=line.letter, marker_style=f"bold {line.colour}")

    def _segment(self, x: "Floats", y: "Floats", colour: str, border: float | None, muted: str) -> None:
        if len(x) == 1:
            open_ = border is not None and x[0] > border
            self.scatter(x, y, marker="•", marker_style=muted if open_ else colour)
            return
        done = len(x) if border is None else int(np.searchsorted(x, border, side="right"))
        if done < len(x):
            first = max(0, done - 1)
            self.plot(x[first:], y[first:], line_style=muted, hires_mode=HiResMode.BRAILLE)
        if done > 1:
            self.plot(x[:done], y[:done], line_style=colour, hires_mode=HiResMode.BRAILLE)


class TimeAxis(AxisFormatter):
    """Times of day, dates where a day begins, months and years where they are the steps."""

    most = 6

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        """Whole steps of a clock or calendar, at most as many as there is room for."""
        most = min(max_ticks, self.most)
        step = next((step for step in _STEPS_S if max_ - min_ <= step * most), None)
        if step is not None:
            return [float(tick) for tick in range(math.ceil(min_ / step) * step, math.floor(max_) + 1, step)]
        months = next((months for months in _MONTHS if max_ - min_ <= months * _MONTH * most), _MONTHS[-1])
        return list(_month_starts(min_, max_, months))

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """``12:30``, ``12:30:15`` where seconds count, ``01-03`` at midnight and for days, ``2013-01``, ``2013``."""
        step = int(ticks[1] - ticks[0]) if len(ticks) > 1 else _MINUTE
        return [self._label(int(tick), step) for tick in ticks]

    def _label(self, tick: int, step: int) -> str:
        time = datetime.fromtimestamp(tick, UTC)
        if step >= 12 * _MONTH:
            return f"{time.year}"
        if step >= 28 * _DAY:
            return f"{time.year}-{time.month:02}"
        if step >= _DAY or (tick % _DAY == 0 and step >= _MINUTE):
            return time.strftime("%m-%d")
        return time.strftime("%H:%M:%S" if step < _MINUTE else "%H:%M")


def _month_starts(first: float, last: float, months: int) -> Iterator[float]:
    """Beginnings of every so many months, counted from a January."""
    year = datetime.fromtimestamp(first, UTC).year
    for month in range(0, 12 * 1_000, months):
        start = datetime(year - year % max(1, months // 12) + month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()
        if start > last:
            return
        if start >= first:
            yield start


class NumberAxis(AxisFormatter):
    """Round numbers, with as many digits as their distance needs and the scale of the greatest."""

    most = 6

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        """Steps of 1, 2 or 5."""
        step = nice((max_ - min_) / self.most)
        first = math.ceil(min_ / step - 1e-9)
        return [place * step for place in range(first, math.floor(max_ / step + 1e-9) + 1)]

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        greatest = max((abs(tick) for tick in ticks), default=0.0)
        scale, sign = next(
            (
                (scale, sign)
                for scale, sign in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
                if greatest >= 10 * scale
            ),
            (1.0, ""),
        )
        step = (ticks[1] - ticks[0]) / scale if len(ticks) > 1 else 1.0
        if greatest >= 1e16 or 0 < greatest < 1e-4:
            return [f"{tick:.1e}" for tick in ticks]
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        return [f"{tick / scale + 0.0:.{places}f}{sign and ' ' + sign}" for tick in ticks]


def nice(step: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not below this."""
    if not step > 0 or not math.isfinite(step):
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if step <= factor * power * (1 + 1e-9))


def limits(values: Sequence["Floats"], *, from_zero: bool) -> tuple[float, float]:
    """Least and greatest of a y axis, on round numbers, so that it stands still while values move a little."""
    finite = [part[np.isfinite(part)] for part in values]
    finite = [part for part in finite if len(part)]
    low = min((float(part.min()) for part in finite), default=0.0)
    high = max((float(part.max()) for part in finite), default=1.0)
    if from_zero:
        low = min(0.0, low)
    if high == low:
        high, low = high + (abs(high) * 0.1 or 1.0), low if from_zero else low - (abs(low) * 0.1 or 1.0)
    step = nice((high - low) / 6)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def segments(x: "Floats", y: "Floats") -> "Iterator[tuple[Floats, Floats]]":
    """Pieces to draw as lines: broken at values that are no numbers and at holes."""
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(x) == 0:
        return
    steps = np.diff(x)
    usual = float(np.median(steps)) if len(steps) else 0.0
    breaks = np.flatnonzero(steps > _HOLE * usual) + 1
    yield from zip(np.split(x, breaks), np.split(y, breaks), strict=True)


def described(values: "Floats") -> str:
    """Newest, least and greatest."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return "no values"
    newest, least, greatest = (formats.number(float(value)) for value in (finite[-1], finite.min(), finite.max()))
    return f"last {newest}  ·  min {least}  ·  max {greatest}"
