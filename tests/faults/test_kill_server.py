"""T1: kill -9 under four producers that resend what was not acknowledged: no row lost, none twice, none invented."""

import asyncio
import contextlib
import random
import statistics
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults import rows, shim
from tests.faults.producer import Fault, Producer
from tests.faults.server import Server, running

pytestmark = pytest.mark.fault
FLOOR = 1_000  # rows acknowledged between two kills, or the run proves nothing
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
        self.up.clear()
        self.server.kill()
        for producer in self.producers:
            producer.changed.set()
        return sum(len(producer.unacked) for producer in self.producers)

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


async def test_killed_servers_lose_and_repeat_nothing(tmp_path: Path, dice: random.Random, full: bool) -> None:
    kills = 60 if full else 8
    caught = 0
    async with running(tmp_path / "data") as server, loaded(server) as load:
        for _ in range(kills):
            before = load.acked_rows()
            await load.until(before + FLOOR + dice.randrange(3 * FLOOR))
            assert load.acked_rows() - before >= FLOOR
            caught += load.kill() > 0
            findings = await load.restart()
            assert not findings, findings
            load.up.set()
        await load.until(load.acked_rows() + FLOOR)
        load.stop.set()
        for producer in load.producers:
            producer.changed.set()
        await asyncio.wait_for(asyncio.gather(*load.tasks), QUIET_S)
        assert load.acked == load.sent
        findings = rows.judge(load.sent, load.acked, await server.visible())
        assert not findings, findings
        ledger = (await server.status()).ledger
        rejected = sum(rule.rows for rule in ledger.rejected)
        assert ledger.received == ledger.stored + rejected + ledger.duplicate
        assert ledger.stored == len(load.sent) * rows.ROWS
        restarts = sorted(server.starts_s[1:])
    p95 = restarts[max(0, round(0.95 * len(restarts)) - 1)]
    resent, duplicates = (sum(getattr(p, name) for p in load.producers) for name in ("resent", "duplicates"))
    print(  # noqa: T201
        f"{kills} kills, {caught} with batches in flight; {load.acked_rows()} rows acknowledged, "
        f"{resent} batches sent again, {duplicates} of them stored before; "
        f"to SERVING {statistics.median(restarts):.2f} s median, {p95:.2f} s p95"
    )
    assert caught >= kills // 2, "the kills must fall between a send and its ack"
    assert resent, "something must have been sent again"
    assert p95 <= 2.0 * (1 if full else 5)


@pytest.mark.parametrize("fault", ["believes sends", "renumbers"])
async def test_control_a_broken_producer_is_seen(
    tmp_path: Path, shim_library: Path, control: shim.Control, fault: Fault
) -> None:
    # Slow syncs, so that there surely is a batch that was sent and is not durable.
    control["sync_delay_us"] = 20_000
    settings = shim.environment(shim_library, "/hot.mdb", control=control.path)
    async with running(tmp_path / "data", settings) as server, loaded(server, fault) as load:
        await load.until(2 * FLOOR)
        load.kill()
        findings = await load.restart()
        if fault == "renumbers":
            load.up.set()
            await load.until(len(load.acked) * rows.ROWS + 1)
            findings = rows.judge(load.sent, load.acked, await server.visible())
    assert control["syncs"] > 0
    assert findings.lost if fault == "believes sends" else findings.torn, findings
