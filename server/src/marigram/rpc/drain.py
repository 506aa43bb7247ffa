"""The end of a server, told to everything that must end with it."""

import asyncio
from collections.abc import Callable

from marigram.errors import Overloaded

RETRY_SECONDS = 1.0
QUIET_SECONDS = 0.02
BUSY_QUIET_SECONDS = 0.2
LONGEST_SECONDS = 2.0


class Drain:
    """Starts once. For the event loop alone.

    A call that waits inside gRPC for its handler when the port closes is cut off with CANCELLED and no reason. So calls
    that come after the start are held: whoever waits for an answer sends nothing else meanwhile. Once no more come the
    port is closed, and those that are held are let go with UNAVAILABLE.
    """

    def __init__(self) -> None:
        self.started = False
        self.port_closed = asyncio.Event()
        self._came = 0
        self._callbacks: set[Callable[[], object]] = set()

    def add(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Calls back at the start, at once if that is past; the answer takes the callback away again."""
        if self.started:
            callback()
            return lambda: None
        self._callbacks.add(callback)
        return lambda: self._callbacks.discard(callback)

    def start(self) -> None:
        """Takes no new work from now on."""
        self.started = True
        while self._callbacks:
            self._callbacks.pop()()

    def note_call(self) -> None:
        """A call has come after the start."""
        self._came += 1

    async def quiet(self, *, busy: bool) -> None:
        """Waits until calls have ceased to come, but not for ever. ``busy``: some run, so that others may come."""
        clock = asyncio.get_running_loop().time
        until = clock() + LONGEST_SECONDS
        before = -1
        while before != self._came and clock() < until:
            before = self._came
            await asyncio.sleep(BUSY_QUIET_SECONDS if busy or self._came else QUIET_SECONDS)


def stopping() -> Overloaded:
    """What calls hear that a drain ends, or lets in no more."""
    return Overloaded("the server is stopping", reason="SHUTTING_DOWN", retry_after=RETRY_SECONDS)
