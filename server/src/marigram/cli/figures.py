"""Figures as people read them."""

from datetime import UTC, datetime, timedelta

from marigram.cli.output import NOTHING

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


def size(number: float) -> str:
    """Bytes, as ``1.5 MiB``."""
    for unit in _SIZES:
        if number < 1_024 or unit == _SIZES[-1]:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1_024
    raise AssertionError("the last size takes everything")


def counted(number: int, one: str, more: str = "") -> str:
    """A number of things: ``1 row``, ``12,000 rows``."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def rate(number: float) -> str:
    """A rate of rows, with a digit behind the point only where it matters."""
    return f"{number:,.1f}" if 0 < number < 100 else f"{number:,.0f}"


def milliseconds(length: timedelta) -> str:
    """A short time, as ``3.8 ms``."""
    return f"{length.total_seconds() * 1e3:.1f} ms"


def length(wanted: timedelta | None) -> str:
    """A length of time as it is typed: ``30s``, ``1h``, ``7d``."""
    if wanted is None:
        return NOTHING
    seconds = wanted.total_seconds()
    for unit, of in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % of == 0:
            return f"{seconds / of:g}{unit}"
    return f"{seconds:g}s"


def instant(time_ns: int | None) -> str | None:
    """Unix nanoseconds as ISO 8601, no more digits than it needs; None stays None."""
    if time_ns is None:
        return None
    seconds, part = divmod(time_ns, 1_000_000_000)
    digits = f".{part:09d}".rstrip("0") if part else ""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}{digits}Z"


def moment(time: datetime | None) -> str | None:
    """An instant in whole seconds; None stays None."""
    return None if time is None else f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
