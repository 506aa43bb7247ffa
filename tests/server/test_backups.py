"""Backups that a server makes while it serves: whole, below one directory, one at a time."""

import asyncio
import contextlib
import threading
from pathlib import Path

import grpc
import pytest

from marigram.engine import Backup, Engine
from marigram.engine import backup as room
from marigram.errors import Overloaded
from marigram.v1 import admin_pb2
from tests.server.messages import ask, query, send
from tests.server.support import ADMIN, Client, refused, serving, settings
from tests.server.test_sealing import ROWS, seal, some, status


async def create(client: Client, name: str, base: str = "") -> admin_pb2.CreateBackupResponse:
    """Has the server make a backup."""
    request = admin_pb2.CreateBackupRequest(name=f"backups/{name}", base=f"backups/{base}" if base else "")
    return await client.unary(f"{ADMIN}/CreateBackup", request, admin_pb2.CreateBackupResponse)


async def listed(client: Client, **page: object) -> admin_pb2.ListBackupsResponse:
    """A page of backups."""
    request = admin_pb2.ListBackupsRequest(**page)  # type: ignore[arg-type]
    return await client.unary(f"{ADMIN}/ListBackups", request, admin_pb2.ListBackupsResponse)


async def test_a_backup_under_write_load_verifies_and_restores_with_every_acknowledged_row(tmp_path: Path) -> None:
    given = settings(tmp_path / "data", backup_dir=tmp_path / "copies", tail_limit_bytes=1 << 20)
    acknowledged = 0
    done, answered = asyncio.Event(), asyncio.Event()

    async def write(client: Client) -> None:
        nonlocal acknowledged
        turn = 0
        while not done.is_set():
            acknowledged += (await send(client, some(turn, 500))).stored
            answered.set()
            turn += 1

    async def until(rows: int) -> None:
        while acknowledged < rows:
            answered.clear()
            await answered.wait()

    async with serving(given) as (_, client):
        writer = asyncio.create_task(write(client))
        await until(5_000)
        await seal(client)
        first_at = acknowledged
        first = await create(client, "first")
        await until(first_at + 5_000)
        second_at = acknowledged
        second = await create(client, "second", base="first")
        done.set()
        await writer
        sent = acknowledged
    for name, made, before in (("first", first, first_at), ("second", second, second_at)):
        rows = made.sealed_rows + made.unsealed_rows
        assert before <= rows <= sent
        assert (made.backup.name, made.backup.complete, made.elapsed.ToNanoseconds() > 0) == (
            f"backups/{name}",
            True,
            True,
        )
        (commit,) = made.backup.commits
        assert (commit.namespace, commit.commit > 0) == ("namespaces/default", True)
        found = room.verify(tmp_path / "copies" / name)
        assert found.sealed_rows + found.unsealed_rows == rows
        assert (found.bytes, found.files) == (made.backup.size_bytes, made.backup.files)
        key = (tmp_path / "data" / "admin.key").read_text()
        restored = tmp_path / f"restored-{name}"
        room.restore(tmp_path / "copies" / name, restored)
        (restored / "admin.key").write_text(key)
        async with serving(settings(restored)) as (_, client):
            ((row,), _) = await ask(client, query())
            assert row["count"] == rows
    assert (first.copied_parts > 0, first.shared_parts) == (True, 0)
    assert second.shared_parts + second.copied_parts == room.verify(tmp_path / "copies" / "second").parts


async def test_parts_are_shared_with_the_base(tmp_path: Path) -> None:
    given = settings(tmp_path / "data", backup_dir=tmp_path / "copies", sealing=False)
    async with serving(given) as (_, client):
        await send(client, some(0, ROWS))
        sealed = await seal(client)
        first = await create(client, "2026-11-24")
        await send(client, some(1, 10))
        second = await create(client, "2026-11-25", base="2026-11-24")
    assert (first.copied_parts, first.shared_parts, first.sealed_rows) == (sealed.parts, 0, sealed.rows)
    assert (second.copied_parts, second.shared_parts, second.shared_bytes) == (0, sealed.parts, sealed.bytes)
    assert second.unsealed_rows == 9


