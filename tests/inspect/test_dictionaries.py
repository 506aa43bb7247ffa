"""Pages of dictionaries, plain and packed, have the texts that were written, and their index has all codes."""

import struct
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from marigram.inspect import indexes, texts
from marigram.inspect.damage import Damages
from marigram.inspect.fields import Fields, FormatError
from marigram.inspect.frames import PACKED, Table
from marigram.inspect.hot import Hot
from marigram.inspect.indexes import RECORD, Record, is_index
from marigram.inspect.reader import open_copy
from marigram_client import Client
from tests.cli.running import serving

ROWS, AT_ONCE = 12_000, 2_000
COLUMNS = {
    "host": [f"host-{row * 7_919 % 100_003:06}" for row in range(ROWS)],
    "id": [f"{row * 0x9E3779B97F4A7C15 % 2**64:016x}" for row in range(ROWS)],
    "page": [f"/shop/{'shoes' if row % 3 else 'häts'}/{row // 5}" for row in range(ROWS)],
}


def written(folder: Path) -> Path:
    """A store whose first rows are sealed, with their texts in packed pages; those of the rest are in plain ones."""
    with serving(folder) as served, Client(served.address, key=served.key) as client:
        for start in range(0, ROWS, AT_ONCE):
            columns = {name: pa.array(values[start : start + AT_ONCE]) for name, values in COLUMNS.items()}
            columns["time"] = pa.array(np.arange(start, start + AT_ONCE)).view(pa.timestamp("ns", "UTC"))
            client.write("clicks", columns, labels=["host"], types={"id": "symbol", "page": "symbol"})
            if start == ROWS // 2:
                client.seal("clicks")
    return folder


def test_packed_and_plain_pages_have_the_texts_that_were_written(tmp_path: Path) -> None:
    directory = written(tmp_path / "data")
    packed: dict[int, list[bool]] = defaultdict(list)
    indexed: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for key, value in Hot(directory, Damages(False, [])).entries(Table.DICTIONARIES):
        (column,) = struct.unpack(">H", key[8:10])
        if is_index(key):
            indexed[column].append(struct.unpack(">III", key[14:]))
        else:
            packed[column].append(value[4] == PACKED)
    assert len(packed) == 3
    ends = [len(set(values[: ROWS // 2 + AT_ONCE])) + 1 for values in COLUMNS.values()]
    assert [*indexed.values()] == [[(1, end, 0)] for end in ends]
    assert all({*pages} == {True, False} and pages == sorted(pages, reverse=True) for pages in packed.values())
    with open_copy(directory) as data:
        data.verify()
        rows = data.rows(data.stream("default", "clicks")).sort_by("time")
    for name, values in COLUMNS.items():
        assert rows.column(name).to_pylist() == values


def by_place(found: list[str]) -> bytes:
    encoded = [text.encode() for text in found]
    return bytes(text[at] for at in range(max(map(len, encoded))) for text in encoded if at < len(text))


def page(layout: int, found: list[str], body: bytes) -> bytes:
    # Lengths above 0, in a byte each.
    lengths = bytes([1, 0, 1]) + bytes(len(text.encode()) for text in found)
    return bytes([layout, len(found), len(lengths)]) + lengths + body


@pytest.mark.parametrize("found", [["ab", "é", "cd"], ["", "a", "été", "", "xyz", "zz"]])
def test_each_layout_is_read_as_it_is_described(found: list[str]) -> None:
    whole = "".join(found).encode()
    for layout, body in (
        (1, whole),
        (2, pa.compress(whole, codec="zstd", asbytes=True)),
        (3, pa.compress(by_place(found), codec="zstd", asbytes=True)),
    ):
        data = page(layout, found, body)
        assert texts.page(Fields(data)) == found
        for end in range(len(data)):
            with pytest.raises(FormatError):
                texts.page(Fields(data[:end]))


def test_what_is_no_page_is_refused() -> None:
    # Of another layout, without a text, with a byte too many, and with half a character.
    for data in (page(4, ["a"], b"a"), page(1, [], b""), page(1, ["a"], b"ab"), page(1, ["a", "b"], "é".encode())):
        with pytest.raises(FormatError):
            texts.page(Fields(data))


KEY = struct.pack(">IIHIIII", 1, 1, 1, 0, 1, 4, 0)


def test_entries_of_an_index_are_read_as_they_are_described() -> None:
    # Each block whole bytes, or constant: three hashes, codes 2, 1 and 3 in their order.
    def block(values: list[int]) -> bytes:
        return bytes([len(values) + 3, 1, 0, 1, *values])

    record = indexes.read(KEY, Fields(b"\x03" + block([4, 7, 7]) + block([2, 1, 3])))
    assert (record.first, record.end, record.number) == (1, 4, 0)
    assert (record.hashes.tolist(), record.codes.tolist()) == ([4, 7, 7], [2, 1, 3])
    assert indexes.check_run([record], 1) == 4
    for data in (b"\x00", b"\x01\x02\x00\x0a\x02\x00\x06!"):
        with pytest.raises(FormatError):
            indexes.read(KEY, Fields(data))


def run(*records: tuple[list[int], list[int]], first: int = 1, end: int = 4) -> list[Record]:
    return [
        Record(first, end, number, np.array(hashes, np.uint32), np.array(codes, np.uint32))
        for number, (hashes, codes) in enumerate(records)
    ]


@pytest.mark.parametrize(
    ("records", "rule"),
    [
        (run(([4, 7, 7], [2, 1, 3]), first=2, end=5), "where the last one ends"),
        (run(([4, 7], [2, 1])), "has 2 entries"),
        (run(([4, 7, 6], [2, 1, 3])), "ascend"),
        (run(([4, 7, 7], [2, 3, 1])), "ascend"),
        (run(([4, 7, 8], [2, 1, 2])), "each of its codes once"),
        (run(([4, 7, 8], [2, 1, 4])), "each of its codes once"),
        (run(([4], [2]), ([7, 7], [1, 3])), f"{RECORD:,} entries but for the last"),
        (run(([4], [2]), ([7, 7], [1, 3]))[1:], "numbered from 0"),
    ],
)
def test_a_run_that_breaks_a_rule_is_refused(records: list[Record], rule: str) -> None:
    with pytest.raises(FormatError, match=rule):
        indexes.check_run(records, 1)


def test_a_damaged_index_is_told_and_loses_no_text(tmp_path: Path) -> None:
    directory = written(tmp_path / "data")
    key, value = next(
        (key, bytes(value))
        for key, value in Hot(directory, Damages(False, [])).entries(Table.DICTIONARIES)
        if is_index(key)
    )
    file = directory / "hot.mdb"
    data = file.read_bytes()
    assert data.count(value) == 1
    changed = bytearray(value)
    changed[100] ^= 1
    file.write_bytes(data.replace(value, changed))
    with open_copy(directory, salvage=True) as copy:
        rows = copy.rows(copy.stream("default", "clicks")).sort_by("time")
    assert [str(one) for one in copy.damage] == [
        f"hot.mdb: table dictionaries, key {key.hex()}: the crc32c over key and value holds"
    ]
    assert rows.column("id").to_pylist() == COLUMNS["id"]
