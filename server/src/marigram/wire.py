"""Messages to domain and back, as all rooms do it: names, times, pages."""

import base64
import binascii
import hashlib
import hmac
import re
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from marigram.errors import InvalidArgument

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
DEFAULT_PAGE = 100
LARGEST_PAGE = 1_000
_NANOS_LIMIT = 2**63
_MAC_BYTES = 16
_STREAM_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")

Request = TypeVar("Request", bound=Message)


def parse(kind: type[Request], data: bytes) -> Request:
    """The message in these bytes.

    Raises:
        InvalidArgument: there is none of this kind.
    """
    try:
        return kind.FromString(data)
    except DecodeError:
        name = kind.DESCRIPTOR.full_name
        raise InvalidArgument(f"the request is no encoded {name}", reason="MALFORMED_MESSAGE") from None


def resource_id(name: str, collection: str, pattern: re.Pattern[str], field: str, reason: str = "BAD_NAME") -> str:
    """The id in a resource name such as ``streams/cpu``.

    Raises:
        InvalidArgument: it is not ``collection/id``, or the id does not match.
    """
    prefix, slash, found = name.partition("/")
    if prefix != collection or not slash or pattern.fullmatch(found) is None:
        raise InvalidArgument(
            f"a name is {collection}/ and an id that matches {pattern.pattern}, got {name[:160]!r}",
            reason=reason,
            field=field,
        )
    return found


def stream_id(name: str, field: str) -> str:
    """The id in ``streams/{id}``.

    Raises:
        InvalidArgument: it is none.
    """
    return resource_id(name, "streams", _STREAM_ID, field, reason="BAD_STREAM_ID")


def text(value: str, field: str, longest: int) -> str:
    """Text for people, of so many bytes at most.

    Raises:
        InvalidArgument: it is longer.
    """
    if (size := len(value.encode())) > longest:
        raise InvalidArgument(f"{field} has at most {longest} bytes, got {size}", reason="BAD_TEXT", field=field)
    return value


def duration_ns(value: Duration, field: str, *, least_ns: int, most_ns: int) -> int:
    """Nanoseconds of a duration within bounds.

    Raises:
        InvalidArgument: it lies outside of them, or its parts have different signs.
    """
    found = value.seconds * SECOND_NS + value.nanos
    mixed = abs(value.nanos) >= SECOND_NS or (value.seconds > 0 > value.nanos) or (value.seconds < 0 < value.nanos)
    if mixed or not least_ns <= found <= most_ns:
        raise InvalidArgument(
            f"{field} lies between {seconds_text(least_ns)} and {seconds_text(most_ns)}, got {seconds_text(found)}",
            reason="BAD_DURATION",
            field=field,
        )
    return found


def timestamp_ns(value: Timestamp, field: str) -> int:
    """Unix nanoseconds of an instant.

    Raises:
        InvalidArgument: it lies outside of what 64 bits of nanoseconds hold, 1677 to 2262.
    """
    found = value.seconds * SECOND_NS + value.nanos
    if not 0 <= value.nanos < SECOND_NS or not -_NANOS_LIMIT <= found < _NANOS_LIMIT:
        raise InvalidArgument(
            f"{field} lies between the years 1677 and 2262 and has 0 to 999999999 nanos, "
            f"got {value.seconds} s and {value.nanos} nanos",
            reason="BAD_TIMESTAMP",
            field=field,
        )
    return found


def to_duration(ns: int) -> Duration:
    """A duration of nanoseconds, from 0 on."""
    return Duration(seconds=ns // SECOND_NS, nanos=ns % SECOND_NS)


def to_timestamp(ns: int) -> Timestamp:
    """An instant of Unix nanoseconds."""
    return Timestamp(seconds=ns // SECOND_NS, nanos=ns % SECOND_NS)


def seconds_text(ns: int) -> str:
    """Seconds for people: ``0.5 s``."""
    whole, rest = divmod(abs(ns), SECOND_NS)
    digits = f"{whole}.{rest:09}".rstrip("0").rstrip(".")
    return f"{'-' if ns < 0 else ''}{digits} s"


def page_size(asked: int) -> int:
    """Things on a page: 0 is 100, more than 1,000 is 1,000.

    Raises:
        InvalidArgument: below 0.
    """
    if asked < 0:
        raise InvalidArgument(f"page_size is not negative, got {asked}", reason="BAD_PAGE_SIZE", field="page_size")
    return min(asked, LARGEST_PAGE) or DEFAULT_PAGE


class PageTokens:
    """Where a list goes on, opaque and signed: a token holds for the same request of the same namespace alone."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"page tokens", hashlib.sha256)

    def make(self, namespace: int, request: Message, last: str) -> str:
        """The token of the page after the one that ended with ``last``."""
        return base64.urlsafe_b64encode(self._mac(namespace, request, last.encode()) + last.encode()).decode()

    def read(self, namespace: int, request: Message) -> str:
        """What the last page ended with; empty for the first.

        Raises:
            InvalidArgument: the token is none of ours, or was made for another request.
        """
        token: str = getattr(request, "page_token", "")
        if not token:
            return ""
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
            mac, last = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            if hmac.compare_digest(mac, self._mac(namespace, request, last)):
                return last.decode()
        except (binascii.Error, ValueError):
            pass
        raise InvalidArgument(
            "page_token is as the last page gave it, and the other fields are as they were then",
            reason="BAD_PAGE_TOKEN",
            field="page_token",
        )

    def _mac(self, namespace: int, request: Message, last: bytes) -> bytes:
        plain = type(request)()
        plain.CopyFrom(request)
        plain.ClearField("page_token")
        asked = plain.SerializeToString(deterministic=True)
        bound = b"\0".join((request.DESCRIPTOR.full_name.encode(), str(namespace).encode(), asked.hex().encode(), last))
        return hmac.digest(self._key, bound, hashlib.sha256)[:_MAC_BYTES]
