"""Figures and foreign text as a terminal shows them. Nothing here depends on locale or time zone; times are UTC."""

import math
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len, set_cell_size

SECOND_NS = 1_000_000_000
_MARKS = 2
"""Most combining marks on one letter: enough for written languages, too few to reach other lines."""
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_BLOCKS = " ▁▂▃▄▅▆▇█"
_GAP = "·"


def safe(text: str, cells: int = 64) -> str:
    """Foreign text that cannot do anything but be read: one line, at most ``cells`` wide.

    Control characters (escape sequences, newlines) become their pictures; marks of direction, zero-width signs and
    other invisible code points a replacement sign. Markup needs no care here: what this returns is shown as plain
    ``Content`` or ``Text`` and never parsed.
    """
    shown: list[str] = []
    marks = 0
    for letter in text[: cells * 4]:
        category = unicodedata.category(letter)
        if category in {"Mn", "Me"}:
            marks += 1
            if marks <= _MARKS and shown and not "\ufe00" <= letter <= "\ufe0f":
                shown.append(letter)
            continue
        marks = 0
        shown.append(visible(letter, category))
    line = "".join(shown)
    return clip(line, cells) if len(text) <= cells * 4 else clip(line + "…" * cells, cells)


def visible(letter: str, category: str | None = None) -> str:
    """One letter as one that can do nothing but be read; ``category`` is that of Unicode, if it is known already."""
    category = category or unicodedata.category(letter)
    if category in _INVISIBLE:
        return chr(0x2400 + ord(letter)) if ord(letter) < 0x20 else "\N{REPLACEMENT CHARACTER}"
    return " " if category == "Zs" else letter


def clip(line: str, cells: int) -> str:
    """The line, cut to this many cells with an ellipsis where it was longer. Wide letters take two."""
    if cell_len(line) <= cells:
        return line
    return set_cell_size(line, cells - 1).rstrip() + "…" if cells > 1 else "…"[:cells]


def number(value: float) -> str:
    """Three significant digits and a scale: ``1.24 M``. Whole numbers below 10,000 as they are."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    size = abs(value)
    if size < 10_000 and value == int(value):
        return f"{int(value):,}"
    for scale, sign in _SCALES:
        if size >= scale * 0.9995:
            return f"{_digits(value / scale)} {sign}"
    if size >= 0.001:
        return _digits(value)
    return f"{value:.2e}"


def size(value: float) -> str:
    """Bytes in powers of 1,024: ``2.00 GiB``."""
    for scale, sign in _BINARY:
        if abs(value) >= scale * 0.9995:
            return f"{_digits(value / scale)} {sign}"
    return f"{value:.0f} B"


def source(made: Any) -> str:
    """Where the numbers of an answer come from: ``rollup``, or ``rollup 12.0 s ago`` of one that was kept."""
    return made.tier if made.cache_age is None else f"{made.cached_tier} {duration(made.cache_age.total_seconds())} ago"


def duration(seconds: float) -> str:
    """Two units at most: ``3.10 ms``, ``12.0 s``, ``3 h 12 min``, ``5 d 2 h``."""
    if seconds < 1:
        for scale, sign in ((1e-3, "ms"), (1e-6, "µs")):
            if seconds >= scale:
                return f"{_digits(seconds / scale)} {sign}"
        return f"{seconds * 1e9:.0f} ns" if seconds > 0 else "0 s"
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    for scale, sign, minor, below in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= scale:
            rest = whole % scale // minor
            return f"{whole // scale} {sign} {rest} {below}" if rest else f"{whole // scale} {sign}"
    return f"{whole} s"


def length(seconds: int) -> str:
    """A length as ``marigram query`` takes it, in the greatest unit that it is a whole number of: ``15m``, ``7d``."""
    for unit, sign in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds % unit == 0:
            return f"{seconds // unit}{sign}"
    return f"{seconds}s"


def moment(time_ns: int) -> str:
    """A time to the second, UTC: ``2013-01-03 12:00:10Z``."""
    return _utc(time_ns).strftime("%Y-%m-%d %H:%M:%SZ")


def watermark(time_ns: int | None, now_ns: int) -> str:
    """How old while that is less than a day, else the time itself: a replay of last year is not "300 days late"."""
    if time_ns is None:
        return "–"
    age = (now_ns - time_ns) / SECOND_NS
    if -1 <= age < 86_400:
        return f"{duration(max(0.0, math.floor(age)))} ago"
    return _utc(time_ns).strftime("%Y-%m-%d %H:%M")


def percent(part: float, whole: float) -> str:
    """``41 %``; ``<1 %`` for the little that is not nothing."""
    share = 100 * part / whole if whole else 0.0
    return "<1 %" if 0 < share < 1 else f"{share:.0f} %"


def bar(part: float, whole: float, cells: int) -> str:
    """A filled and an empty stretch: ``███░░░``."""
    share = min(1.0, max(0.0, part / whole)) if whole else 0.0
    full = round(share * cells)
    if part > 0 and cells:
        full = max(1, full)
    return "█" * full + "░" * (cells - full)


def sparkline(values: Sequence[float], rows: int = 1, top: float = 0.0) -> list[str]:
    """Columns of blocks, as ``rows`` lines from the top; NaN is a gap, a value above 0 is never invisible.

    Args:
        top: the value of a full column, if no other is greater.
    """
    highest = max((value for value in values if not math.isnan(value)), default=0.0)
    scale = max(highest, top)
    levels: list[int | None] = []
    for value in values:
        if math.isnan(value):
            levels.append(None)
        else:
            level = round(value / scale * rows * 8) if scale > 0 else 0
            levels.append(max(level, 1))
    return ["".join(_block(level, row) for level in levels) for row in range(rows - 1, -1, -1)]


def _block(level: int | None, row: int) -> str:
    """What a column of ``level`` eighths (None: a gap) shows in a row counted from the bottom."""
    if level is None:
        return _GAP if row == 0 else " "
    return _BLOCKS[min(8, max(0, level - row * 8))]


def _digits(value: float) -> str:
    size = abs(value)
    places = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{value:.{places}f}" if size >= 0.0995 or value == 0 else f"{value:.3g}"


def _utc(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC)
