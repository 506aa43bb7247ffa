"""The words of ``marigram query``, read: measures, windows, lengths, fills and ranges."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from marigram_tui.explore.calls import Argument, Call, of_length
from marigram_tui.explore.kinds import MeasureKind, Part

UNITS = ("hour", "day", "week", "month", "quarter", "year")
PARTS = ("hour_of_day", "day_of_week", "day_of_month", "day_of_year", "iso_week", "month", "quarter", "year")
FILLS = ("null", "previous", "linear", "zero")
PERIODS = ("previous", "same_weekday", "year_ago")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_LENGTH = re.compile(r"(\d{1,9}(?:\.\d+)?)(ms|s|m|h|d|w)")
_BY_RANK = "kll"
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")
_MEASURE = re.compile(
    r"(?P<kind>[\w.]+)(?:\((?P<number>[^()]*)\))?(?::(?P<column>[^=]+))?(?:=(?P<name>.*))?", re.DOTALL
)
_ITEM = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"\s*(?=,|$)|(?P<bare>(?:\([^()]*\)|[^,])*))(?:,|$)', re.DOTALL)
_KEY = re.compile(
    r"(?:(?P<part>\w+)|bin\((?P<width>[^()]*)\)|capture\((?P<pattern>.*)\)):(?P<column>[^:=@]+)(?:@(?P<zone>[^=]+))?"
    r"(?:=(?P<name>.+))?",
    re.DOTALL,
)
_CALENDAR = re.compile(rf"(?P<unit>{'|'.join(UNITS)})(?:\((?P<first>\d\d?)\))?(?:@(?P<zone>.+))?")


class Unreadable(Exception):  # noqa: N818  (what somebody typed, not an error of the program)
    """A field that cannot be read, and the rule for it."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Range:
    """The last so long up to the newest time of the stream, or ``[start, end)`` as ISO 8601; None is open."""

    last: timedelta | None = None
    start: str | None = None
    end: str | None = None


def items(text: str) -> list[str]:
    """What stands between commas, those in parentheses apart; an item with a comma in it may stand in double quotes, of
    which two are one."""
    found = (
        match["bare"].strip() if match["quoted"] is None else match["quoted"].replace('""', '"')
        for match in _ITEM.finditer(text)
    )
    return [item for item in found if item]


def measure(text: str, kinds: Sequence[MeasureKind]) -> tuple[Call, str]:
    """A measure as the client's call, and its name in the answer: ``p95:delay``, ``rank(100):delay``, ``share=a / b``,
    ``count=errors where status >= 500``.

    Raises:
        Unreadable: it is none.
    """
    plain, where, condition = text.partition(" where ")
    plain, condition = plain.rstrip(), condition.strip()
    head, equals, rest = text.partition("=")
    words = {kind.word: kind for kind in kinds}
    if equals and not re.search(r"[:()]", head) and head.strip() not in words and rest.strip():
        of_formula = next((kind for kind in kinds if kind.is_formula), None)
        if of_formula is not None and head.strip():
            return Call(of_formula.function, (rest.strip(), head.strip())), head.strip()
    match = _MEASURE.fullmatch(plain)
    found = _found(match, kinds) if match else None
    if found is None or (where and not condition):
        known = ", ".join("p0 to p100" if kind.is_percentile else kind.word for kind in kinds if not kind.is_formula)
        rule = "must be KIND[(NUMBER)]:COLUMN[:SECOND][=NAME][ where FILTER] or NAME=ARITHMETIC"
        raise Unreadable("measures", f"{rule}, got {text}; KIND is one of {known}")
    call, name = found
    return replace(call, where=condition), name


