"""T8: a file that is cut, replaced, exchanged or not a file at all is refused by name, and left as it is. T11: so is a
second process."""

import hashlib
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults import disk, process, rows

pytestmark = pytest.mark.fault
BATCHES = 6
LONGEST_S = 10.0  # to be refused, with the start of a process; the promise is 1 s
SENT = {("one", index) for index in range(BATCHES)}


def make(folder: Path) -> Path:
    """A closed store with two parts and rows in the log."""
    with process.Child() as child:
        child.command("open", path=str(folder), options=disk.OPTIONS)
        for first in range(0, BATCHES, 2):
            child.command("write", producer="one", first=first, count=2)
            if first < BATCHES - 2:
                assert child.command("seal")["parts"] == 1
    return folder


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two stores that were made alike: the same names, other ids."""
    folder = tmp_path_factory.mktemp("stores")
    return make(folder / "one"), make(folder / "other")


def parts(store: Path) -> list[Path]:
    return sorted(store.glob("parts/*.mdb"))


def everything(store: Path) -> dict[str, str]:
    """Hash what is there, links as links, but for locks."""
    found = {}
    for path in sorted(store.rglob("*")):
        if path.is_file() and not disk.is_lock(path.name) and path.name != "reserve":
            kind = f"link to {path.readlink()}" if path.is_symlink() else "file"
            found[str(path.relative_to(store))] = kind + hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def garbage(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def linked(file: Path) -> None:
    """Put a link to it in a file's place."""
    file.rename(file.with_suffix(".elsewhere"))
    file.symlink_to(file.with_suffix(".elsewhere"))


def folded(file: Path) -> None:
    """Put a folder in a file's place."""
    file.unlink()
    file.mkdir()


def exchanged(file: Path) -> None:
    """Exchange a part with the other."""
    other = next(path for path in parts(file.parent.parent) if path != file)
    file.rename(file.with_suffix(".x"))
    other.rename(file)
    file.with_suffix(".x").rename(other)


ANY: dict[str, Callable[[Path], Any]] = {
    "cut": lambda file: os.truncate(file, 5 * 4096),
    "empty": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(garbage(file.stat().st_size)),
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "missing": lambda file: file.unlink(),
    "link": linked,
    "folder": folded,
}
PART = ANY | {
    "cut by a byte": lambda file: os.truncate(file, file.stat().st_size - 1),
    "longer": lambda file: file.write_bytes(file.read_bytes() + bytes(4096)),
    "exchanged": exchanged,
    "the other's": lambda file: shutil.copy(next(each for each in parts(file.parent.parent) if each != file), file),
}


def assert_refused(store: Path, *, opens: bool) -> dict[str, Any]:
    """It is refused, by name, and nothing is changed."""
    before = everything(store)
    result = process.inspect([store], disk.OPTIONS)[store]
    assert result.get("error") in {"Corrupt", "FailedPrecondition"}, result
    assert ("damaged" in result) is opens, result
    if opens:
        assert result["damaged"] != []
        assert result["reason"] == "DATA_CORRUPT"
        assert f'"{rows.STREAM}"' in result["message"]
        # An opening is a commit of its own.
        before.pop("hot.mdb")
    after = everything(store)
    assert before.items() <= after.items(), "a refused file was changed"
    return result


@pytest.mark.parametrize("fault", PART)
def test_a_part_that_is_another_file_is_told_by_the_queries_that_need_it(
    stores: tuple[Path, Path], tmp_path: Path, fault: str
) -> None:
    store = tmp_path / "store"
    disk.copy(stores[0], store)
    PART[fault](parts(store)[0])
    assert_refused(store, opens=True)


def test_a_part_of_another_store_is_refused(stores: tuple[Path, Path], tmp_path: Path) -> None:
    store = tmp_path / "store"
    disk.copy(stores[0], store)
    mine, other = parts(store)[0], parts(stores[1])[0]
    assert (mine.name, mine.stat().st_size) == (other.name, other.stat().st_size)
    shutil.copy(other, mine)
    assert_refused(store, opens=True)


