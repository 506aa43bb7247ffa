"""A server that stops taking rows: writers wait, memory stays, and nothing is lost when it goes on."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import psutil
import pytest

from marigram.cli.demonstration import server
from marigram_client.aio import Client
from tests.client.sides import Connect
from tests.client.waiting import until

KIBIBYTE = 1 << 10
BATCH_BYTES = 256 * KIBIBYTE
IN_FLIGHT_BYTES = 8 * BATCH_BYTES
SLACK_BYTES = 32 << 20
"""What allocators may do meanwhile; an unbounded writer takes several times that in the second that is looked at."""
NAMES = np.array([f"host-{number:03}" for number in range(1_000)], object)


async def columns(writer: Any, first: int) -> int:
    """Narrow rows as columns: a time, one of 1,000 labels, a number."""
    rows = np.arange(first, first + 50_000)
    await writer.write("cpu", {"time": rows, "host": NAMES[rows % 1_000], "value": rows / 2}, labels=["host"])
    return len(rows)


async def single(writer: Any, first: int) -> int:
    """Wide rows, one at a time."""
    for number in range(first, first + 100):
        await writer.append("notes", {"time": number, "note": f"{number:0400}"})
    return 100


@pytest.fixture
async def beside(connect: Connect) -> AsyncIterator[tuple[Client, int]]:
    """A client, and the process id of its server."""
    others = {child.pid for child in psutil.Process().children()}
    async with server.running() as (address, key), connect(address, key) as client:
        (process,) = {child.pid for child in psutil.Process().children()} - others
        yield client, process


@pytest.mark.parametrize("give", [columns, single])
async def test_a_writer_waits_in_bounded_memory_while_the_server_is_stopped(
    beside: tuple[Client, int], give: Callable[[Any, int], Awaitable[int]]
) -> None:
    client, process = beside
    rows = 0
    enough = False

    async def write_on(writer: Any) -> None:
        nonlocal rows
        while not enough:
            rows += await give(writer, rows)

    async with client.writer("importer", batch_bytes=BATCH_BYTES, in_flight_bytes=IN_FLIGHT_BYTES) as writer:
        rows += await give(writer, rows)
        backlog = writer._delivery.backlog
        os.kill(process, signal.SIGSTOP)
        try:
            writing = asyncio.create_task(write_on(writer))
            await until(lambda: backlog.is_full(BATCH_BYTES) and writer._cutting.locked())
            await asyncio.wait([writing], timeout=0.2)  # what the server had sent before it was stopped arrives
            stalled = (rows, backlog.next_sequence, backlog.size_bytes)
            before = psutil.Process().memory_info().rss
            done, _ = await asyncio.wait([writing], timeout=1)
            assert not done
            assert (rows, backlog.next_sequence, backlog.size_bytes) == stalled
            assert backlog.size_bytes <= IN_FLIGHT_BYTES
            assert psutil.Process().memory_info().rss - before < SLACK_BYTES
            enough = True
        finally:
            os.kill(process, signal.SIGCONT)
        await writing
    assert (writer.totals.stored, writer.totals.rejected) == (rows, 0)
