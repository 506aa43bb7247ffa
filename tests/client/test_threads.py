"""The blocking client beside threads: one of it serves several, and none of its own outlives it."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from marigram_client import Cancelled
from marigram_client._pb.marigram.v1 import admin_pb2
from marigram_client.blocking import Client
from tests.client.fake import FakeServer
from tests.client.test_writer import times
from tests.client.waiting import until

THREADS = 4
ROWS = 10_000


async def together(*work: object) -> None:
    """Run functions in threads of their own until all have returned."""
    with ThreadPoolExecutor(len(work)) as pool:
        await asyncio.gather(*(asyncio.get_running_loop().run_in_executor(pool, one) for one in work))  # type: ignore[arg-type]


async def test_threads_share_a_writer_and_each_keeps_its_order(server: FakeServer) -> None:
    with Client(server.address, "secret") as client:
        writer = await asyncio.to_thread(client.writer("importer").open)

        def append(thread: int) -> None:
            for number in range(thread * ROWS, (thread + 1) * ROWS):
                writer.append("cpu", {"time": number, "value": 0.5, f"extra{number // 5_000}": 1.0})
            writer.write("cpu", {"time": [THREADS * ROWS + thread]})

        await together(*(lambda thread=thread: append(thread) for thread in range(THREADS)))
        await asyncio.to_thread(writer.close)
    found = times(server)
    assert sorted(found) == list(range(THREADS * ROWS + THREADS))
    for thread in range(THREADS):
        own = [time for time in found if time // ROWS == thread or time == THREADS * ROWS + thread]
        assert own == sorted(own)


async def test_threads_share_a_client(server: FakeServer) -> None:
    server.will("GetStatus", admin_pb2.GetStatusResponse(status=admin_pb2.ServerStatus(version="0.1.0")))
    with Client(server.address, "secret") as client:

        def ask() -> None:
            assert {client.status().version for _ in range(50)} == {"0.1.0"}

        await together(*[ask] * THREADS)
    assert len(server.sent("GetStatus")) == 50 * THREADS


async def test_a_client_that_is_closed_ends_what_other_threads_wait_for(server: FakeServer) -> None:
    first = admin_pb2.WatchStatusResponse(status=admin_pb2.ServerStatus(commits=1))
    server.will("WatchStatus", [first, asyncio.Event()])
    client = Client(server.address, "secret")
    seen: list[int] = []

    def watch() -> None:
        for status in client.watch_status():
            seen.append(status.commits)  # noqa: PERF401 (an error ends it)

    watching = asyncio.create_task(asyncio.to_thread(watch))
    await until(lambda: seen == [1])
    await asyncio.to_thread(client.close)
    with pytest.raises(Cancelled):
        await watching


async def test_a_closed_writer_leaves_no_thread(server: FakeServer) -> None:
    def write() -> None:
        with Client(server.address, "secret") as client, client.writer("importer") as writer:
            writer.append("cpu", {"time": 1, "value": 0.5})

    await asyncio.to_thread(write)
    await until(lambda: not [one for one in threading.enumerate() if one.name.startswith("marigram")])


async def test_a_program_ends_although_it_closed_nothing(server: FakeServer) -> None:
    script = (
        "import sys; from marigram_client import Client\n"
        "writer = Client(sys.argv[1], 'secret').writer('importer').open()\n"
        "writer.append('cpu', {'time': 1, 'value': 0.5})\n"
    )
    command = [sys.executable, "-c", script, server.address]
    done = await asyncio.to_thread(subprocess.run, command, timeout=20, check=False)
    assert done.returncode == 0
