"""Pages of dictionaries, plain and packed, have the texts that were written."""

import struct
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from marigram.inspect import texts
from marigram.inspect.damage import Damages
from marigram.inspect.fields import Fields, FormatError
from marigram.inspect.frames import PACKED, Table
from marigram.inspect.hot import Hot
from marigram.inspect.reader import open_copy
from marigram_client import Client
from tests.cli.running import serving

ROWS, AT_ONCE = 6_000, 1_000
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
    for key, value in Hot(directory, Damages(False, [])).entries(Table.DICTIONARIES):
        (column,) = struct.unpack(">H", key[8:10])
        packed[column].append(value[4] == PACKED)
    assert len(packed) == 3
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
