"""The door of a room: what it serves, in words that know nothing of gRPC."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from google.protobuf.message import Message

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

CONTROL_BYTES = 4 * 2**20  # what a method takes unless it says otherwise


class Duplex(Protocol):
    """Both directions of a bidirectional call."""

    async def read(self) -> bytes | None:
        """The next message, or None at the end, which proves nothing: an aborted stream may end like a finished one.

        Raises:
            Unauthenticated: one came, but the caller's key has ended.
        """

    async def write(self, message: bytes) -> None:
        """Sends a message; waits while the reader is slow."""

    @property
    def draining(self) -> bool:
        """True once the server stops: finish what was taken, take no more."""

    def on_drain(self, callback: Callable[[], object]) -> None:
        """Calls back when the server starts to stop; at once if it does already."""


class Methods(Protocol):
    """Where a room says what it serves. ``method`` is the contract's full name, such as
    ``marigram.v1.QueryService/Query``.

    ``max_bytes`` bounds a request; None leaves it to the port. ``seconds`` names the server's longest time for the
    call.
    """

    def unary(
        self,
        method: str,
        handler: Callable[[bytes], Awaitable[bytes]],
        *,
        max_bytes: int | None = CONTROL_BYTES,
        seconds: float | None = None,
    ) -> None:
        """A hot method on the event loop: bytes in, bytes out."""

    def control(
        self,
        method: str,
        request: type[Request],
        handler: Callable[[Request], Response],
        *,
        seconds: float | None = None,
        lengthy: bool = False,
    ) -> None:
        """A method on the control pool, which may wait for a commit: message in, message out. A ``lengthy`` one has
        threads of its own, so that it holds up no other."""

    def stream_out(
        self,
        method: str,
        handler: Callable[[bytes], AsyncGenerator[bytes, None]],
        *,
        max_bytes: int | None = CONTROL_BYTES,
        seconds: float | None = None,
        endless: bool = False,
    ) -> None:
        """One message in, several out. With ``endless`` it has no end of its own: the start of a drain ends it with
        UNAVAILABLE, and the end of the caller's key with UNAUTHENTICATED, within a second."""

    def duplex(self, method: str, handler: Callable[[Duplex], Awaitable[None]]) -> None:
        """Messages both ways, for as long as the connection lives."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work that a room wants done again and again."""

    name: str
    every_seconds: float
    run: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Feature:
    """One room: its name, what it serves, and its jobs."""

    name: str
    register: Callable[[Methods], None]
    jobs: tuple[Job, ...] = ()