def _found(match: re.Match[str], kinds: Sequence[MeasureKind]) -> tuple[Call, str] | None:
    word, number, column = match["kind"], match["number"], match["column"] or ""
    percentile = _PERCENTILE.fullmatch(word)
    kind = next((kind for kind in kinds if (kind.is_percentile if percentile else kind.word == word)), None)
    if kind is None or kind.is_formula or (kind.is_percentile and not percentile):
        return None
    columns = column.split(":", kind.columns - 1) if column else []
    if (len(columns) != kind.columns or not all(columns)) and (column or kind.needs_column):
        return None
    name = match["name"] or ""
    named: tuple[tuple[str, Argument], ...] = (("name", name),) if name else ()
    numbers: list[Argument] | None
    if percentile and number in {None, _BY_RANK}:
        numbers = [round(float(percentile[1]) / 100, 12)]
        named += (("sketch", number),) if number else ()
    else:
        numbers = None if percentile else _numbers(kind, number)
    if numbers is None:
        return None
    given: list[Argument] = []
    left: dict[bool, list[Argument]] = {True: [*columns], False: numbers}
    for part in kind.parts:
        source = left[part is Part.COLUMN]
        given += [source.pop(0)] if source else []
    usual = f"{word}_{column.split(':', 1)[0] if kind.columns > 1 else column}" if column else word
    return Call(kind.function, tuple(given), named), name or usual


def _numbers(kind: MeasureKind, text: str | None) -> list[Argument] | None:
    """What is in parentheses; of a kind without a number there is nothing. None if it is wrong."""
    if kind.number is None or text is None:
        return [] if text is None and not (kind.number and kind.needs_number) else None
    if kind.number is Part.WHOLE and not re.fullmatch(r"[0-9]{1,9}", text):
        return None
    try:
        if kind.number is Part.NUMBERS:
            return [tuple(float(number) for number in text.split(","))]
        return [int(text) if kind.number is Part.WHOLE else float(text)]
    except ValueError:
        return None


def length(text: str, field: str) -> timedelta:
    """A length of time from ``30s``, ``1.5h`` or ``7d``.

    Raises:
        Unreadable: it is none, or none above zero.
    """
    match = _LENGTH.fullmatch(text)
    try:
        found = timedelta(seconds=float(match[1]) * _SECONDS[match[2]]) if match else timedelta()
    except OverflowError:
        raise Unreadable(field, f"a length must be shorter, got {text}") from None
    if found <= timedelta():
        raise Unreadable(field, f"a length must be above zero, a number and one of {', '.join(_SECONDS)}, got {text}")
    return found


def window(text: str) -> Call | None:
    """A window from ``1h``, ``1h/5m``, ``sliding:10m``, ``session:30m``, ``session:30m/8h``, ``day`` or
    ``week@Europe/Berlin``; None from nothing.

    Raises:
        Unreadable: it is none.
    """
    if not text:
        return None
    calendar = _CALENDAR.fullmatch(text)
    if calendar is not None:
        return _calendar(calendar["unit"], calendar["first"], calendar["zone"])
    if text.startswith("session:"):
        gap, slash, longest = text.removeprefix("session:").partition("/")
        call = of_length("session", length(gap, "window"))
        return replace(call, named=(*call.named, ("max_length", length(longest, "window")))) if slash else call
    if text.startswith("sliding:"):
        return of_length("sliding", length(text.removeprefix("sliding:"), "window"))
    if not text[:1].isdecimal():
        rule = "must be LENGTH, WIDTH/STEP, sliding:WIDTH, session:GAP[/LONGEST] or UNIT[(FIRST)][@ZONE], UNIT one of"
        raise Unreadable("window", f"{rule} {', '.join(UNITS)}, got {text}")
    width, slash, step = text.partition("/")
    if slash:
        return Call("hopping", (length(width, "window"), length(step, "window")))
    return of_length("tumbling", length(width, "window"))


def _calendar(unit: str, first: str | None, zone: str | None) -> Call:
    arguments = (unit, zone) if zone else (unit,)
    if first is None:
        return Call("calendar", arguments)
    if unit == "week":
        return Call("calendar", arguments, (("week_start", int(first)),))
    if unit in {"quarter", "year"}:
        return Call("calendar", arguments, (("year_start_month", int(first)),))
    raise Unreadable("window", f"only a week, quarter or year has a first day or month, got {unit}({first})")


