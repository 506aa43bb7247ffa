"""``marigram backup``: what a server wrote comes back, what is damaged does not."""

import json
from pathlib import Path

import pytest

from marigram.engine import Engine
from marigram.engine import backup as room
from tests.cli.running import run, serving


@pytest.fixture
def data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that a server has made and left, with three rows."""
    source = folder / "cpu.csv"
    source.write_text(
        "time,host,value\n2026-01-01T00:00:00Z,a,1.5\n2026-01-01T00:00:01Z,b,2\n2026-01-01T00:00:02Z,a,3\n"
    )
    directory = folder / "marigram-data"
    with serving(directory) as served:
        monkeypatch.setenv("MARIGRAM_KEY", served.key)
        found = run("import", str(source), "--labels", "host", "--address", served.address)
        assert found.exit_code == 0, found.output
    return directory


def test_a_restored_directory_is_served_with_its_rows_and_keys(data: Path, folder: Path) -> None:
    key = (data / "admin.key").read_text()
    made = run("backup", "create", "first", "--data-dir", "marigram-data", "-o", "json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["unsealed_rows"] == 3
    assert run("backup", "verify", "first").exit_code == 0
    assert run("backup", "restore", "first", "restored").exit_code == 0
    restored = folder / "restored"
    assert not (restored / "admin.key").exists()
    (restored / "admin.key").write_text(key)
    with serving(restored) as served:
        answer = run("query", "cpu", "-o", "ndjson", "--address", served.address)
    assert json.loads(answer.stdout) == {"count": 3}, answer.output


def test_a_backup_of_a_directory_that_is_served_is_refused(data: Path) -> None:
    with serving(data):
        refused = run("backup", "create", "first", "--data-dir", str(data))
    assert refused.exit_code == 1
    assert "STORE_LOCKED" in refused.stderr
    assert "stop it first" in refused.stderr


def test_a_server_makes_backups_by_name_and_lists_them(data: Path, folder: Path) -> None:
    copies = folder / "copies"
    with serving(data, "--set", f"backup_dir={copies}") as served:
        there = ("--address", served.address)
        made = run("backup", "create", "monday", "-o", "json", *there)
        assert made.exit_code == 0, made.output
        said = json.loads(made.stdout)
        assert (said["sealed_rows"] + said["unsealed_rows"], said["backup"]["commits"]) == (3, {"default": 2})
        shown = run("backup", "create", "tuesday", "--base", "monday", *there)
        assert "commit 2" in shown.stdout, shown.output
        assert [one["name"] for one in json.loads(run("backup", "list", "-o", "json", *there).stdout)] == [
            "monday",
            "tuesday",
        ]
        assert "default 2" in run("backup", "list", *there).stdout
        again = run("backup", "create", "monday", *there)
        assert (again.exit_code, "TARGET_EXISTS" in again.stderr) == (1, True)
        path = run("backup", "create", "/tmp/monday", *there)
        assert (path.exit_code, "--data-dir" in path.stderr) == (2, True)
    for name in ("monday", "tuesday"):
        assert run("backup", "verify", f"copies/{name}").exit_code == 0


def test_a_server_without_a_directory_for_backups_says_which_setting_it_lacks(data: Path) -> None:
    with serving(data) as served:
        refused = run("backup", "create", "monday", "--address", served.address)
    assert (refused.exit_code, "backup_dir" in refused.stderr) == (1, True)


def test_a_damaged_backup_is_named_and_not_restored(data: Path, folder: Path) -> None:
    assert data.is_dir()
    assert run("backup", "create", "first", "--data-dir", "marigram-data").exit_code == 0
    hot = folder / "first" / "hot.mdb"
    content = bytearray(hot.read_bytes())
    content[len(content) // 2] ^= 1
    hot.write_bytes(content)
    for words in (("verify", "first"), ("restore", "first", "restored")):
        refused = run("backup", *words)
        assert refused.exit_code == 1
        assert "hot.mdb" in refused.stderr
        assert "BACKUP_DAMAGED" in refused.stderr
    assert not (folder / "restored").exists()


def test_nothing_is_written_over(data: Path) -> None:
    assert data.is_dir()
    assert run("backup", "create", "first", "--data-dir", "marigram-data").exit_code == 0
    assert "TARGET_EXISTS" in run("backup", "create", "first", "--data-dir", "marigram-data").stderr
    assert "TARGET_EXISTS" in run("backup", "restore", "first", "marigram-data").stderr


def test_an_open_engine_is_backed_up_and_parts_are_shared(folder: Path) -> None:
    engine = Engine.open(folder / "data", {"map_size": 1 << 30, "reserve_bytes": 0, "min_free_bytes": 0})
    engine.create_namespace("default")
    first = engine.backup(folder / "first")
    second = engine.backup(folder / "second", base=folder / "first")
    engine.close()
    assert (first.commits, second.shared_parts) == ((("default", 0),), 0)
    assert room.verify(folder / "second").store_id == first.store_id


def test_going_back_keeps_the_directory_as_it_was(data: Path) -> None:
    asked = run("backup", "rollback", str(data))
    assert asked.exit_code == 2, "nobody can be asked here"
    done = run("backup", "rollback", str(data), "--yes")
    assert done.exit_code == 0, done.output
    assert "3 rows" in done.stderr
    assert data.with_name("marigram-data.before-rollback").is_dir()
