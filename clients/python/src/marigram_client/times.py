"""Times and durations as callers say them."""

from datetime import UTC, datetime, timedelta
from operator import index
from typing import TYPE_CHECKING, cast

from google.protobuf.duration_pb2 import Duration

from marigram_client.errors import InvalidArgument

if TYPE_CHECKING:
    import numpy as np

    Time = datetime | np.datetime64 | int
    """A datetime (UTC when it has no zone), a numpy time, or an integer of Unix nanoseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    if type(time).__name__ == "datetime64":
        return nanoseconds_of_numpy(cast("np.datetime64", time))
    rule = "a time must be a datetime, a datetime64 or an integer of nanoseconds"
    raise InvalidArgument(f"{rule}, got {type(time).__name__}", reason="TYPE_MISMATCH", field="time")


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
