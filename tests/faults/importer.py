"""A process that imports a numbered source by one writer of the client library, and may be killed. Both sides of it.

``python -m tests.faults.importer SIDE ADDRESS KEY`` says ``ready``, waits for its order on standard input, and then
tells with one JSON line before each piece how far it is. Piece n is batch n of the producer ``SOURCE``, whoever writes
it; the writer numbers it n + 1 if all before it are stored.
"""

import asyncio
import contextlib
import itertools
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.client.sides import SIDES
from tests.faults.load import QUIET_S
from tests.faults.roller import write
from tests.faults.server import Server

ROOT = Path(__file__).parent.parent.parent
SOURCE = "source"


class Importer:
    """One life of the importer, from the test's side. All figures are what it had told when it was last heard of."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ready = False
        self.next_sequence = 0  # what the server told it; 0: it has not opened its writer
        self.at = 0  # pieces below it were handed to the writer, it itself perhaps, none above
        self.acked = 0  # pieces below it are durable, as the writer knew
        self.totals: dict[str, int] = {}  # of a whole life
        self._noticed = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    def order(self, *, writer: str = SOURCE, first: int | None = None, end: int | None = None) -> None:
        """Let it write the pieces from ``first`` (None: where its writer goes on) up to ``end`` (None: for ever)."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"writer": writer, "first": first, "end": end}).encode() + b"\n")

    async def until(self, met: Callable[[], object]) -> None:
        """Wait until it has told something that makes this true."""
        async with asyncio.timeout(QUIET_S):
            while not met():
                assert not self._listening.done(), f"the importer ended with {await self.process.wait()}"
                self._noticed.clear()
                await self._noticed.wait()

    async def ended(self) -> int:
        """Wait for its end; its exit code. Then all that it said has been read."""
        async with asyncio.timeout(QUIET_S):
            await self._listening
            return await self.process.wait()

    def kill(self) -> None:
        """SIGKILL, at once."""
        assert self.process.returncode is None
        self.process.send_signal(signal.SIGKILL)

    async def _listen(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            if line.endswith(b"\n"):  # the last may be cut
                vars(self).update(json.loads(line))
            self._noticed.set()
        self._noticed.set()


@contextlib.asynccontextmanager
async def importers(server: Server, side: str) -> AsyncIterator[Callable[[], Awaitable[Importer]]]:
    """A function that starts importers, each ready for its order; none outlives the test."""
    started: list[Importer] = []

    async def start() -> Importer:
        access = (server.address, server.key)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.importer", side, *access),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        importer = Importer(process)
        started.append(importer)
        await importer.until(lambda: importer.ready)
        return importer

    try:
        yield start
    finally:
        for importer in started:
            if importer.process.returncode is None:
                importer.kill()
            await importer.ended()


def say(**figures: Any) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


async def main(side: str, address: str, key: str) -> None:
    say(ready=True)
    order = json.loads(sys.stdin.readline())
    async with SIDES[side](address, key) as client, client.writer(order["writer"]) as writer:
        start = writer.next_sequence - 1 if order["first"] is None else order["first"]
        say(next_sequence=writer.next_sequence, at=start, acked=start)
        for piece in itertools.count(start) if order["end"] is None else range(start, order["end"]):
            say(at=piece, acked=writer.acked_sequence)
            await write(writer, (SOURCE, piece))
        totals = await writer.flush()
    say(at=order["end"], acked=writer.acked_sequence, totals=asdict(totals))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
