"""Both clients behind one face, so that one test speaks for both: the blocking one is driven in threads."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, cast

from marigram_client import aio, blocking

Connect = Callable[..., aio.Client]
"""Makes a client of one side: ``connect(address, key)``."""

_END = object()


class Awaited:
    """A blocking client or writer as tests await it: each call runs in a thread, each result is what it gave."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.plain, name)
        if not inspect.ismethod(found):
            return found
        if inspect.isgeneratorfunction(found):
            return lambda *given, **named: _each(found(*given, **named))
        if name == "writer":
            return lambda *given, **named: Awaited(found(*given, **named))
        if name == "query_of":
            return lambda *given, **named: _Query(found(*given, **named))

        async def call(*given: Any, **named: Any) -> Any:
            result = await asyncio.to_thread(found, *given, **named)
            return self if result is self.plain else result

        return call

    async def __aenter__(self) -> "Awaited":
        await asyncio.to_thread(self.plain.__enter__)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.plain.__exit__, kind, error, trace)


class _Query:
    """A query of a blocking client: only its last step asks."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.plain, name)
        if not inspect.ismethod(found):
            return found
        if name in ("run", "explain"):
            return lambda *given, **named: asyncio.to_thread(found, *given, **named)
        return lambda *given, **named: _Query(found(*given, **named))


async def _each(plain: Iterator[Any]) -> AsyncIterator[Any]:
    try:
        while (item := await asyncio.to_thread(next, plain, _END)) is not _END:
            yield item
    finally:
        cast("Any", plain).close()


def _blocking(*given: Any, **named: Any) -> aio.Client:
    return cast("aio.Client", Awaited(blocking.Client(*given, **named)))


SIDES: dict[str, Connect] = {"aio": aio.Client, "blocking": _blocking}
