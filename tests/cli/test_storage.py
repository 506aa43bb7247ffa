"""``marigram storage`` and ``marigram verify``: what is on the disk, and whether it is as it was written."""

import json
from pathlib import Path

import pytest

from marigram.cli.demonstration import server
from marigram_client.aio import Client
from tests.cli.running import Served, marigram, run


@pytest.fixture
def loaded(served: Served, stream: str, folder: Path) -> str:
    """A stream of two rows, one of them sealed with the other of its file."""
    (folder / "cpu.csv").write_text("time,host,v\n0,a,1.5\n60000000000,b,2\n")
    assert run("import", "cpu.csv", "--stream", stream, "--labels", "host").exit_code == 0
    return stream


def test_storage_shows_what_is_not_sealed(loaded: str) -> None:
    shown = run("storage", loaded)
    assert shown.exit_code == 0, shown.output
    (line,) = [line for line in shown.stdout.splitlines() if loaded in line]
    assert [cell.strip() for cell in line.strip("│").split("│")][1:3] == ["0", "0"]
    assert "Sealed columns" not in shown.stdout
    assert loaded in run("storage").stdout


async def test_storage_shows_columns_once_they_are_sealed(loaded: str, served: Served) -> None:
    async with Client(served.address, served.key) as client:
        assert (await client.seal(loaded)).rows == 2
    shown = (await marigram("storage", loaded)).stdout
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown.splitlines() if line[:1] == "│"]
    assert [row[1:3] for row in rows[1:]] == [["time", "i64"], ["entity", "code"], ["v", "f64"]]
    (found,) = json.loads((await marigram("storage", loaded, "-o", "json")).stdout)
    assert (found["name"], found["sealed_rows"], found["lag_seconds"]) == (loaded, 2, 0)
    assert found["columns"][0]["plain_bytes"] == 16
    assert "not sealed" in (await marigram("status")).stdout
    assert "2 in 1 part" in (await marigram("streams", "show", loaded)).stdout


def test_an_unknown_stream_is_not_found(served: Served) -> None:
    shown = run("storage", "nope")
    assert shown.exit_code == 5
    assert "STREAM_NOT_FOUND" in shown.stderr


def test_a_server_verifies_its_own_store(loaded: str) -> None:
    shown = run("verify")
    assert shown.exit_code == 0, shown.output
    assert "everything is as it was written" in shown.stderr
    assert json.loads(run("verify", "--output", "json").stdout)["records"] > 0


def test_the_directory_of_a_running_server_is_not_opened(served: Served, tmp_path: Path) -> None:
    assert run("verify", "--data-dir", str(tmp_path / "none")).exit_code == 1


async def test_a_directory_is_verified_without_a_server_and_damage_ends_it_with_a_code(folder: Path) -> None:
    data = folder / "data"
    async with server.running(data) as (address, key), Client(address, key) as client:
        await client.write("cpu", {"time": list(range(5_000)), "v": [float(i) for i in range(5_000)]})
        await client.seal("cpu")
        held = await marigram("verify", "--data-dir", str(data))
        assert (held.exit_code, "STORE_LOCKED" in held.stderr) == (1, True)
    sound = await marigram("verify", "--data-dir", str(data))
    assert sound.exit_code == 0, sound.output
    assert "5,000 rows in 1 part" in sound.stdout
    (part,) = (data / "parts").glob("*.mdb")
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    damaged = await marigram("verify", "--data-dir", str(data))
    assert damaged.exit_code == 1
    assert "DATA_CORRUPT" in damaged.stderr
    assert "part" in damaged.stderr
