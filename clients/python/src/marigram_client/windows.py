"""Over which windows a query computes."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from marigram_client import times
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.errors import InvalidArgument

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration

Unit = Literal["hour", "day", "week", "month", "quarter", "year"]

_UNITS: dict[str, pb.CalendarUnit.ValueType] = {
    "hour": pb.CALENDAR_UNIT_HOUR,
    "day": pb.CALENDAR_UNIT_DAY,
    "week": pb.CALENDAR_UNIT_WEEK,
    "month": pb.CALENDAR_UNIT_MONTH,
    "quarter": pb.CALENDAR_UNIT_QUARTER,
    "year": pb.CALENDAR_UNIT_YEAR,
}


@dataclass(frozen=True, slots=True)
class Window:
    """How event time is cut. Make one with ``tumbling``, ``hopping``, ``sliding``, ``session``, ``calendar`` or
    ``whole``."""

    message: pb.Window

    def __str__(self) -> str:
        """In the words of the command line: ``1h``, ``10m/1m``, ``session:30m``, ``week@Europe/Berlin``."""
        kind = self.message
        match kind.WhichOneof("kind"):
            case "tumbling":
                return _length(kind.tumbling.width)
            case "hopping":
                return f"{_length(kind.hopping.width)}/{_length(kind.hopping.step)}"
            case "sliding":
                return f"sliding:{_length(kind.sliding.width)}"
            case "session":
                longest = f"/{_length(kind.session.max_length)}" if kind.session.HasField("max_length") else ""
                return f"session:{_length(kind.session.gap)}{longest}"
            case "calendar":
                calendar = kind.calendar
                unit = next((unit for unit, number in _UNITS.items() if number == calendar.unit), str(calendar.unit))
                first = calendar.week_start if unit == "week" else calendar.year_start_month
                zone = f"@{calendar.time_zone}" if calendar.time_zone not in ("", "UTC") else ""
                return f"{unit}{f'({first})' if first > 1 else ''}{zone}"
        return "whole"


def _length(length: "Duration") -> str:
    seconds = length.ToTimedelta().total_seconds()
    for unit, of in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % of == 0:
            return f"{seconds / of:g}{unit}"
    return f"{seconds:g}s"


def tumbling(
    width: timedelta | None = None,
    *,
    weeks: float = 0,
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    seconds: float = 0,
) -> Window:
    """Equal windows side by side, aligned to the Unix epoch: ``tumbling(minutes=5)`` or
    ``tumbling(timedelta(days=7))``.

    Raises:
        InvalidArgument: the width is not positive; microseconds are the least.
    """
    length = (width or timedelta()) + timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return Window(pb.Window(tumbling=pb.TumblingWindow(width=_positive(length, "tumbling", "width"))))


def hopping(width: timedelta, step: timedelta) -> Window:
    """Equal windows of ``width``, one beginning each ``step``, aligned to the Unix epoch, so that they overlap:
    ``hopping(timedelta(hours=1), timedelta(minutes=5))``.

    A step is at most the width, and at least a 10,000th of the width divides both.

    Raises:
        InvalidArgument: width or step is not positive; microseconds are the least.
    """
    width_message, step_message = _positive(width, "hopping", "width"), _positive(step, "hopping", "step")
    return Window(pb.Window(hopping=pb.HoppingWindow(width=width_message, step=step_message)))


def session(
    gap: timedelta | None = None,
    *,
    weeks: float = 0,
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    seconds: float = 0,
    max_length: timedelta | None = None,
) -> Window:
    """Rows of an entity with no gap longer than one given, whatever else is grouped by: ``session(minutes=30)``.

    The answer has a row a session, entity and group, with ``start`` and ``end``, the times of its first and last row.
    A row later than ``max_length`` after the first begins another session; each time that an entity has rows at is then
    a group of the budget.

    Raises:
        InvalidArgument: gap or length is not positive; microseconds are the least.
    """
    length = (gap or timedelta()) + timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    message = pb.SessionWindow(gap=_positive(length, "session", "gap"))
    if max_length is not None:
        message.max_length.CopyFrom(_positive(max_length, "session", "max_length"))
    return Window(pb.Window(session=message))


def sliding(
    width: timedelta | None = None,
    *,
    weeks: float = 0,
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    seconds: float = 0,
) -> Window:
    """For each time that a group has rows at, its rows from then back: ``sliding(minutes=5)`` covers (t - 5 min, t].

    The answer has a row for each time and group, with ``start``, t - width, and ``end``, t. Each is a group of the
    budget.

    Raises:
        InvalidArgument: the width is not positive; microseconds are the least.
    """
    length = (width or timedelta()) + timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return Window(pb.Window(sliding=pb.SlidingWindow(width=_positive(length, "sliding", "width"))))


def calendar(unit: Unit, time_zone: str = "UTC", *, week_start: int = 1, year_start_month: int = 1) -> Window:
    """Hours to years as the clocks and calendars of a time zone have them: ``calendar("week", "Europe/Berlin")``.

    A day has 23 to 25 hours, and begins at its first instant.

    Args:
        unit: what a window is.
        time_zone: IANA name.
        week_start: first day of a week, 1 (Monday) to 7.
        year_start_month: first month of a year and of its quarters, 1 to 12.
    Raises:
        InvalidArgument: there is no such unit.
    """
    if unit not in _UNITS:
        message = f"a unit is one of {', '.join(_UNITS)}, got {unit}"
        raise InvalidArgument(message, reason="BAD_CALENDAR", field="window.calendar.unit")
    return Window(
        pb.Window(
            calendar=pb.CalendarWindow(
                unit=_UNITS[unit], time_zone=time_zone, week_start=week_start, year_start_month=year_start_month
            )
        )
    )


def whole() -> Window:
    """One window over the whole range, which is also what a query without a window has."""
    return Window(pb.Window(whole=pb.WholeWindow()))


def _positive(length: timedelta, window: str, part: str) -> "Duration":
    if length <= timedelta():
        message = f"{part} must be positive, got {length.total_seconds():g} s"
        raise InvalidArgument(message, reason="NOT_POSITIVE", field=f"window.{window}.{part}")
    return times.duration(length)
