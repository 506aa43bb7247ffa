"""Everything that is stored is read and checked: a server's own store, or a copy that none holds."""

import asyncio
import re
import shutil
import struct
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from marigram.engine import Engine, Verified, verify_directory
from marigram.errors import Corrupt, FailedPrecondition
from marigram.inspect.damage import Damages
from marigram.inspect.frames import Table
from marigram.inspect.hot import Hot
from marigram.inspect.indexes import is_index
from marigram.v1 import admin_pb2, ingest_pb2, queries_pb2
from tests.server.messages import ask, batch, f64, measure, query, send, write
from tests.server.support import ADMIN, Client, refused, serving, settings
from tests.server.test_sealing import FIRST_NS, ROWS, seal, some, status


async def verify(client: Client) -> admin_pb2.VerifyStoreResponse:
    """Has the server verify its store."""
    return await client.unary(f"{ADMIN}/VerifyStore", admin_pb2.VerifyStoreRequest(), admin_pb2.VerifyStoreResponse)


def damage(directory: Path) -> Corrupt | None:
    """What is damaged in a directory."""
    try:
        verify_directory(directory)
    except Corrupt as error:
        return error
    return None


def flip(path: Path, at: int) -> None:
    """One byte of a file is another."""
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


async def test_a_sound_store_says_what_was_read(tmp_path: Path) -> None:
    given = settings(tmp_path / "data", sealing=False)
    async with serving(given) as (_, client):
        await send(client, some(0, ROWS))
        sealed = await seal(client)
        await send(client, some(1, 1_200))
        found = await verify(client)
        assert (found.parts, found.part_rows, found.part_bytes) == (sealed.parts, sealed.rows, sealed.bytes)
        assert (found.rows, found.batches, found.l0_values) == (1_199, 1, 1)
        assert min(found.records, found.blocks, found.bytes, found.part_blocks) > 0
    closed = verify_directory(tmp_path / "data")
    assert (closed.rows, closed.part_rows, closed.part_blocks) == (found.rows, found.part_rows, found.part_blocks)


async def test_a_flipped_byte_in_a_part_of_a_copy_is_found_and_named(tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data", sealing=False)) as (_, client):
        await send(client, some(0, ROWS))
        await seal(client)
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    (part,) = (tmp_path / "copy" / "parts").glob("*.mdb")
    found = []
    telling = [
        at for at, byte in enumerate(part.read_bytes()) if byte
    ]  # zeros are the rest of a page, which means nothing
    for at in telling[:: len(telling) // 40]:
        flip(part, at)
        found.append(damage(tmp_path / "copy"))
        flip(part, at)
    named = [error for error in found if error is not None]
    assert len(named) > 20
    for error in named:
        assert error.reason == "DATA_CORRUPT"
        assert re.search(r'stream "cpu".*part \d', error.message), error.message
        assert str(tmp_path) not in error.message
    assert verify_directory(tmp_path / "copy") == verify_directory(tmp_path / "data")


async def test_a_server_on_a_damaged_part_says_data_loss_and_serves_the_rest(tmp_path: Path) -> None:
    given = settings(tmp_path / "data", sealing=False)
    async with serving(given) as (_, client):
        await send(client, some(0, ROWS))
        await seal(client)
        await send(client, some(0, 10))
    (part,) = (tmp_path / "data" / "parts").glob("*.mdb")
    with part.open("r+b") as file:
        file.truncate(part.stat().st_size // 2)
    async with serving(given) as (_, client):
        found = await refused(verify(client))
        assert (found.code, found.reason) == (grpc.StatusCode.DATA_LOSS, "DATA_CORRUPT")
        assert "part" in found.message
        assert "cpu" in found.message
        assert str(tmp_path) not in found.message
        assert (await status(client)).version
        again = await refused(verify(client))
        assert again.reason == "DATA_CORRUPT"  # the turn was given back


async def test_one_verification_runs_at_a_time_and_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun = threading.Event(), threading.Event()
    real = Engine.verify

    def slow(self: Engine) -> Verified:
        begun.set()
        assert go_on.wait(30)
        return real(self)

    monkeypatch.setattr(Engine, "verify", slow)
    async with serving(settings(tmp_path / "data")) as (_, client):
        await send(client, some(0, 100))
        running = asyncio.create_task(verify(client))
        try:
            assert await asyncio.to_thread(begun.wait, 30)
            second = await refused(verify(client))
            assert (second.code, second.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "VERIFY_RUNNING")
            assert (await seal(client)).rows == 99
            ((row,), _) = await ask(client, query())
            assert row["count"] == 99
            assert (await status(client)).version
        finally:
            go_on.set()
        assert (await running).part_rows == 99


async def test_a_directory_that_is_held_or_holds_nothing_is_refused(tmp_path: Path) -> None:
    def reason(of: Path) -> Any:
        with pytest.raises(FailedPrecondition) as caught:
            verify_directory(of)
        return caught.value.reason

    async with serving(settings(tmp_path / "data")):
        assert await asyncio.to_thread(reason, tmp_path / "data") == "STORE_LOCKED"
    assert reason(tmp_path / "nothing") == "STORE_MISSING"
    assert not (tmp_path / "nothing").exists()


async def test_a_damaged_index_of_a_dictionary_is_told_and_changes_no_answer(tmp_path: Path) -> None:
    given = settings(tmp_path / "data", sealing=False)
    names = [f"host-{row:05}" for row in range(ROWS)]
    codes = struct.pack(f"<{ROWS}H", *range(ROWS))
    hosts = ingest_pb2.BatchColumn(name="host", label=ingest_pb2.StringColumn(values=names, codes=codes, code_width=2))
    rows = write(batch(hosts, f64("value", *range(ROWS)), times=[FIRST_NS + row for row in range(ROWS)]))
    asked = query(
        measure("SUM", "value"),
        group_by=[queries_pb2.GroupKey(column="host")],
        order_by=[queries_pb2.OrderBy(column="host")],
    )
    async with serving(given) as (_, client):
        await send(client, rows)
        await seal(client)
        answer, _ = await ask(client, asked)
    hot = tmp_path / "data" / "hot.mdb"
    (index,) = (
        bytes(value) for key, value in Hot(hot.parent, Damages(False, [])).entries(Table.DICTIONARIES) if is_index(key)
    )
    flip(hot, hot.read_bytes().index(index) + 200)
    with capture_logs() as told:
        async with serving(given) as (_, client):
            await send(client, rows)  # each series is the one it was
            refusal = await refused(verify(client))
            assert refusal.reason == "DATA_CORRUPT"
            again, _ = await ask(client, asked)
            assert [row["host"] for row in again] == [row["host"] for row in answer]
            assert [row["sum_value"] for row in again] == [2 * row["sum_value"] for row in answer]
    (warning,) = (line for line in told if line["log_level"] == "warning")
    assert warning["event"].startswith("an index of a dictionary is damaged")
    assert warning["detail"].startswith("table dictionaries, key ")
