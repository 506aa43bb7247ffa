"""Four producers on a server, through as many of its processes as there are."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.faults import rows
from tests.faults.producer import Fault, Producer
from tests.faults.server import Server

QUIET_S = 60.0


class Load:
    """Four producers on a server: two with streams, two with single calls."""

    def __init__(self, server: Server, fault: Fault = "none") -> None:
        self.server = server
        self.up, self.stop = asyncio.Event(), asyncio.Event()
        self.producers = [Producer(server, f"producer-{number}", number % 2 == 0, fault) for number in range(4)]
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def sent(self) -> set[rows.Batch]:
        return set().union(*(producer.sent for producer in self.producers))

    @property
    def acked(self) -> set[rows.Batch]:
        return set().union(*(producer.acked for producer in self.producers))

    def acked_rows(self) -> int:
        return rows.ROWS * sum(len(producer.acked) for producer in self.producers)

    async def until(self, goal: int) -> None:
        """Let them send until so many rows are acknowledged in all."""
        for _ in range(100_000):
            assert not any(producer.complaint for producer in self.producers), [p.complaint for p in self.producers]
            for task in self.tasks:
                if task.done():
                    task.result()
            if self.acked_rows() >= goal:
                return
            for producer in self.producers:
                producer.noticed.clear()
            waits = [asyncio.ensure_future(producer.noticed.wait()) for producer in self.producers]
            done, pending = await asyncio.wait(waits, timeout=QUIET_S, return_when=asyncio.FIRST_COMPLETED)
            for wait in pending:
                wait.cancel()
            assert done, f"no ack for {QUIET_S} s: {self.server.log()}"
        pytest.fail("too many acks")

    def kill(self) -> int:
        """Kill the server under them; return how many batches were in flight."""
        self.server.kill()
        self.pause()
        return sum(len(producer.unacked) for producer in self.producers)

    def pause(self) -> None:
        """Let nobody send until ``up`` is set again."""
        self.up.clear()
        for producer in self.producers:
            producer.changed.set()

    async def finish(self) -> None:
        """Let them get everything acknowledged that they have sent, and end."""
        self.stop.set()
        for producer in self.producers:
            producer.changed.set()
        await asyncio.wait_for(asyncio.gather(*self.tasks), QUIET_S)

    async def restart(self) -> rows.Findings:
        """Start again, and judge what is there before anybody sends again."""
        await self.server.start()
        return rows.judge(self.sent, self.acked, await self.server.visible())


@contextlib.asynccontextmanager
async def loaded(server: Server, fault: Fault = "none") -> AsyncIterator[Load]:
    load = Load(server, fault)
    load.tasks = [asyncio.create_task(producer.run(load.up, load.stop)) for producer in load.producers]
    load.up.set()
    try:
        yield load
    finally:
        for task in load.tasks:
            task.cancel()
        await asyncio.gather(*load.tasks, return_exceptions=True)
