"""Damage is told with file, place and rule, or gone past and counted; it never changes a row."""

import random
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from marigram.errors import FailedPrecondition, InvalidArgument, MarigramError, Unsupported
from marigram.inspect.damage import Damage
from marigram.inspect.reader import open_copy
from tests.cli.running import serving
from tests.inspect.making import Written, same

FLIPS = 60


def copied(written: Written, folder: Path) -> Path:
    copy = folder / "damaged"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(written.directory, copy)
    return copy


def read(directory: Path, *, salvage: bool = False) -> tuple[pa.Table, list[Damage]]:
    with open_copy(directory, salvage=salvage) as data:
        return data.rows(data.stream("default", "all")), data.damage


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_a_flipped_bit_never_changes_a_row(written: Written, tmp_path: Path) -> None:
    dice = random.Random(11)
    seen: Counter[bool] = Counter()
    for _ in range(FLIPS):
        directory = copied(written, tmp_path)
        paths = [directory / "hot.mdb", *sorted((directory / "parts").glob("*.mdb"))]
        path = dice.choice(paths)
        flip(path, dice.randrange(path.stat().st_size))
        try:
            rows, _ = read(directory)
        except Damage as damage:
            seen[damage.file == str(path.relative_to(directory))] += 1
        else:
            assert same(rows, written.rows["all"])
    assert seen[True] > FLIPS // 4
    assert not seen[False], "a file is named that is whole"


def test_a_salvage_reads_what_is_whole(written: Written, tmp_path: Path) -> None:
    """Each row that is read was written, but for values of damaged blocks, which are null and counted."""
    dice = random.Random(12)
    known = {str(row["time"]): row for row in written.rows["all"].to_pylist()}
    lost_rows = 0
    for _ in range(8):
        directory = copied(written, tmp_path)
        paths = [directory / "hot.mdb", *sorted((directory / "parts").glob("*.mdb"))]
        for _ in range(3):
            path = dice.choice(paths)
            flip(path, dice.randrange(8_192, path.stat().st_size))
        try:
            rows, damage = read(directory, salvage=True)
        except (Damage, MarigramError):
            continue  # the file, the stream's schema or its name is gone
        holes = 0
        for row in rows.to_pylist():
            wanted = known[str(row["time"])]
            for name, value in row.items():
                if value is None and wanted[name] is not None:
                    holes += 1
                elif value == value:
                    assert value == wanted[name]
        missing = len(known) - len(rows)
        lost_rows += missing + holes
        assert (missing + holes == 0) or damage
        if damage and missing + holes:
            assert sum(one.rows for one in damage) >= missing
    assert lost_rows > 0


def test_a_block_of_a_part_is_left_out_and_named(sealed: Written, tmp_path: Path) -> None:
    directory = copied(sealed, tmp_path)
    path = min((directory / "parts").glob("*.mdb"))
    flip(path, 3 * 4_096 + 500)  # in the first blob, which begins on the third page
    with pytest.raises(Damage, match=rf"parts/{path.name}: column \d, block \d: the crc32c of the block holds"):
        read(directory)
    rows, damage = read(directory, salvage=True)
    (one,) = damage
    assert (one.file, one.rule) == (f"parts/{path.name}", "the crc32c of the block holds")
    assert 0 < one.rows <= 1_024
    assert len(sealed.rows["all"]) - len(rows) in (0, one.rows)


def test_a_part_that_is_gone_is_named_with_its_rows(sealed: Written, tmp_path: Path) -> None:
    directory = copied(sealed, tmp_path)
    path = min((directory / "parts").glob("*.mdb"))
    path.unlink()
    with pytest.raises(Damage, match=f"{path.name}: the file: a part that the table parts names is there"):
        read(directory)
    rows, damage = read(directory, salvage=True)
    assert [one.file for one in damage] == [f"parts/{path.name}"]
    assert len(rows) + damage[0].rows == len(sealed.rows["all"])


def test_parts_of_another_store_are_refused(sealed: Written, tmp_path: Path) -> None:
    directory = copied(sealed, tmp_path)
    first, second, *_ = sorted((directory / "parts").glob("*.mdb"))
    data = second.read_bytes()
    second.write_bytes(first.read_bytes())
    first.write_bytes(data)
    with pytest.raises(Damage):
        read(directory)


def test_a_name_that_is_damaged_is_named_by_table_and_key(log_alone: Written, tmp_path: Path) -> None:
    directory = copied(log_alone, tmp_path)
    hot = directory / "hot.mdb"
    data = hot.read_bytes().replace(b"\x07default", b"\x07defeult")
    hot.write_bytes(data)
    with pytest.raises(Damage, match=r"hot.mdb: table namespaces, key 00000001: the crc32c over key and value holds"):
        open_copy(directory)


def test_an_older_root_that_passes_for_the_newest_is_noticed(log_alone: Written, tmp_path: Path) -> None:
    directory = copied(log_alone, tmp_path)
    hot = directory / "hot.mdb"
    data = bytearray(hot.read_bytes())
    numbers = [int.from_bytes(data[page * 4_096 + 144 : page * 4_096 + 152], "little") for page in range(2)]
    newer, older = (numbers.index(number) * 4_096 for number in (max(numbers), min(numbers)))
    data[newer + 16 : newer + 144] = data[older + 16 : older + 144]  # all but the number
    hot.write_bytes(data)
    with pytest.raises(Damage, match="number of the last transaction"):
        read(directory)


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path / "data"), pytest.raises(FailedPrecondition, match=r"in use by process \d+") as refused:
        open_copy(tmp_path / "data")
    assert refused.value.reason == "STORE_LOCKED"
    with open_copy(tmp_path / "data") as data:
        assert data.namespaces() == ["default"]


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("format 1", "format 2", Unsupported),
        ("byte-order little", "byte-order big", Unsupported),
        ("marigram store", "a diary", InvalidArgument),
    ],
)
def test_other_directories_are_refused(
    log_alone: Written, tmp_path: Path, old: str, new: str, kind: type[MarigramError]
) -> None:
    directory = copied(log_alone, tmp_path)
    marker = directory / "MARIGRAM"
    marker.write_text(marker.read_text().replace(old, new))
    with pytest.raises(kind):
        open_copy(directory)
    with pytest.raises(InvalidArgument):
        open_copy(tmp_path / "nowhere")
