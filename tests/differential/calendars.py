"""Where units of a calendar begin, found by asking Python's zoneinfo what clocks show."""

import functools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

ZONES = [
    "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/St_Johns", "America/Sao_Paulo",
    "America/Santiago", "America/Havana", "America/Asuncion", "Africa/Cairo", "Africa/Casablanca", "Asia/Kolkata",
    "Asia/Kathmandu", "Asia/Beirut", "Asia/Gaza", "Asia/Tehran", "Australia/Adelaide", "Australia/Lord_Howe",
    "Pacific/Chatham", "Pacific/Apia", "Pacific/Auckland",
]  # fmt: skip
"""Of all kinds: whole, half and quarter hours off, clocks set at midnight, a date skipped, no changes."""

UNITS = ["hour", "day", "week", "month", "quarter", "year"]
DAY = timedelta(days=1)


def _local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def _first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The first instant, in UTC, at which clocks show this date, or a later one where they never show it."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001
    before, after = (_local(midnight + side, zone) - (midnight + side) for side in (-DAY, DAY))
    if before == after:
        return midnight - before
    instant = midnight - DAY
    while _local(instant, zone).date() < day:
        instant += timedelta(minutes=1)
    return instant


def _nanoseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1)) // timedelta(microseconds=1) * 1000  # noqa: DTZ001


def _begins(day: date, unit: str, week_start: int, year_start_month: int) -> bool:
    if unit == "day":
        return True
    if unit == "week":
        return day.isoweekday() == week_start
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    return day.day == 1 and (day.month - year_start_month) % months == 0


@functools.cache
def edges(
    unit: str, zone: str, week_start: int, year_start_month: int, first_year: int, last_year: int
) -> tuple[int, ...]:
    """Starts of a unit from before the first year to after the last, Unix nanoseconds, ascending."""
    if unit == "hour":
        return tuple(_hours(ZoneInfo(zone), first_year, last_year))
    found: list[int] = []
    for day, start in _days(zone, first_year - 1, last_year + 2):
        # A date that clocks never showed begins where the next one does, and has no instant.
        if _begins(day, unit, week_start, year_start_month) and (not found or start > found[-1]):
            found.append(start)
    return tuple(found)


@functools.cache
def _days(zone: str, first_year: int, last_year: int) -> tuple[tuple[date, int], ...]:
    day, end = date(first_year, 1, 1), date(last_year, 12, 31)
    days = [day + number * DAY for number in range((end - day).days)]
    info = ZoneInfo(zone)
    return tuple((day, _nanoseconds(_first_instant(day, info))) for day in days)


def _hours(zone: ZoneInfo, first_year: int, last_year: int) -> list[int]:
    midnight, end = datetime(first_year, 1, 1) - DAY, datetime(last_year + 1, 1, 1) + DAY  # noqa: DTZ001
    quarters = [number * timedelta(minutes=15) for number in range(96)]
    found = []
    while midnight < end:
        before, after = (_local(instant, zone) - instant for instant in (midnight, midnight + DAY))
        for quarter in quarters:
            instant = midnight + quarter
            local = instant + before if before == after else _local(instant, zone)
            if local.minute == 0:
                found.append(_nanoseconds(instant))
        midnight += DAY
    return found
