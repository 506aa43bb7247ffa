"""What asyncio and threads do each in its own way, here for threads. Its twin in ``marigram_client.aio`` has the same
names; all else of the two clients is one source."""

import threading
import time
from collections.abc import Callable

import grpc

Lock = threading.Lock


class Event(threading.Event):
    """A flag to wait for."""

    def wait_up_to(self, seconds: float) -> None:
        """Wait until it is set, or as long as that."""
        self.wait(seconds)


class Condition(threading.Condition):
    """A lock, and a way to wait for a change of what it guards."""

    def wait_up_to(self, seconds: float) -> None:
        """Wait for a change, or as long as that; the lock is held before and after."""
        self.wait(seconds)


class Task:
    """Work that goes on beside the caller. It never fails in silence: what it raises is handed to ``failed``."""

    def __init__(self, work: Callable[[], None], name: str, failed: Callable[[Exception], None]) -> None:
        self._work = work
        self._failed = failed
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait until it has ended; it has been told to."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            self._failed(error)


def sleep(seconds: float, stopped: Event | None = None) -> None:
    """Wait, but no longer than until ``stopped`` is set."""
    if stopped is None:
        time.sleep(seconds)
    else:
        stopped.wait_up_to(seconds)


def ending(call: object) -> Callable[[grpc.RpcError], grpc.RpcError]:
    """A function from the error that a call raises to the one that the server ended it with: here they are the same."""
    return lambda error: error
