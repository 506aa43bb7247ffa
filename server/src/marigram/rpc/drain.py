"""The end of a server, told to everything that must end with it."""

from collections.abc import Callable

from marigram.errors import Overloaded

RETRY_SECONDS = 1.0


class Drain:
    """Starts once. For the event loop alone."""

    def __init__(self) -> None:
        self.started = False
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


def stopping() -> Overloaded:
    """What calls hear that a drain ends, or lets in no more."""
    return Overloaded("the server is stopping", reason="SHUTTING_DOWN", retry_after=RETRY_SECONDS)
