"""A data directory that a server must not open keeps it from starting, by name, and is left as it was."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from marigram.errors import MarigramError
from marigram.rpc.server import Server
from tests.server.messages import ask, batch, f64, query, send, write
from tests.server.support import serving, settings


def newer(store: Path) -> None:
    marker = store / "MARIGRAM"
    marker.write_text(marker.read_text().replace("format 1", "format 2"))


def foreign(store: Path) -> None:
    (store / "MARIGRAM").write_text("a diary\n")


def other_machine(store: Path) -> None:
    marker = store / "MARIGRAM"
    marker.write_text(marker.read_text().replace("little", "big"))


def linked(store: Path) -> None:
    (store / "hot.mdb").rename(store / "elsewhere")
    (store / "hot.mdb").symlink_to(store / "elsewhere")


def lost(store: Path) -> None:
    (store / "hot.mdb").unlink()


def contents(directory: Path) -> dict[str, bytes]:
    files = (path for path in sorted(directory.rglob("*")) if path.is_file() and path.name != "LOCK")
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (newer, "FORMAT_TOO_NEW"),
        (foreign, "STORE_FOREIGN"),
        (other_machine, "STORE_FOREIGN"),
        (linked, "NOT_A_FILE"),
        (lost, "DATA_CORRUPT"),
    ],
)
async def test_a_directory_that_is_not_this_server_s_is_refused_and_left_alone(
    tmp_path: Path, harm: Callable[[Path], None], reason: str
) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    async with serving(settings(data)) as (_, client):
        await send(client, write(batch(f64("value", 1))))
    shutil.copytree(data, kept)
    (marker,) = data.rglob("MARIGRAM")
    harm(marker.parent)
    before = contents(data)
    with pytest.raises(MarigramError) as caught:
        await Server.start(settings(data))
    assert caught.value.reason == reason
    assert contents(data) == before
    async with serving(settings(kept)) as (_, client):
        ((row,), _) = await ask(client, query())
        assert row["count"] == 1


async def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(MarigramError) as caught:
        await Server.start(settings(tmp_path / "data"))
    assert caught.value.reason in ("NOT_A_DIRECTORY", "DATA_DIRECTORY_UNUSABLE")
