"""Blocking work beside an event loop, on threads that a command does not wait for when it ends: a read of standard
input may never come back, and Ctrl-C must."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_GRACE_S = 0.2
_threads: list[threading.Thread] = []


def all_done() -> bool:
    """Whether no work is under way any more, after a short wait. A thread that comes back from foreign code while the
    interpreter ends makes it abort (python/cpython#87135), so that it must not end as long as there is one."""
    until = time.monotonic() + _GRACE_S
    for thread in _threads:
        thread.join(max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in _threads)


async def beside(work: Callable[[], T]) -> T:
    """What the work returns or raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(answer: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(answer)  # type: ignore[arg-type]  # None only if T is

    def run() -> None:
        answer: T | None = None
        error: BaseException | None = None
        try:
            answer = work()
        except BaseException as caught:  # raised where it is awaited
            error = caught
        with suppress(RuntimeError):  # the loop may be gone
            loop.call_soon_threadsafe(settle, answer, error)

    thread = threading.Thread(target=run, name="beside", daemon=True)
    _threads[:] = [other for other in _threads if other.is_alive()] + [thread]
    thread.start()
    return await done