async def test_without_a_directory_there_are_no_backups(tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data")) as (_, client):
        for call in (create(client, "first"), listed(client)):
            found = await refused(call)
            assert (found.code, found.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BACKUP_DIRECTORY_UNSET")
            assert "backup_dir" in found.message


async def test_a_directory_for_backups_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "copies").write_text("")
    async with serving(settings(tmp_path / "data", backup_dir=tmp_path / "copies")) as (_, client):
        for call in (create(client, "first"), listed(client)):
            found = await refused(call)
            assert (found.code, found.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BACKUP_DIRECTORY_UNUSABLE")
            assert str(tmp_path) not in found.message


async def test_a_server_that_stops_ends_a_backup_and_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    real = Engine.backup

    def late(self: Engine, target: Path, base: Path | None = None) -> Backup:
        begun.set()
        with contextlib.suppress(Overloaded):
            while True:  # until the engine is closed
                self.verify()
        return real(self, target, base)

    monkeypatch.setattr(Engine, "backup", late)
    given = settings(tmp_path / "data", backup_dir=tmp_path / "copies", sealing=False, grace_seconds=0)
    async with serving(given) as (_, client):
        await send(client, some(0, ROWS))
        await seal(client)
        running = asyncio.create_task(create(client, "first"))
        assert await asyncio.to_thread(begun.wait, 30)
    await asyncio.gather(running, return_exceptions=True)
    assert list((tmp_path / "copies").iterdir()) == []


def test_backups_do_not_lie_in_the_data_directory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="backup_dir"):
        settings(tmp_path / "data", backup_dir=tmp_path / "data" / "copies")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/x", "a.unfinished", "-x", "x" * 64, "ä", "a\0b", "a b"]
)
async def test_a_name_is_one_below_the_directory(tmp_path: Path, name: str) -> None:
    async with serving(settings(tmp_path / "data", backup_dir=tmp_path / "copies")) as (_, client):
        found = await refused(create(client, name))
        assert (found.code, found.reason, found.field) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_BACKUP_ID", "name")
        if name:
            found = await refused(create(client, "x", name))
            assert (found.reason, found.field) == ("BAD_BACKUP_ID", "base")
    assert not (tmp_path / "copies").exists()


async def test_what_is_there_is_not_written_over_and_what_is_not_there_is_no_base(tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data", backup_dir=tmp_path / "copies")) as (_, client):
        await create(client, "first")
        again = await refused(create(client, "first"))
        assert (again.code, again.reason, again.field) == (grpc.StatusCode.ALREADY_EXISTS, "TARGET_EXISTS", "name")
        missing = await refused(create(client, "second", "none"))
        assert (missing.code, missing.reason, missing.field) == (grpc.StatusCode.NOT_FOUND, "BACKUP_NOT_FOUND", "base")
        (tmp_path / "copies" / "empty").mkdir()
        empty = await refused(create(client, "second", "empty"))
        assert (empty.code, empty.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_A_BACKUP")
        assert str(tmp_path) not in again.message + missing.message + empty.message
        itself = await refused(create(client, "first", "first"))
        assert (itself.reason, itself.field) == ("BAD_BACKUP_ID", "base")
    assert sorted(path.name for path in (tmp_path / "copies").iterdir()) == ["empty", "first"]


async def test_one_backup_is_made_at_a_time_and_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun = threading.Event(), threading.Event()
    real = Engine.backup

    def slow(self: Engine, target: Path, base: Path | None = None) -> Backup:
        begun.set()
        assert go_on.wait(30)
        return real(self, target, base)

    monkeypatch.setattr(Engine, "backup", slow)
    async with serving(settings(tmp_path / "data", backup_dir=tmp_path / "copies")) as (_, client):
        await send(client, some(0, 100))
        running = asyncio.create_task(create(client, "first"))
        try:
            assert await asyncio.to_thread(begun.wait, 30)
            second = await refused(create(client, "second"))
            assert (second.code, second.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "BACKUP_RUNNING")
            assert (await seal(client)).rows == 99
            assert (await status(client)).version
        finally:
            go_on.set()
        assert (await running).sealed_rows == 99
        assert (await create(client, "second")).backup.complete  # the turn was given back


async def test_backups_are_listed_with_those_that_are_not_whole(tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    async with serving(settings(tmp_path / "data", backup_dir=copies)) as (_, client):
        assert not (await listed(client)).backups
        made = [await create(client, name) for name in ("c", "a", "d")]
        (copies / "b.unfinished").mkdir()  # as a killed server leaves it
        (copies / "of-somebody-else").mkdir()
        (copies / "a-file").write_text("")
        with (copies / "d" / "hot.mdb").open("ab") as file:
            file.write(b"\0")
        first = await listed(client, page_size=2)
        rest = await listed(client, page_size=2, page_token=first.next_page_token)
        assert not rest.next_page_token
        found = {backup.name: backup for backup in (*first.backups, *rest.backups)}
        assert [(name, backup.complete) for name, backup in found.items()] == [
            ("backups/a", True),
            ("backups/b", False),
            ("backups/c", True),
            ("backups/d", False),
        ]
        assert [found["backups/c"], found["backups/a"]] == [answer.backup for answer in made[:2]]
        assert (await create(client, "b")).backup.complete


async def test_backups_are_for_the_server_s_administrators(tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data", backup_dir=tmp_path / "copies")) as (_, client):
        operator = await client.new_key("operator", "admin:keys")
        for call in (create(operator, "first"), listed(operator)):
            assert (await refused(call)).code is grpc.StatusCode.PERMISSION_DENIED
