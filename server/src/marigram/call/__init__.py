"""The running call: who makes it, until when, under which id. Set by ``rpc``, read by rooms."""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field

from marigram.call.keys import Key
from marigram.errors import Internal, PermissionDenied


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, by the key that was shown; the namespace comes from nowhere else."""

    key_id: str
    namespace: str
    namespace_id: int
    scopes: frozenset[str]

    @classmethod
    def of(cls, key: Key) -> "Caller":
        """Who shows this key."""
        return cls(key.id, key.namespace, key.namespace_id, key.scopes)

    def require(self, scope: str, message: str) -> None:
        """Refuse without the scope.

        Raises:
            PermissionDenied: the key does not have it.
        """
        if scope not in self.scopes:
            raise PermissionDenied(message, reason="SCOPE_DENIED")


@dataclass(frozen=True, slots=True)
class Call:
    """One call. ``deadline`` is on the monotonic clock in seconds, None for streams that live as long as they like."""

    method: str
    caller: Caller
    request_id: str
    deadline: float | None = None
    started: float = field(default_factory=time.monotonic)

    def time_left(self) -> float | None:
        """Seconds until the deadline, at least 0; None when there is none."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


_current: ContextVar[Call] = ContextVar("marigram_call")


def enter(call: Call) -> None:
    """Makes this the running call of the task, and of what the task starts."""
    _current.set(call)


def current() -> Call:
    """The running call.

    Raises:
        Internal: there is none: the code runs outside of a call.
    """
    try:
        return _current.get()
    except LookupError:
        raise Internal("an internal error", detail="no call is running") from None
