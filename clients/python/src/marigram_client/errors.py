# ruff: noqa: N818  (the names of the contract and of the server)
"""Every exception of the client. The names are those of the server, so that an error reads alike on both sides."""

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    import grpc


class MarigramError(Exception):
    """A call that failed.

    ``reason`` is UPPER_SNAKE and meant for programs, ``field`` is the dotted path of what broke a rule (empty when
    nothing in the request did), ``retry_after`` is what the server asked to wait before trying again.
    """

    def __init__(
        self, message: str, *, reason: str = "", field: str = "", retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.field = field
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.reason, self.field, self.retry_after))


def _rebuild(
    kind: type[MarigramError], message: str, reason: str, field: str, retry_after: timedelta | None
) -> MarigramError:
    return kind(message, reason=reason, field=field, retry_after=retry_after)


class InvalidArgument(MarigramError):
    """The request breaks a rule; the caller fixes it."""


class NotFound(MarigramError):
    """What was named is not there, or not in this namespace."""


class AlreadyExists(MarigramError):
    """What was to be made is there already."""


class OutOfRange(MarigramError):
    """A sequence, page or value outside what can be served."""


class FailedPrecondition(MarigramError):
    """The caller changes state first."""


class VersionConflict(MarigramError):
    """Somebody changed it meanwhile; read again and retry."""


class LimitExceeded(MarigramError):
    """A quota or a query's budget was used up; ask for less."""


class StoreFull(LimitExceeded):
    """The operator must make room; queries go on."""


class Unauthenticated(MarigramError):
    """No key, or not a valid one."""


class PermissionDenied(MarigramError):
    """The key lacks the scope."""


class Fenced(PermissionDenied):
    """Somebody opened this writer again; the older one must stop."""


class Overloaded(MarigramError):
    """The server cannot be reached or takes no more now; worth trying again after ``retry_after``."""


class Corrupt(MarigramError):
    """Stored bytes are not what was written; the operator acts."""


class Unsupported(MarigramError):
    """The contract declares it, this server does not serve it."""


class DeadlineExceeded(MarigramError):
    """The call's time was up."""


class Cancelled(MarigramError):
    """The call was given up."""


class Internal(MarigramError):
    """A fault of the server; the message holds the id under which its log tells more."""


_BY_STATUS: dict[str, type[MarigramError]] = {
    "INVALID_ARGUMENT": InvalidArgument,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": AlreadyExists,
    "OUT_OF_RANGE": OutOfRange,
    "FAILED_PRECONDITION": FailedPrecondition,
    "ABORTED": VersionConflict,
    "RESOURCE_EXHAUSTED": LimitExceeded,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": PermissionDenied,
    "UNAVAILABLE": Overloaded,
    "DATA_LOSS": Corrupt,
    "UNIMPLEMENTED": Unsupported,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "CANCELLED": Cancelled,
}

# Two classes may share a status; the reason then tells them apart.
_BY_REASON: dict[str, type[MarigramError]] = {
    "WRITER_FENCED": Fenced,
    "STORE_FULL": StoreFull,
}


class _Ended(Protocol):
    """What the errors of both kinds of channel tell, though gRPC gives them no common type."""

    def code(self) -> "grpc.StatusCode": ...

    def details(self) -> str | None: ...

    def trailing_metadata(self) -> "Iterable[tuple[str, str | bytes]] | None": ...


def status_of(error: "grpc.RpcError") -> "grpc.StatusCode":
    """The status that a call ended with."""
    return cast("_Ended", error).code()


def from_status(error: "grpc.RpcError") -> MarigramError:
    """The exception for a gRPC error of the server or of the way to it, with what its details say."""
    ended = cast("_Ended", error)
    code = ended.code().name
    reason, field, retry_after = _details(ended)
    kind = _BY_STATUS.get(code, Internal)
    named = _BY_REASON.get(reason, kind)
    chosen = named if issubclass(named, kind) else kind
    return chosen(ended.details() or code, reason=reason, field=field, retry_after=retry_after)


def _details(ended: _Ended) -> tuple[str, str, timedelta | None]:
    """(reason, field, retry delay) of the ``google.rpc.Status`` that travels in the trailers."""
    from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped, unused-ignore]

    trailers = ended.trailing_metadata()
    packed = next((value for key, value in trailers or () if key == "grpc-status-details-bin"), None)
    if not isinstance(packed, bytes):
        return "", "", None
    status = status_pb2.Status.FromString(packed)
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    reason, field, retry_after = "", "", None
    for detail in status.details:
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad) and bad.field_violations:
            field = bad.field_violations[0].field
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta()
    return reason, field, retry_after
