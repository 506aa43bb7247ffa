"""What asyncio and threads do each in its own way, here for asyncio. Its twin in ``marigram_client.blocking`` has the
same names; all else of the two clients is one source."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import grpc
import grpc.aio

from marigram_client.errors import Cancelled

T = TypeVar("T")

Lock = asyncio.Lock


class Event(asyncio.Event):
    """A flag to wait for."""

    async def wait_up_to(self, seconds: float) -> None:
        """Wait until it is set, or as long as that."""
        await _up_to(seconds, self.wait())


class Condition(asyncio.Condition):
    """A lock, and a way to wait for a change of what it guards."""

    async def wait_up_to(self, seconds: float) -> None:
        """Wait for a change, or as long as that; the lock is held before and after."""
        await _up_to(seconds, self.wait())


class Task:
    """Work that goes on beside the caller. It never fails in silence: what it raises is handed to ``failed``."""

    def __init__(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        name: str,
        failed: Callable[[Exception], Awaitable[None]],
    ) -> None:
        self._work = work
        self._failed = failed
        self._ending = False
        self._task = asyncio.create_task(self._run(), name=name)

    async def end(self) -> None:
        """Give it up, and wait until it has ended."""
        self._ending = True
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            await self._work()
        except asyncio.CancelledError:
            if not self._ending:  # not by us, so gRPC gave up its calls
                await self._failed(Cancelled("the client was closed before its writer"))
            raise
        except Exception as error:
            await self._failed(error)


async def sleep(seconds: float, stopped: Event | None = None) -> None:
    """Wait, but no longer than until ``stopped`` is set."""
    if stopped is None:
        await asyncio.sleep(seconds)
    else:
        await stopped.wait_up_to(seconds)


def ending(call: Any) -> Callable[[grpc.RpcError], grpc.RpcError]:
    """A function from the error that a call raises to the one that the server ended it with.

    gRPC for asyncio puts INTERNAL in its place when a message was being sent at that moment (grpc/grpc#36066), so it is
    kept when it arrives.
    """
    arrived: list[grpc.aio.AioRpcError] = []

    def keep(ended: Any) -> None:
        code, details, trailers = _now(ended.code()), _now(ended.details()), _now(ended.trailing_metadata())
        arrived.append(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, details))

    call.add_done_callback(keep)
    return lambda error: arrived[0] if arrived else error


async def _up_to(seconds: float, wait: Awaitable[object]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wait


def _now(answer: Coroutine[Any, Any, T]) -> T:
    """What a coroutine that has nothing to wait for returns."""
    try:
        answer.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    finally:
        answer.close()
    raise AssertionError("a call that has ended knows its status")
