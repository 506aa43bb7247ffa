"""What asyncio and threads do each in its own way, here for asyncio. Its twin in ``marigram_client.blocking`` has the
same names; all else of the two clients is one source."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from marigram_client.errors import Cancelled

Lock = asyncio.Lock


class Event(asyncio.Event):
    """A flag to wait for."""

    async def wait_up_to(self, seconds: float) -> None:
        """Wait until it is set, or as long as that."""
        try:
            async with asyncio.timeout(seconds):
                await self.wait()
        except TimeoutError:
            pass


class Condition(asyncio.Condition):
    """A lock, and a way to wait for a change of what it guards."""

    async def wait_up_to(self, seconds: float) -> None:
        """Wait for a change, or as long as that; the lock is held before and after."""
        try:
            async with asyncio.timeout(seconds):
                await self.wait()
        except TimeoutError:
            pass


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
