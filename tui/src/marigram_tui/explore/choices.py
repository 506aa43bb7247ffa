"""What there is to choose for each field, so that nobody must know the words by heart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from marigram_tui.explore import grammar
from marigram_tui.explore.grammar import Unreadable
from marigram_tui.explore.kinds import MeasureKind, Part
from marigram_tui.questions import ENTITY, ROWS, Column

PERCENTILES = ("p50", "p90", "p95", "p99", "p99.9")
_WINDOWS = (
    ("", "none: the whole range is one"),
    ("1m", "a minute, side by side"),
    ("5m", "five minutes"),
    ("15m", "a quarter of an hour"),
    ("1h", "an hour"),
    ("6h", "six hours"),
    ("1d", "a day of UTC"),
    ("1h/5m", "hopping: an hour, every five minutes"),
    ("sliding:10m", "ten minutes back from each time that a group has rows at"),
    ("session:30m", "sessions of an entity, ended by 30 minutes without a row"),
    ("session:30m/8h", "the same, none longer than eight hours"),
    ("hour@Europe/Berlin", "hours of a time zone"),
    ("day@Europe/Berlin", "days of a time zone, of 23 to 25 hours"),
    ("week@Europe/Berlin", "weeks from Monday; week(7) from Sunday"),
    ("month", "months of the calendar"),
    ("quarter", "quarters; quarter(4) of a year that begins in April"),
    ("year", "years; year(4) begins in April"),
)
_RANGES = (
    ("15m", "the last 15 minutes of the stream"),
    ("1h", "the last hour"),
    ("6h", "the last six hours"),
    ("1d", "the last day"),
    ("7d", "the last week"),
    ("30d", "the last thirty days"),
    ("all", "everything"),
    ("2026-01-01 .. 2026-02-01", "from and to, in ISO 8601; either may be left out"),
)
_FILLS = (
    ("", "windows without rows are left out"),
    ("null", "no number"),
    ("previous", "the last number before"),
    ("linear", "on the line between the neighbours"),
    ("zero", "0"),
)
_PERIODS = (
    ("", "nothing"),
    ("previous", "the range of the same length just before"),
    ("same_weekday", "the same weekday a week before"),
    ("year_ago", "the same dates a year before"),
)
_TOPS = (
    ("", "all groups"),
    ("5", "the first five of each window, by the order"),
    ("5 other", "and all others as one, exact"),
    ("20 other", "twenty, and all others as one"),
)
_FIXED = {"window": _WINDOWS, "range": _RANGES, "fill": _FILLS, "compare": _PERIODS, "top": _TOPS}


@dataclass(frozen=True, slots=True)
class Choice:
    """A text to put into a field, and what it means. ``text`` may be foreign."""

    text: str
    about: str = ""


def fixed(field: str) -> list[Choice]:
    """Those of a field that depends on nothing; of others none."""
    return [Choice(text, about) for text, about in _FIXED.get(field, ())]


def measures(kinds: Sequence[MeasureKind]) -> list[Choice]:
    """One a kind, and usual percentiles for quantiles."""
    return [choice for kind in kinds for choice in _of_kind(kind)]


def _of_kind(kind: MeasureKind) -> Iterator[Choice]:
    if kind.is_percentile:
        yield from (Choice(word, kind.about) for word in PERCENTILES)
    elif kind.is_formula:
        yield Choice("NAME=", kind.about)
    else:
        if not (kind.number and kind.needs_number):
            yield Choice(kind.word, kind.about)
        if kind.number:
            yield Choice(f"{kind.word}({_number(kind)})", kind.about)


def _number(kind: MeasureKind) -> str:
    return {Part.WHOLE: "7", Part.NUMBERS: "0,15,60"}.get(kind.number or Part.NUMBER, "0")


def kind_of(word: str, kinds: Sequence[MeasureKind]) -> MeasureKind | None:
    """The kind that a choice of ``measures`` stands for."""
    bare = word.partition("(")[0]
    return next(
        (kind for kind in kinds if word in {choice.text for choice in _of_kind(kind)} or kind.word == bare), None
    )


def columns(found: Sequence[Column], *, entity: bool = False) -> list[Choice]:
    """Columns of a stream with type and unit; ``entity``: and what stands for the series or user."""
    listed = [Choice(one.name, f"{one.type} {one.unit}".strip()) for one in found if one.name != ROWS]
    return [*listed, Choice(ENTITY, "the series or user")] if entity else listed


def orders(measures_text: str, group: str, window: str, kinds: Sequence[MeasureKind]) -> list[Choice]:
    """Columns of the answer, as far as the measures can be read."""
    listed = [Choice("start", "the window, earliest first")] if window.strip() else []
    for text in grammar.items(measures_text):
        try:
            _, name = grammar.measure(text, kinds)
        except Unreadable:
            continue
        listed += [Choice(f"-{name}", "greatest first"), Choice(name, "least first")]
    for text in grammar.items(group):
        try:
            listed.append(Choice(grammar.key(text)[1], "in its order"))
        except Unreadable:
            continue
    return listed
