"""Single values, as filters and events hold them."""

from datetime import datetime

from marigram_client import times
from marigram_client._pb.marigram.v1 import common_pb2 as pb
from marigram_client.errors import InvalidArgument


def value(given: object) -> pb.Value:
    """The message for a scalar: bool, int, float, str, or a time (datetime or datetime64); numpy's are unwrapped.

    Raises:
        InvalidArgument: it is of no such type, an integer beyond 64 bits, or text that is not Unicode.
    """
    if isinstance(given, bool):
        return pb.Value(boolean=given)
    if isinstance(given, int):
        if not -(1 << 63) <= given < 1 << 63:
            raise _refused("INTEGER_OUT_OF_RANGE", f"an integer must fit 64 bits with sign, got {given}")
        return pb.Value(i64=given)
    if isinstance(given, float):
        return pb.Value(f64=given)
    if isinstance(given, str):
        return pb.Value(text=text(given))
    if isinstance(given, datetime) or type(given).__name__ == "datetime64":
        return pb.Value(timestamp_ns=times.nanoseconds(given))  # type: ignore[arg-type]  # numpy is not imported to ask
    if type(given).__module__ == "numpy" and hasattr(given, "item"):
        return value(given.item())
    rule = "a value must be a bool, int, float, str or time"
    raise _refused("TYPE_MISMATCH", f"{rule}, got {type(given).__name__}")


Scalar = bool | int | float | str
"""A value as it is read; times are Unix nanoseconds."""


def scalar(message: pb.Value) -> Scalar | None:
    """What a message holds; None is null."""
    kind = message.WhichOneof("kind")
    read: Scalar | None = None if kind is None else getattr(message, kind)
    return read


def text(given: str) -> str:
    """The same text, if it is Unicode: Python's strings may hold lone surrogates, protobuf's may not."""
    try:
        given.encode()
    except UnicodeEncodeError as error:
        raise _refused("INVALID_UTF8", f"text must be Unicode: {error.reason}") from error
    return given


def _refused(reason: str, message: str) -> InvalidArgument:
    return InvalidArgument(message, reason=reason, field="value")
