"""Kill -9 of the server under the writers of the client library, and of processes that write by one: each row is
there once, in order."""

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.client.sides import SIDES
from tests.faults import rows, shim
from tests.faults.importer import SOURCE, Importer, importers
from tests.faults.roller import Roller
from tests.faults.server import Server, running

pytestmark = pytest.mark.fault
SYNC_DELAYS_US = (1_000, 5_000, 20_000)  # slow syncs, so that batches pile up in the server too
REST = 50  # pieces that the last importer writes beyond what others began
OPENING = 1 / 8  # of the kills fall while the importer opens its writer
POOL = 3  # importers that are started together, so that one follows the other at once


def assert_in_order(visible: Mapping[rows.Batch, rows.Shown]) -> None:
    """What is stored of each producer is the beginning of what it wrote, without a hole."""
    for producer in {producer for producer, _ in visible}:
        found = sorted(index for name, index in visible if name == producer)
        assert found == list(range(len(found))), f"{producer} has holes"


async def assert_balanced(server: Server, stored: int) -> int:
    """Hold the server's ledger to what was written; how many rows came again."""
    ledger = (await server.status()).ledger
    assert ledger.stored == stored
    assert ledger.received == ledger.stored + sum(rule.rows for rule in ledger.rejected) + ledger.duplicate
    return ledger.duplicate


async def test_writers_live_through_kills_of_the_server(
    tmp_path: Path, shim_library: Path, control: shim.Control, dice: random.Random, full: bool
) -> None:
    kills = 40 if full else 5
    settings = shim.environment(shim_library, "/hot.mdb", control=control.path)
    caught = dict.fromkeys(SIDES, 0)
    async with running(tmp_path / "data", settings) as server:
        access = (server.address, server.key)
        async with (
            SIDES["aio"](*access) as one,
            SIDES["blocking"](*access) as other,
            one.writer("aio", in_flight_bytes=100_000) as one_writer,
            other.writer("blocking", in_flight_bytes=100_000) as other_writer,
        ):
            rollers = [Roller(one_writer), Roller(other_writer)]
            writing = [asyncio.create_task(roller.run()) for roller in rollers]
            try:
                for _ in range(kills):
                    control["sync_delay_us"] = dice.choice(SYNC_DELAYS_US)
                    for roller in rollers:
                        await roller.until_acked(len(roller.acked) + 1 + dice.randrange(60))
                    server.kill()
                    acked = [batch for roller in rollers for batch in roller.acked]
                    for roller in rollers:  # the newest may still be waiting for room
                        caught[roller.writer.name] += len(roller.sent) - 1 > len(roller.acked)
                    await server.start()
                    visible = await server.visible()
                    sent = [batch for roller in rollers for batch in roller.sent]
                    findings = rows.judge(sent, acked, visible)
                    assert not findings, findings
                    assert_in_order(visible)
                control["sync_delay_us"] = 0
                for roller in rollers:
                    await roller.until_acked(len(roller.acked) + 30)
            finally:
                for roller in rollers:
                    roller.stop.set()
                await asyncio.gather(*writing)
            totals = [await roller.writer.flush() for roller in rollers]
        sent = [batch for roller in rollers for batch in roller.sent]
        findings = rows.judge(sent, sent, await server.visible())
        assert not findings, findings
        assert [each.stored for each in totals] == [len(roller.sent) * rows.ROWS for roller in rollers]
        assert [roller.writer.epoch for roller in rollers] == [1, 1]
        duplicate = await assert_balanced(server, sum(each.stored for each in totals))
    print(  # noqa: T201
        f"{kills} kills, with batches in flight {caught}; "
        f"{len(sent) * rows.ROWS} rows, {duplicate} of them sent again although stored"
    )
    assert min(caught.values()) >= (kills + 1) // 2, "the kills must fall between a send and its ack"


