"""The library's writers through kill -9, of the server under them and of themselves: each row once."""

import asyncio
import contextlib
import os
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults import rows
from tests.faults.load import QUIET_S
from tests.faults.server import Server, key_file, running

pytestmark = pytest.mark.fault
SIDES = pytest.mark.parametrize("side", ["aio", "blocking"])
STEP = 40  # pieces between two kills, at least


class Program:
    """A run of ``tests.faults.writing``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.written = self.acked = 0

    async def next_line(self) -> bool:
        """Take one line of what it says; False at its end."""
        assert self.process.stdout
        line = await asyncio.wait_for(self.process.stdout.readline(), QUIET_S)
        if line:
            self.written, self.acked = map(int, line.split())
        return bool(line)

    async def until(self, written: int) -> None:
        """Wait until it has written so many pieces, or ends."""
        while self.written < written and await self.next_line():
            pass

    async def end(self) -> int:
        """Wait for its end; its exit code."""
        while await self.next_line():
            pass
        return await asyncio.wait_for(self.process.wait(), QUIET_S)

    async def kill(self) -> bool:
        """Kill it; whether something that it had written was not acknowledged, as far as it said."""
        self.process.kill()
        await self.end()
        return self.written > self.acked


@contextlib.asynccontextmanager
async def program(server: Server, side: str, pieces: int, writer: str = "pieces") -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.writing", side, f"127.0.0.1:{server.port}", writer, "pieces", str(pieces),
        env=os.environ | {"MARIGRAM_KEY": key_file(server.folder).read_text().strip()},
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def judged(server: Server, pieces: int) -> rows.Findings:
    """What is there, when all pieces are acknowledged; the ledger must balance too."""
    ledger = (await server.status()).ledger
    assert ledger.received == ledger.stored + sum(rule.rows for rule in ledger.rejected) + ledger.duplicate
    every = [("pieces", index) for index in range(pieces)]
    return rows.judge(every, every, await server.visible())


@SIDES
async def test_a_writer_lives_through_kills_of_its_server(
    tmp_path: Path, dice: random.Random, full: bool, side: str
) -> None:
    kills = 40 if full else 3
    pieces = (kills + 1) * 2 * STEP
    caught = 0
    async with running(tmp_path / "data") as server, program(server, side, pieces) as writing:
        for kill in range(kills):
            await writing.until(2 * STEP * kill + dice.randrange(STEP, 2 * STEP))
            caught += writing.written > writing.acked
            server.kill()
            await server.start()
        assert await writing.end() == 0
        findings = await judged(server, pieces)
        assert not findings, findings
        assert (await server.status()).ledger.stored == pieces * rows.ROWS
    assert caught >= kills / 2, "the kills must fall between a send and its acknowledgement"


@SIDES
async def test_a_killed_writer_goes_on_where_it_was(tmp_path: Path, dice: random.Random, full: bool, side: str) -> None:
    kills = 40 if full else 4
    pieces = (kills + 1) * 2 * STEP
    caught = 0
    async with running(tmp_path / "data") as server:
        for kill in range(kills):
            async with program(server, side, pieces) as writing:
                await writing.until(2 * STEP * kill + dice.randrange(STEP, 2 * STEP))
                caught += await writing.kill()
        async with program(server, side, pieces) as writing:
            assert await writing.end() == 0
        findings = await judged(server, pieces)
        assert not findings, findings
        assert (await server.status()).ledger.stored == pieces * rows.ROWS
    assert caught >= kills / 2, "the kills must fall between a send and its acknowledgement"


async def test_control_a_program_that_takes_a_new_name_each_time_stores_rows_twice(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as server:
        for name in ("first", "second"):
            async with program(server, "aio", STEP, name) as writing:
                assert await writing.end() == 0
        findings = await judged(server, STEP)
    assert findings.torn, findings