def key(text: str) -> tuple[Call | str, str]:
    """A key of groups, and its name in the answer: ``host``, ``hour_of_day:time@Europe/Berlin``, ``bin(15):delay=late``
    or ``capture(^/([^/]+)):path``.

    Raises:
        Unreadable: it is none.
    """
    match = _KEY.fullmatch(text)
    if match is None or (match["part"] and match["part"] not in PARTS):
        return text, text
    part, column, zone, name = match["part"], match["column"], match["zone"], match["name"]
    named: tuple[tuple[str, Argument], ...] = (("time_zone", zone),) if zone else ()
    named += (("name", name),) if name else ()
    if part:
        usual = part if column == "time" else f"{part}_{column}"
        return Call("time_part", (part, column), named), name or usual
    if zone:
        raise Unreadable("group", f"must have a part of time before @ZONE, got {text}")
    if match["width"] is None:
        if not match["pattern"]:
            raise Unreadable("group", f"must have a pattern to capture, got {text}")
        return Call("captured", (column, match["pattern"]), named), name or f"capture_{column}"
    try:
        width = float(match["width"])
    except ValueError:
        width = 0.0
    if not 0 < width < float("inf"):
        raise Unreadable("group", f"must have a number above zero as width of bins, got {text}")
    return Call("bins", (column, width), named), name or f"bin_{column}"


def fill(text: str) -> str | float | None:
    """What windows without rows are filled with: a word or a number; None from nothing.

    Raises:
        Unreadable: it is neither.
    """
    if not text or text in FILLS:
        return text or None
    try:
        return float(text)
    except ValueError:
        raise Unreadable("fill", f"must be {', '.join(FILLS)} or a number, got {text}") from None


def period(text: str) -> str | None:
    """A period to compare with; None from nothing.

    Raises:
        Unreadable: there is no such period.
    """
    if text and text not in PERIODS:
        raise Unreadable("compare", f"must be {', '.join(PERIODS)}, got {text}")
    return text or None


def span(text: str) -> Range:
    """A range from ``15m`` (the last), ``all``, or ``2013-01-01 .. 2013-02-01``, where either end may be left out.

    Raises:
        Unreadable: it is none.
    """
    if text in {"", "all"}:
        return Range()
    start, dots, end = (part.strip() for part in text.partition(".."))
    if not dots:
        return Range(last=length(text.removeprefix("last ").strip(), "range"))
    for instant in filter(None, (start, end)):
        try:
            datetime.fromisoformat(instant)
        except ValueError:
            raise Unreadable("range", f"must be LENGTH, all or FROM .. TO in ISO 8601, got {instant}") from None
    return Range(None, start or None, end or None)


def top(text: str) -> tuple[int, bool]:
    """How many groups, and whether what they leave is one more: ``5``, ``5 other``; (0, False) from nothing.

    Raises:
        Unreadable: it is neither.
    """
    match = re.fullmatch(r"(\d{1,9})(\s*\+?\s*other)?", text) if text else None
    if text and match is None:
        raise Unreadable("top", f"must be a number of groups, other behind it for the rest as one, got {text}")
    return (int(match[1]), match[2] is not None) if match else (0, False)


def joined(text: str, more: str) -> str:
    """A list with one more item, in quotes where it holds a comma."""
    quote = any(sign in more for sign in ',"') or more != more.strip()
    item = '"' + more.replace('"', '""') + '"' if quote else more
    return f"{text.rstrip().rstrip(',')}, {item}" if text.strip() else item


def name_in_filter(column: str) -> str:
    """A column's name as a filter has it: in quotes unless it is a plain word."""
    if re.fullmatch(r"[A-Za-z_]\w*", column) and column not in {"AND", "OR", "NOT"}:
        return column
    escaped = column.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
