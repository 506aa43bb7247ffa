"""T6: on a full disk ingest is refused by name, queries and deletes go on, and room made is room used."""

import contextlib
import resource
import shutil
import time
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2

from marigram.v1 import ingest_pb2_grpc
from tests.faults import disk, process, rows
from tests.faults.server import running
from tests.faults.test_io_error import PATIENCE_S, write_until_taken

pytestmark = pytest.mark.fault
MOST = 20_000


def fill(child: process.Child, first: int) -> int:
    """Write until the store is full; return the index of the batch that was refused."""
    with pytest.raises(process.FailedError) as caught:
        child.command("write", producer="one", first=first, count=MOST)
    assert (caught.value.error, caught.value.reason) == ("StoreFull", "STORE_FULL"), caught.value
    return max(index for _, index in child.sent)


def limit(child: process.Child, size: int) -> None:
    """Let no file of the child grow beyond ``size`` bytes; -1: any size again. Python ignores the signal for it."""
    hard = resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def test_a_file_that_may_not_grow_refuses_rows_and_answers_queries(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with process.Child() as child:
        child.command("open", path=str(store), options=disk.OPTIONS)
        child.command("write", producer="one", first=0, count=5)
        limit(child, max(disk.environment_file(store).stat().st_size, disk.OPTIONS["reserve_bytes"]))
        refused = fill(child, 5)
        assert not rows.judge(child.sent, child.acked, child.visible())
        assert child.command("status")["status"]["accepting"] is False
        with pytest.raises(process.FailedError) as caught:
            child.command("write", producer="one", first=refused + 1, count=1)
        assert caught.value.reason == "STORE_FULL"
        limit(child, -1)
        seconds, _ = write_until_taken(child, refused + 2)
        print(f"full after {len(child.acked)} batches; back {seconds:.3f} s after there was room")  # noqa: T201
        assert child.command("status")["status"]["accepting"] is True
        assert not rows.judge(child.sent, child.acked, child.visible())
        sent, acked = child.sent, child.acked
    found = process.inspect([store], disk.OPTIONS)[store]
    assert disk.verdict(found, sent, acked)[0] == "sound", found


def test_a_part_that_may_not_grow_is_not_written_and_its_rows_stay(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with process.Child() as child:
        child.command("open", path=str(store), options=disk.OPTIONS)
        child.command("write", producer="one", first=0, count=5)
        assert child.command("seal")["parts"] == 1
        child.command("write", producer="one", first=5, count=40)
        limit(child, 5 * 4096)
        for _ in range(3):
            with pytest.raises(process.FailedError) as caught:
                child.command("seal")
            assert (caught.value.error, caught.value.reason) == ("StoreFull", "STORE_FULL"), caught.value
            assert not rows.judge(child.sent, child.acked, child.visible())
        assert len(disk.part_files(store)) <= 2, "refused seals do not pile up"
        limit(child, -1)
        assert child.command("seal")["rows"] == 40 * rows.ROWS
        assert len(disk.part_files(store)) == 2
        assert not rows.judge(child.sent, child.acked, child.visible())
        write_until_taken(child, 45)
        sent, acked = child.sent, child.acked
    found = process.inspect([store], disk.OPTIONS)[store]
    assert disk.verdict(found, sent, acked)[0] == "sound", found


async def test_a_server_on_a_full_disk_says_so_and_answers_queries(tmp_path: Path) -> None:
    acked: set[rows.Batch] = set()
    async with running(tmp_path / "data") as server, server.channel() as channel:
        stub = ingest_pb2_grpc.IngestServiceStub(channel)

        async def write(index: int) -> None:
            await stub.Write(rows.write_request(("one", index)), metadata=server.metadata, timeout=30)
            acked.add(("one", index))

        await write(0)
        # The reserve keeps its size; the environment may grow no more than a little.
        server.limit(max(disk.environment_file(server.folder).stat().st_size, 1 << 20))
        refused = None
        for index in range(1, MOST):
            try:
                await write(index)
            except grpc.aio.AioRpcError as error:
                refused = error
                break
        assert refused is not None
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, refused
        assert reason(refused) == "STORE_FULL"
        sent = {("one", number) for number in range(index + 1)}
        assert not rows.judge(sent, acked, await server.visible())
        status = await server.status()
        assert (status.accepting_writes, status.refusal_reason) == (False, "STORE_FULL")
        server.limit(-1)
        index += 1
        began = time.monotonic()
        while True:
            try:
                await write(index)
                break
            except grpc.aio.AioRpcError:
                assert time.monotonic() - began < PATIENCE_S, "still refusing although there is room"
        assert not rows.judge(sent | acked, acked, await server.visible())
        assert (await server.status()).accepting_writes


def reason(error: grpc.aio.AioRpcError) -> str:
    """Read the reason of the error's ErrorInfo."""
    found: Any = error_details_pb2.ErrorInfo()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            assert isinstance(value, bytes)
            for detail in status_pb2.Status.FromString(value).details:
                detail.Unpack(found)
    return str(found.reason)


def test_a_disk_without_room_refuses_rows_and_recovers(small_disk: Path) -> None:
    options = disk.OPTIONS | {"reserve_bytes": 4 << 20, "min_free_bytes": 1 << 20}
    store, filler = small_disk / "store", small_disk / "filler"
    with process.Child() as child:
        child.command("open", path=str(store), options=options)
        child.command("write", producer="one", first=0, count=5)
        free = shutil.disk_usage(small_disk).free
        filler.write_bytes(bytes(free - (2 << 20)))
        refused = fill(child, 5)
        assert not rows.judge(child.sent, child.acked, child.visible())
        status = child.command("status")["status"]
        assert (status["accepting"], status["refusal_reason"]) == (False, "STORE_FULL")
        filler.unlink()
        # Nobody has written since: whoever asks makes it look again.
        assert child.command("status")["status"]["accepting"] is True
        seconds, _ = write_until_taken(child, refused + 1)
        print(f"full after {len(child.acked)} batches; back {seconds:.3f} s after there was room")  # noqa: T201
        assert child.command("status")["status"]["accepting"] is True
        assert not rows.judge(child.sent, child.acked, child.visible())
        sent, acked = child.sent, child.acked
    found = process.inspect([store], options)[store]
    assert disk.verdict(found, sent, acked)[0] == "sound", found


def test_a_disk_without_a_byte_left_still_lets_a_stream_be_deleted(small_disk: Path) -> None:
    options = disk.OPTIONS | {"reserve_bytes": 4 << 20, "min_free_bytes": 1 << 20}
    with process.Child() as child:
        child.command("open", path=str(small_disk / "store"), options=options)
        child.command("write", producer="one", first=0, count=50)
        with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(bytes(4096)):
                pass
        assert shutil.disk_usage(small_disk).free == 0
        refused = fill(child, 50)
        assert child.command("delete")["rows"] == len(child.acked) * rows.ROWS
        assert child.visible() == {}
        (small_disk / "filler").unlink()
        child.acked.clear()
        write_until_taken(child, refused + 1)
        assert not rows.judge(child.sent, child.acked, child.visible())


@pytest.mark.parametrize("left", [0, 16 << 10, 512 << 10])
def test_a_disk_without_room_for_a_part_refuses_the_seal_and_recovers(small_disk: Path, left: int) -> None:
    options = disk.OPTIONS | {"reserve_bytes": 1 << 20, "min_free_bytes": 0}
    store = small_disk / "store"
    with process.Child() as child:
        child.command("open", path=str(store), options=options)
        child.command("write", producer="one", first=0, count=5)
        assert child.command("seal")["parts"] == 1
        child.command("write", producer="one", first=5, count=40)
        with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            filler.write(bytes(shutil.disk_usage(small_disk).free - left))
            while left == 0 and filler.write(bytes(4096)):
                pass
        for _ in range(3):
            with pytest.raises(process.FailedError) as caught:
                child.command("seal")
            assert (caught.value.error, caught.value.reason) == ("StoreFull", "STORE_FULL"), caught.value
            assert not rows.judge(child.sent, child.acked, child.visible())
        refused = fill(child, 45)
        assert not rows.judge(child.sent, child.acked, child.visible())
        assert len(disk.part_files(store)) == 1, "a refused seal leaves nothing behind"
        (small_disk / "filler").unlink()
        seconds, _ = write_until_taken(child, refused + 1)
        assert child.command("seal")["parts"] == 1
        print(f"back {seconds:.3f} s after there was room")  # noqa: T201
        assert not rows.judge(child.sent, child.acked, child.visible())
        sent, acked = child.sent, child.acked
    found = process.inspect([store], options)[store]
    assert disk.verdict(found, sent, acked)[0] == "sound", found