@pytest.mark.parametrize("fault", ANY)
def test_a_hot_environment_that_is_another_file_is_refused(
    stores: tuple[Path, Path], tmp_path: Path, fault: str
) -> None:
    store = tmp_path / "store"
    disk.copy(stores[0], store)
    ANY[fault](disk.environment_file(store))
    assert_refused(store, opens=False)


def test_a_part_in_the_place_of_the_hot_environment_is_refused(stores: tuple[Path, Path], tmp_path: Path) -> None:
    store = tmp_path / "store"
    disk.copy(stores[0], store)
    shutil.copy(parts(store)[0], disk.environment_file(store))
    assert_refused(store, opens=False)


def test_a_folder_of_parts_that_is_a_link_is_refused(stores: tuple[Path, Path], tmp_path: Path) -> None:
    store, other = tmp_path / "store", tmp_path / "other"
    disk.copy(stores[0], store)
    disk.copy(stores[1], other)
    shutil.copy(parts(other)[0], other / "parts" / "1-1-77.mdb")
    before = everything(other)
    shutil.rmtree(store / "parts")
    (store / "parts").symlink_to(other / "parts")
    result = assert_refused(store, opens=False)
    assert result["reason"] == "NOT_A_DIRECTORY"
    assert everything(other) == before


def test_a_hot_environment_of_another_store_is_refused_and_parts_are_kept(
    stores: tuple[Path, Path], tmp_path: Path
) -> None:
    """Its records name other parts: those that are there must not be taken for what a crash left behind."""
    store, fresh = tmp_path / "store", tmp_path / "fresh"
    disk.copy(stores[0], store)
    with process.Child() as child:
        child.command("open", path=str(fresh), options=disk.OPTIONS)
        child.command("write", producer="one", first=0, count=1)
    shutil.copy(disk.environment_file(fresh), disk.environment_file(store))
    result = assert_refused(store, opens=False)
    assert result["reason"] == "STORE_FOREIGN"


def test_hard_links_and_stale_locks_are_no_harm(stores: tuple[Path, Path], tmp_path: Path) -> None:
    store = tmp_path / "store"
    disk.copy(stores[0], store)
    for number, file in enumerate([disk.environment_file(store), *parts(store)]):
        os.link(file, tmp_path / f"linked-{number}")
    for name in ("lock", "hot.mdb-lock", "hot.new-lock"):
        (store / name).write_bytes(garbage(8192))
    (store / "parts" / "1-1-0.mdb-lock").write_bytes(garbage(8192))
    found = process.inspect([store], disk.OPTIONS)[store]
    assert disk.verdict(found, SENT, SENT)[0] == "sound", found


def test_a_second_process_is_refused_and_leaves_a_part_in_the_making_alone(
    stores: tuple[Path, Path], tmp_path: Path
) -> None:
    """T11: what lies there unpublished belongs to the process that holds the directory."""
    store = tmp_path / "store"
    disk.copy(stores[0], store)
    with process.Child() as first:
        first.command("open", path=str(store), options=disk.OPTIONS)
        (store / "parts" / "1-1-9.new").write_bytes(b"half a part")
        shutil.copy(parts(store)[0], store / "parts" / "1-1-8.mdb")
        before = everything(store)
        began = time.monotonic()
        result = process.inspect([store], disk.OPTIONS)[store]
        assert (result["error"], result["reason"]) == ("FailedPrecondition", "STORE_LOCKED")
        assert time.monotonic() - began <= LONGEST_S
        assert everything(store) == before
        assert first.command("seal")["parts"] == 1
        assert not rows.judge(SENT, SENT, first.visible())
    assert not disk.orphans(store) - {"1-1-9.new", "1-1-8.mdb"}
    found = process.inspect([store], disk.OPTIONS)[store]
    assert disk.verdict(found, SENT, SENT)[0] == "sound", found
    assert not disk.orphans(store)
