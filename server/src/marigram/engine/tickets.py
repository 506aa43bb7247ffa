"""Tickets of the core become futures of the event loop: one watched descriptor wakes it for all of them."""

import asyncio
from typing import Protocol

from marigram.errors import Cancelled, Overloaded


class Completing(Protocol):
    """The part of the core that answers tickets."""

    def completion_fd(self) -> int: ...
    def completions(self) -> list[tuple[int, list[bytes] | Exception]]: ...
    def cancel(self, ticket: int) -> None: ...


class Tickets:
    """Outstanding tickets of one engine on one loop. Everything here is for that loop's thread alone."""

    def __init__(self, core: Completing, loop: asyncio.AbstractEventLoop) -> None:
        self._core = core
        self._loop = loop
        self._waiting: dict[int, asyncio.Future[list[bytes]]] = {}
        self._descriptor = core.completion_fd()
        self._closed = False
        loop.add_reader(self._descriptor, self._take)

    def __len__(self) -> int:
        return len(self._waiting)

    def must_be_open(self) -> None:
        """Refuse work after the close.

        Raises:
            Overloaded: the engine has stopped.
        """
        if self._closed:
            raise Overloaded("the server is stopping", reason="SHUTTING_DOWN", retry_after=1.0)

    def future(self, ticket: int) -> asyncio.Future[list[bytes]]:
        """The future of a ticket just handed out; whoever cancels it loses the answer, not the work."""
        future = self._loop.create_future()
        self._waiting[ticket] = future
        return future

    async def answer(self, ticket: int) -> list[bytes]:
        """Waits for a query; a caller who goes away cancels it in the core too."""
        try:
            return await self.future(ticket)
        except asyncio.CancelledError:
            self._core.cancel(ticket)
            raise

    def close(self) -> None:
        """Watches no more and fails what is still outstanding. A second call does nothing."""
        if self._closed:
            return
        self._take()
        self._closed = True
        self._loop.remove_reader(self._descriptor)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Cancelled("the server stopped before it was done", reason="SERVER_STOPPED"))
                future.exception()
        self._waiting.clear()

    def _take(self) -> None:
        for ticket, answer in self._core.completions():
            future = self._waiting.pop(ticket, None)
            if future is None or future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
                future.exception()  # seen: a stream that failed earlier does not look at what it sent later
            else:
                future.set_result(answer)
