"""Blocking work beside an event loop, on threads that a command does not wait for when it ends: a read of standard
input may never come back, and Ctrl-C must."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


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

    threading.Thread(target=run, name="beside", daemon=True).start()
    return await done
