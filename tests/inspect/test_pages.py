"""Pages of LMDB files are read as LMDB reads them, and never end the process."""

import random
from collections import Counter
from pathlib import Path

import lmdb
import pytest

from marigram.inspect.fields import FormatError
from marigram.inspect.pages import Pages
from tests.inspect.making import Written


def refused(page: str, rule: str) -> None:
    raise AssertionError(f"{page}: {rule}")


def files(written: Written) -> list[Path]:
    return [written.directory / "hot.mdb", *sorted((written.directory / "parts").glob("*.mdb"))]


def test_entries_are_those_that_lmdb_finds(log_alone: Written, sealed: Written) -> None:
    compared = 0
    for path in files(log_alone) + files(sealed):
        pages = Pages(path)
        with lmdb.open(str(path), subdir=False, readonly=True, lock=False, max_dbs=16) as environment:
            assert environment.info()["last_txnid"] == pages.transaction
            for name, tree in (pages.tables(refused) or {b"": pages.main}).items():
                with environment.begin() as transaction:
                    database = environment.open_db(name or None, transaction, create=False)
                    wanted = list(transaction.cursor(database))
                assert [(key, bytes(value)) for key, value in pages.entries(tree, refused)] == wanted
                compared += len(wanted)
    assert compared > 100


def walk(path: Path) -> list[str]:
    """Reads all that there is; answers the rules that are broken."""
    told: list[str] = []
    try:
        pages = Pages(path)
        trees = pages.tables(lambda page, rule: told.append(rule)) or {b"": pages.main}
        for tree in trees.values():
            for _, value in pages.entries(tree, lambda page, rule: told.append(rule)):
                bytes(value)
    except FormatError as error:
        told.append(str(error))
    return told


@pytest.mark.parametrize("at", ["anywhere", "at the front of a page"])
def test_a_flipped_bit_is_told_or_ends_nothing(sealed: Written, tmp_path: Path, at: str) -> None:
    """What pages say of themselves is checked here; that values are what was written is for their checksums."""
    dice = random.Random(3)
    seen: Counter[str] = Counter()
    for path in files(sealed):
        original = path.read_bytes()
        for _ in range(60):
            data = bytearray(original)
            place = dice.randrange(len(data))
            data[place if at == "anywhere" else place - place % 4_096 + dice.randrange(40)] ^= 1 << dice.randrange(8)
            copy = tmp_path / "flipped"
            copy.write_bytes(data)
            seen["told" if walk(copy) else "read"] += 1
    assert seen["told"] > (20 if at != "anywhere" else 0)


def test_a_file_that_is_cut_is_refused(log_alone: Written, tmp_path: Path) -> None:
    whole = (log_alone.directory / "hot.mdb").read_bytes()
    for size in (0, 100, 4_096, 8_192, len(whole) // 2):
        (tmp_path / "cut").write_bytes(whole[:size])
        with pytest.raises(FormatError):
            list(Pages(tmp_path / "cut").tables(refused))
