"""Every exception of Marigram, each with the one who acts on it; ``rpc/status.py`` says what a client sees of it.

The Rust core raises the same classes: ``py/error.rs`` calls them by name with the arguments of ``MarigramError``.
"""

# ruff: noqa: N818  (the names are those of the statuses, and the same in every client)

from typing import ClassVar


class MarigramError(Exception):
    """What went wrong: the rule and what was found.

    ``reason`` is UPPER_SNAKE and listed in docs/errors.md; ``field`` is the dotted path of the field concerned, or
    empty; ``retry_after`` is seconds after which a retry makes sense, or None; ``resource`` names what was not there or
    was there already, or is empty; ``detail`` is for the log alone and never sent.
    """

    default_reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        field: str = "",
        retry_after: float | None = None,
        resource: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.field = field
        self.retry_after = retry_after
        self.resource = resource
        self.detail = detail


class InvalidArgument(MarigramError):
    """The caller fixes the request."""

    default_reason = "INVALID_ARGUMENT"


class NotFound(MarigramError):
    """What was named is not there, or not in the caller's namespace."""

    default_reason = "NOT_FOUND"


class AlreadyExists(MarigramError):
    """What was to be made is there already."""

    default_reason = "ALREADY_EXISTS"


class OutOfRange(MarigramError):
    """A sequence, page or value outside what can be served."""

    default_reason = "OUT_OF_RANGE"


class FailedPrecondition(MarigramError):
    """The caller changes state first."""

    default_reason = "FAILED_PRECONDITION"


class VersionConflict(MarigramError):
    """The caller reads again and retries."""

    default_reason = "VERSION_CONFLICT"


class LimitExceeded(MarigramError):
    """The caller asks for less, or later."""

    default_reason = "LIMIT_EXCEEDED"


class StoreFull(MarigramError):
    """The operator grows the store; queries go on."""

    default_reason = "STORE_FULL"


class Unauthenticated(MarigramError):
    """The caller shows a key that holds."""

    default_reason = "UNAUTHENTICATED"


class PermissionDenied(MarigramError):
    """The caller may not do it."""

    default_reason = "PERMISSION_DENIED"


class Fenced(MarigramError):
    """A newer epoch of this writer is active; open the writer again."""

    default_reason = "WRITER_FENCED"


class Overloaded(MarigramError):
    """The client retries after a delay."""

    default_reason = "OVERLOADED"


class Corrupt(MarigramError):
    """Stored bytes are not what was written; the operator restores."""

    default_reason = "DATA_CORRUPT"


class Unsupported(MarigramError):
    """Declared in the contract, not served."""

    default_reason = "NOT_SERVED"


class DeadlineExceeded(MarigramError):
    """The call's time was up."""

    default_reason = "DEADLINE_EXCEEDED"


class Cancelled(MarigramError):
    """The caller gave up."""

    default_reason = "CANCELLED"


class Internal(MarigramError):
    """A fault of ours; what happened is in the log."""

    default_reason = "INTERNAL"