class Import:
    """One source through as many processes as are killed; ``at`` and ``acked`` are those of the last one that died."""

    def __init__(self) -> None:
        self.at = self.acked = 0
        self.caught = 0  # deaths with pieces handed over that the process did not know to be durable
        self.lost = 0  # pieces that were handed over and died with their process or server
        self.unheard = 0  # pieces that were durable before their process heard of it

    def ended(self, importer: Importer) -> None:
        """Hold where the importer went on to what those before it told, and take down how far it came itself."""
        if not importer.next_sequence:  # it died before its writer was open
            return
        stored = importer.next_sequence - 1
        assert self.acked <= stored <= self.at + 1, f"goes on at {stored}, not from {self.acked} to {self.at + 1}"
        self.lost += max(0, self.at - stored)
        self.unheard += stored - self.acked
        self.at, self.acked = importer.at, importer.acked
        self.caught += importer.at > importer.acked

    async def judge(self, server: Server, writing: Importer) -> None:
        """Hold what is stored to what was told, while the next importer writes."""
        visible = await server.visible()
        assert_in_order(visible)
        await writing.until(lambda: max(self.at, writing.at) + 1 >= len(visible))  # it tells before it writes
        findings = rows.judge(batches(len(visible)), batches(self.acked), visible)
        assert not findings, findings


async def at_work(importer: Importer, piece: int = 0) -> None:
    """Wait until an importer has opened its writer and come to a piece."""
    await importer.until(lambda: importer.next_sequence and importer.at >= piece)


def batches(end: int) -> list[rows.Batch]:
    return [(SOURCE, piece) for piece in range(end)]


@pytest.mark.parametrize("side", SIDES)
async def test_a_killed_importer_stores_each_row_once(
    tmp_path: Path, shim_library: Path, control: shim.Control, dice: random.Random, full: bool, side: str
) -> None:
    kills = 40 if full else 6
    settings = shim.environment(shim_library, "/hot.mdb", control=control.path)
    async with running(tmp_path / "data", settings) as server, importers(server, side) as start:
        source = Import()
        ready: list[Importer] = [await start()]
        ready[0].order()
        for kill in range(kills):
            if len(ready) == 1:
                ready += await asyncio.gather(*(start() for _ in range(POOL)))
            control["sync_delay_us"] = dice.choice(SYNC_DELAYS_US)
            writing = ready.pop(0)
            if dice.random() >= OPENING:
                await at_work(writing)
                await at_work(writing, writing.at + dice.randrange(120))
            if with_server := kill % 3 == 2:
                server.kill()
            writing.kill()
            if kill < kills - 1:
                ready[0].order()  # at once: the server may not know yet that its forerunner is dead
            if with_server:
                await server.start()
            await writing.ended()
            source.ended(writing)
            if kill < kills - 1:
                await source.judge(server, ready[0])
        end = source.at + 1 + REST
        ready[0].order(end=end)
        assert await ready[0].ended() == 0
        source.ended(ready[0])
        findings = rows.judge(batches(end), batches(source.acked), await server.visible())
        assert not findings, findings
        assert source.acked == end
        duplicate = await assert_balanced(server, end * rows.ROWS)
        assert duplicate == ready[0].totals["duplicate"] == 0, "nobody sent anything again"
        assert ready[0].totals["stored"] == (end + 1 - ready[0].next_sequence) * rows.ROWS
    print(  # noqa: T201
        f"{side}: {kills} kills, {source.caught} with pieces in flight; {end * rows.ROWS} rows; "
        f"{source.lost} pieces died in flight, {source.unheard} were stored unheard"
    )
    assert source.caught >= (kills + 1) // 2, "the kills must fall between a send and its ack"
    assert source.lost, "something must have died in flight"
    assert source.unheard, "something must have been stored unheard"


# The controls prove the judgement, which is the same for both clients: so each has one of them.
async def test_control_an_importer_that_believes_its_sends_loses_rows(
    tmp_path: Path, shim_library: Path, control: shim.Control
) -> None:
    control["sync_delay_us"] = SYNC_DELAYS_US[-1]
    settings = shim.environment(shim_library, "/hot.mdb", control=control.path)
    async with running(tmp_path / "data", settings) as server, importers(server, "aio") as start:
        one, other = await asyncio.gather(start(), start())
        one.order()
        await at_work(one, 100)
        server.kill()
        one.kill()
        await one.ended()
        await server.start()
        end = one.at + REST
        other.order(first=one.at, end=end)
        assert await other.ended() == 0
        findings = rows.judge(batches(end), batches(end), await server.visible())
    assert findings.lost, findings


async def test_control_an_importer_with_a_new_name_each_time_stores_rows_twice(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as server, importers(server, "blocking") as start:
        one, other = await asyncio.gather(start(), start())
        one.order(writer="one")
        await one.until(lambda: one.acked >= 10)
        one.kill()
        await one.ended()
        other.order(writer="other", end=one.at + REST)
        assert await other.ended() == 0
        findings = rows.judge(batches(other.at), batches(one.acked), await server.visible())
    assert findings.torn, findings
