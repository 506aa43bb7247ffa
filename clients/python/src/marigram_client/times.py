"""Times and durations as callers say them."""

import re
from datetime import UTC, datetime, timedelta
from operator import index
from typing import TYPE_CHECKING, cast

from google.protobuf.duration_pb2 import Duration

from marigram_client.errors import InvalidArgument

if TYPE_CHECKING:
    import numpy as np

    Time = datetime | np.datetime64 | int | str
    """A datetime (UTC when it has no zone), a numpy time, an integer of Unix nanoseconds, or ISO 8601 text."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"(?<=:\d\d)[.,](\d{1,9})(?=$|[Z+-])")
"""Of a second; Python's own reader drops what is finer than microseconds."""


def nanoseconds(time: "Time") -> int:
    """Unix nanoseconds.

    Raises:
        InvalidArgument: it is no time, or outside of 1677 to 2262.
    """
    if hasattr(time, "__index__") and not isinstance(time, bool):  # numpy's integers too
        return bounded(index(time))
    if isinstance(time, datetime):
        since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
        return bounded((since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000)
    if isinstance(time, str):
        return nanoseconds_of_text(time)
    if type(time).__name__ == "datetime64":
        return nanoseconds_of_numpy(cast("np.datetime64", time))
    rule = "a time must be a datetime, a datetime64, ISO 8601 text or an integer of nanoseconds"
    raise InvalidArgument(f"{rule}, got {type(time).__name__}", reason="TYPE_MISMATCH", field="time")


def nanoseconds_of_text(text: str) -> int:
    """Unix nanoseconds of ISO 8601 text, in UTC unless it says otherwise.

    >>> nanoseconds_of_text("1970-01-01T00:00:01.000000002Z")
    1000000002
    """
    fraction = _FRACTION.search(text)
    try:
        whole = datetime.fromisoformat(_FRACTION.sub("", text) if fraction else text)
    except ValueError:
        rule = "a time as text must be ISO 8601, such as 2026-01-01 or 2026-01-01T12:00:00Z"
        raise InvalidArgument(f"{rule}, got {text[:64]!r}", reason="TIME_UNREADABLE", field="time") from None
    return bounded(nanoseconds(whole) + (int(fraction[1].ljust(9, "0")) if fraction else 0))


def nanoseconds_of_numpy(time: "np.datetime64") -> int:
    """Unix nanoseconds of one numpy time."""
    import numpy as np

    in_ns = time.astype("datetime64[ns]")
    if np.isnat(time) or in_ns != time:
        raise InvalidArgument(f"a time must lie between 1677 and 2262, got {time}", reason="TIME_OUT_OF_RANGE")
    return int(in_ns.astype(np.int64))


def bounded(time_ns: int) -> int:
    """The same, if 64 bits hold it."""
    if not -(1 << 63) <= time_ns < 1 << 63:
        raise InvalidArgument(
            f"a time must lie between 1677 and 2262, got {time_ns} ns", reason="TIME_OUT_OF_RANGE", field="time"
        )
    return time_ns


def duration(length: timedelta) -> Duration:
    """The same length as a message."""
    message = Duration()
    message.FromTimedelta(length)
    return message
