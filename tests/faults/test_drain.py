"""T29: a server that is stopped under load, and started again: no row lost, none twice, and clients are told to come
again."""

import asyncio
import os
import random
import signal
import statistics
from pathlib import Path

import grpc
import pytest

from marigram_client.aio import Client
from tests.faults import rows
from tests.faults.bystanders import looking_on
from tests.faults.load import QUIET_S, loaded
from tests.faults.roller import Roller, write
from tests.faults.server import running

pytestmark = pytest.mark.fault
FLOOR = 1_000  # rows acknowledged between two stops, or the run proves nothing
EXIT_S = 10.0
TERM, INT = signal.SIGTERM, signal.SIGINT
DRAINED, AT_ONCE = 0, 130  # exit codes
STOPS = (((TERM,), DRAINED), ((INT,), DRAINED), ((TERM, TERM), AT_ONCE))
# Writes go on for a moment after health has said that it stops: the second signal falls into that.
NOTICE = {"MARIGRAM_NOTICE_SECONDS": "0.1"}
UNAVAILABLE = {grpc.StatusCode.UNAVAILABLE}


async def test_stopped_servers_lose_and_repeat_nothing_and_say_come_again(
    tmp_path: Path, dice: random.Random, full: bool
) -> None:
    cycles = 30 if full else 6
    took: list[float] = []
    in_flight = 0
    async with (
        running(tmp_path / "data", os.environ | NOTICE) as server,
        loaded(server) as load,
        looking_on(server) as bystanders,
    ):
        for cycle in range(cycles):
            signals, code = STOPS[cycle % len(STOPS)]
            await load.until(load.acked_rows() + FLOOR + dice.randrange(3 * FLOOR))
            await bystanders.until_answered()
            in_flight += any(producer.unacked for producer in load.producers)
            found, seconds = await server.stop(*signals)
            assert found == code, server.log()
            took.append(seconds)
            load.pause()
            findings = await load.restart()
            assert not findings, findings
            bystanders.begin()
            load.up.set()
        await load.until(load.acked_rows() + FLOOR)
        await bystanders.until_answered()
        await load.finish()
        assert load.acked == load.sent
        findings = rows.judge(load.sent, load.acked, await server.visible())
        assert not findings, findings
        ledger = (await server.status()).ledger
        assert ledger.stored == len(load.sent) * rows.ROWS
        assert ledger.received == ledger.stored + ledger.duplicate
    endings = sum((producer.endings for producer in load.producers), bystanders.endings)
    resent = sum(producer.resent for producer in load.producers)
    print(  # noqa: T201
        f"{cycles} stops, {in_flight} with batches in flight; {load.acked_rows()} rows acknowledged, "
        f"{resent} batches sent again; ended after {statistics.median(took):.2f} s median, {max(took):.2f} s at most; "
        f"calls ended with {dict(endings)}"
    )
    assert bystanders.complaint == ""
    assert set(endings) == UNAVAILABLE, endings
    assert in_flight >= cycles // 2, "the stops must fall between a send and its ack"
    assert max(took) <= EXIT_S


async def test_control_a_producer_that_believes_its_sends_loses_rows_to_a_stop(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as server, loaded(server, "believes sends") as load:
        await load.until(2 * FLOOR)
        assert (await server.stop(TERM))[0] == DRAINED
        load.pause()
        findings = await load.restart()
    assert findings.lost, findings


async def test_control_a_client_that_hears_anything_else_is_noticed(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as server, loaded(server) as load, looking_on(server, key="none") as found:
        await load.until(FLOOR)
        async with asyncio.timeout(QUIET_S):
            while not found.endings:
                found.noticed.clear()
                await found.noticed.wait()
    assert set(found.endings) == {grpc.StatusCode.UNAUTHENTICATED}


async def test_a_writer_lives_through_a_rolling_restart(tmp_path: Path, full: bool) -> None:
    restarts = 10 if full else 3
    async with (
        running(tmp_path / "data", os.environ | NOTICE) as server,
        Client(server.address, server.key) as client,
        client.writer("roller", in_flight_bytes=100_000) as writer,
    ):
        roller = Roller(writer)
        writing = asyncio.create_task(roller.run())
        try:
            for _ in range(restarts):
                await roller.until_acked(writer.acked_sequence + 30)
                assert (await server.stop(TERM))[0] == DRAINED
                acked = roller.acked
                await server.start()
                findings = rows.judge(roller.sent, acked, await server.visible())
                assert not findings, findings
            await roller.until_acked(writer.acked_sequence + 30)
        finally:
            roller.stop.set()
            await writing
        totals = await writer.flush()
        findings = rows.judge(roller.sent, roller.sent, await server.visible())
        assert not findings, findings
        assert (writer.epoch, totals.batches) == (1, len(roller.sent))
        ledger = (await server.status()).ledger
        assert ledger.stored == len(roller.sent) * rows.ROWS == totals.stored
    print(f"{restarts} restarts; {totals.stored} rows, {totals.duplicate} of them sent again")  # noqa: T201


async def test_control_a_batch_that_comes_under_two_names_is_seen(tmp_path: Path) -> None:
    async with (
        running(tmp_path / "data") as server,
        Client(server.address, server.key) as client,
    ):
        for name in ("one", "two"):
            async with client.writer(name) as writer:
                await write(writer, ("one", 0))
        findings = rows.judge([("one", 0)], [("one", 0)], await server.visible())
    assert findings.torn, findings
