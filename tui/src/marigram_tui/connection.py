"""The figures of a server, followed through its restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from marigram_tui.clock import Clock
from marigram_tui.gateway import Gateway, Kind, Trouble

if TYPE_CHECKING:
    from marigram_tui.gateway import ServerStatus

INTERVAL = timedelta(seconds=1)
SILENCE_S = 8.0
"""Without figures for so long, a connection that looks open is taken for dead."""
DELAYS_S = (1.0, 2.0, 3.0, 5.0)
PATIENT_S = 15.0
"""Between attempts that a person must act for, such as giving another key."""


class Phase(Enum):
    """Where a connection stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Link:
    """The connection now; when it is lost, why, and at which second of the clock it is tried again."""

    phase: Phase
    trouble: Trouble | None = None
    retry_at: float = 0.0


class Connection:
    """Follows a server for ever: hands on its figures, and says how the connection stands when that changes."""

    def __init__(
        self,
        gateway: Gateway,
        clock: Clock,
        on_status: "Callable[[ServerStatus], None]",
        on_link: Callable[[Link], None],
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._on_status = on_status
        self._on_link = on_link
        self._hurry = asyncio.Event()
        self._failed = 0

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow()
            except Trouble as trouble:
                await self._wait(trouble)

    def retry_now(self) -> None:
        """Do not wait for the next attempt."""
        self._hurry.set()

    async def _follow(self) -> None:
        figures = self._gateway.watch_status(INTERVAL)
        live = False
        while True:
            status = await self._next(figures)
            self._failed = 0
            if not live:
                live = True
                self._on_link(Link(Phase.LIVE))
            self._on_status(status)

    async def _next(self, figures: "AsyncIterator[ServerStatus]") -> "ServerStatus":
        """The next figures.

        Raises:
            Trouble: they ended, or did not come in time.
        """
        coming = asyncio.ensure_future(anext(figures))
        silence = asyncio.ensure_future(self._clock.sleep(SILENCE_S))
        try:
            await asyncio.wait((coming, silence), return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                raise Trouble(Kind.LOST, f"no figures for {SILENCE_S:.0f} s")
            return coming.result()
        except StopAsyncIteration:
            raise Trouble(Kind.LOST, "the server ended the connection") from None
        finally:
            for task in (coming, silence):
                if not task.done():
                    task.cancel()
                    with suppress(asyncio.CancelledError, Trouble):
                        await task

    async def _wait(self, trouble: Trouble) -> None:
        delay = PATIENT_S if trouble.kind is not Kind.LOST else DELAYS_S[min(self._failed, len(DELAYS_S) - 1)]
        self._failed += 1
        self._on_link(Link(Phase.LOST, trouble, self._clock.now() + delay))
        self._hurry.clear()
        tasks = (asyncio.ensure_future(self._clock.sleep(delay)), asyncio.ensure_future(self._hurry.wait()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
