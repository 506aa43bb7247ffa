"""A store that was not stopped cleanly is read by another process before a server opens it: what ends that process is
damage found, and ends no server."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from marigram.engine import Engine, after_stop
from marigram.errors import Corrupt
from tests.faults import disk, process
from tests.faults.server import Server, running
from tests.faults.test_wrong_files import everything, garbage

pytestmark = pytest.mark.fault
PAGE = 4096
CHECKED = "was checked before it is opened"


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A store as a crash leaves it: copied while an engine has it open."""
    return crash(tmp_path / "live", tmp_path / "crashed")


def crash(live: Path, to: Path) -> Path:
    engine = Engine.open(live, disk.OPTIONS)
    namespace = engine.create_namespace("faults")
    engine.put_document(namespace, "room", "zeros", bytes(64 * PAGE), None)
    disk.copy(live, to)
    engine.close()
    return to


def unreadable(store: Path) -> None:
    """Turn the pages of zeros of its data file into holes of a disk that is full: each ends whoever has it mapped, as a
    sector does that the disk has lost."""
    file = disk.environment_file(store)
    data = file.read_bytes()
    (store / "lock").touch()
    (store / "reserve").unlink(missing_ok=True)
    with file.open("r+b") as sparse:
        sparse.truncate(0)
        for at in range(0, len(data), PAGE):
            if any(data[at : at + PAGE]):
                sparse.seek(at)
                sparse.write(data[at : at + PAGE])
        sparse.truncate(len(data))
    assert file.stat().st_blocks * 512 < len(data), "there are holes"
    with (store.parent / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(PAGE))
        except OSError:
            pass


def serve(store: Path, *flags: str) -> "subprocess.CompletedProcess[str]":
    """Serve it until it ends by itself."""
    command = [sys.executable, "-m", "marigram.cli", "serve", "--data-dir", str(store), "--port", "0", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_page_that_cannot_be_read_is_told_and_ends_no_server(tmp_path: Path, small_disk: Path) -> None:
    store = crash(tmp_path / "live", small_disk / "store")
    unreadable(store)
    before = everything(store)
    with pytest.raises(Corrupt, match="SIGBUS"):
        after_stop.check(store)
    ended = serve(store)
    assert ended.returncode == 1, ended.stderr
    assert "DATA_CORRUPT" in ended.stderr
    assert "SIGBUS" in ended.stderr
    assert everything(store) == before
    # The control: without the check the same page ends the process that opens, without a word.
    assert process.inspect([store], disk.OPTIONS)[store]["signal"] == signal.SIGBUS
    silent = serve(store, "--set", "check_after_crash=false")
    assert (silent.returncode, "DATA_CORRUPT" in silent.stderr) == (-signal.SIGBUS, False)


async def test_a_killed_server_is_checked_at_the_next_start_and_a_stopped_one_is_not(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as server:
        for _ in range(2):
            server.kill()
            assert after_stop.stopped_uncleanly(server.folder)
            await server.start()
        assert server.said(CHECKED) == 2
        code, _ = await server.stop(signal.SIGTERM)
        assert (code, after_stop.stopped_uncleanly(server.folder)) == (0, False)
        await server.start()
        assert server.said(CHECKED) == 2


async def test_the_check_can_be_turned_off(tmp_path: Path) -> None:
    async with running(tmp_path / "data", os.environ | {"MARIGRAM_CHECK_AFTER_CRASH": "false"}) as server:
        server.kill()
        await server.start()
        assert server.said(CHECKED) == 0


def test_a_sound_store_passes_and_nothing_in_it_changes(crashed: Path) -> None:
    before = everything(crashed)
    assert after_stop.stopped_uncleanly(crashed)
    assert after_stop.check(crashed)
    assert everything(crashed) == before
    assert after_stop.stopped_uncleanly(crashed), "only a clean stop marks one"
    Engine.open(crashed, disk.OPTIONS).close()
    assert not after_stop.stopped_uncleanly(crashed)


def test_damage_is_told_as_opening_tells_it(crashed: Path) -> None:
    file = disk.environment_file(crashed)
    data = bytearray(file.read_bytes())
    place = data.index(bytes(2 * PAGE)) + PAGE
    data[place] ^= 1
    file.write_bytes(data)
    before = everything(crashed)
    with pytest.raises(Corrupt) as checked:
        after_stop.check(crashed)
    with pytest.raises(Corrupt) as opened:
        Engine.open(crashed, disk.OPTIONS)
    assert (checked.value.message, checked.value.detail) == (opened.value.message, opened.value.detail)
    assert everything(crashed) == before


def test_what_cannot_be_told_apart_is_checked(crashed: Path) -> None:
    file = disk.environment_file(crashed)
    for content in (b"", garbage(3 * PAGE), file.read_bytes()[: 3 * PAGE]):
        file.write_bytes(content)
        assert after_stop.stopped_uncleanly(crashed)
        with pytest.raises(Corrupt):
            after_stop.check(crashed)


def test_a_check_that_does_not_end_is_damage(crashed: Path) -> None:
    with pytest.raises(Corrupt, match="not come to an end"):
        after_stop.check(crashed, seconds=0.0)


def test_a_check_that_cannot_run_leaves_it_to_the_opening(crashed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(crashed / "none"))
    assert not after_stop.check(crashed)


async def test_a_directory_that_is_held_or_holds_nothing_is_left_to_the_opening(tmp_path: Path) -> None:
    assert not after_stop.stopped_uncleanly(tmp_path / "none")
    assert not after_stop.stopped_uncleanly(tmp_path)
    server = Server(tmp_path / "data")
    try:
        await server.start()
        assert not after_stop.stopped_uncleanly(server.folder)
        assert not after_stop.check(server.folder), "another process holds it"
        ended = serve(server.folder)
        assert "STORE_LOCKED" in ended.stderr
    finally:
        server.end()
