"""What a client sees of an error: one table from class to status, and the details that go with it.

A status holds the rule and what was found. It never holds ``detail``, a traceback, a path or a key: those are for the
log.
"""

import secrets
from typing import NamedTuple

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from marigram import errors
from marigram.call.tokens import mask

DOMAIN = "marigram"
DETAILS_KEY = "grpc-status-details-bin"
RETRY_KEY = "google.rpc.retryinfo-bin"  # some senders of telemetry look for the delay here alone
MESSAGE_SIGNS = 1_024  # clients refuse trailers above 8 KiB
FIELD_SIGNS = 512

# Searched along a class's bases.
CODES: dict[type[errors.MarigramError], grpc.StatusCode] = {
    errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.OutOfRange: grpc.StatusCode.OUT_OF_RANGE,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.VersionConflict: grpc.StatusCode.ABORTED,
    errors.LimitExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.StoreFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.Fenced: grpc.StatusCode.PERMISSION_DENIED,
    errors.Overloaded: grpc.StatusCode.UNAVAILABLE,
    errors.Corrupt: grpc.StatusCode.DATA_LOSS,
    errors.Unsupported: grpc.StatusCode.UNIMPLEMENTED,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
    errors.Internal: grpc.StatusCode.INTERNAL,
    errors.MarigramError: grpc.StatusCode.INTERNAL,
}


class Status(NamedTuple):
    """A status as it is sent; ``error_id`` is what message and log share where the fault is ours, else empty."""

    code: grpc.StatusCode
    message: str
    trailers: tuple[tuple[str, str | bytes], ...]
    error_id: str


def status_of(error: Exception) -> Status:
    """The status of an error; of any that is not ours, nothing but an id."""
    known = error if isinstance(error, errors.MarigramError) else errors.Internal("an internal error")
    code = next(CODES[base] for base in type(known).__mro__ if base in CODES)
    message, error_id = mask(known.message)[:MESSAGE_SIGNS], ""
    if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS):
        error_id = secrets.token_hex(8)
        message = f"{message} ({error_id})"
    details = list(_details(known))
    packed = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed.details.add().Pack(detail)
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, packed.SerializeToString())]
    trailers += [(RETRY_KEY, detail.SerializeToString()) for detail in details if _is_retry(detail)]
    return Status(code, message, tuple(trailers), error_id)


def _details(error: errors.MarigramError) -> list[Message]:
    field, message = error.field[:FIELD_SIGNS], mask(error.message)[:MESSAGE_SIGNS]
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata={"field": field} if field else {})
    ]
    match error:
        case errors.InvalidArgument() if field:
            violation = error_details_pb2.BadRequest.FieldViolation(
                field=field, description=message[:FIELD_SIGNS], reason=error.reason
            )
            details.append(error_details_pb2.BadRequest(field_violations=[violation]))
        case errors.LimitExceeded() | errors.StoreFull():
            quota = error_details_pb2.QuotaFailure.Violation(subject=error.reason, description=message[:FIELD_SIGNS])
            details.append(error_details_pb2.QuotaFailure(violations=[quota]))
        case errors.NotFound() | errors.AlreadyExists():
            collection = error.resource.partition("/")[0] if error.resource else ""
            details.append(
                error_details_pb2.ResourceInfo(
                    resource_type=collection,
                    resource_name=error.resource[:FIELD_SIGNS],
                    description=message[:FIELD_SIGNS],
                )
            )
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(max(0, int(error.retry_after * 1e9)))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return details


def _is_retry(detail: Message) -> bool:
    return isinstance(detail, error_details_pb2.RetryInfo)
