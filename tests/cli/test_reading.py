"""How files are cut: by their content alone, so that the n-th piece is the same rows in every run."""

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from marigram.cli import reading
from marigram.cli.plan import Plan
from marigram.cli.reading import Piece, cut
from marigram_client import InvalidArgument


class Dripping(io.BytesIO):
    """A stream that gives a few bytes at a time, as decompressors do."""

    def read(self, size: int | None = -1, /) -> bytes:
        """At most seven of them."""
        return super().read(min(7, size if size is not None and size >= 0 else 7))


def pieces(file: Path, **plan: Any) -> list[Piece]:
    with reading.opened(str(file), Plan("s", **plan)) as source:
        return list(source.pieces)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, "CHUNK_BYTES", 64)
    monkeypatch.setattr(cut, "ROW_BYTES", 256)
    monkeypatch.setattr(cut, "BATCH_BYTES", 200)
    monkeypatch.setattr(cut, "ROWS", 16)


def cut_up(data: bytes, quote: bytes | None = b'"') -> list[bytes]:
    return list(cut.chunks(Dripping(data), quote))


def test_chunks_end_at_line_ends_and_lose_nothing() -> None:
    data = b"".join(b"%d,abc\n" % row for row in range(50)) + b"last,row"
    found = cut_up(data)
    assert b"".join(found) == data
    assert all(chunk.endswith(b"\n") for chunk in found[:-1])
    assert max(map(len, found)) <= 64


def test_a_line_end_within_quotes_ends_no_row() -> None:
    row = b'1,"' + b"line\n" * 8 + b'"\n'
    assert cut_up(row * 5) == [row] * 5


def test_a_stray_quote_costs_no_rows() -> None:
    data = b'1,5" disk\n' * 40
    assert b"".join(cut_up(data)) == data


def test_a_row_without_an_end_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="a row must end within"):
        cut_up(b"x" * 1_000)


def test_a_row_longer_than_a_chunk_is_one() -> None:
    row = b"x" * 200 + b"\n"
    assert cut_up(row * 3) == [row] * 3


def csv_rows(path: Path) -> None:
    path.write_text("time,host,v,n\n" + "".join(f"{row},h{row % 3},{row}.5,{row}\n" for row in range(200)))


def json_rows(path: Path) -> None:
    rows = ({"time": row, "host": f"h{row % 3}", "v": row + 0.5, "n": row} for row in range(200))
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def parquet_rows(path: Path) -> None:
    rows = list(range(200))
    hosts = pa.array([f"h{row % 3}" for row in rows]).dictionary_encode()
    parquet.write_table(pa.table({"time": rows, "host": hosts, "v": [0.5] * 200, "n": rows}), path)


WRITERS = {"csv": csv_rows, "jsonl": json_rows, "parquet": parquet_rows}
PLANS: tuple[Mapping[str, Any], ...] = (
    {"types": {"n": "i64"}},
    {"types": {"v": "symbol", "n": "text"}},
    {"labels": ("host",)},
    {"skip": frozenset({"v"})},
    {"kind": "event", "entity": "host"},
    {"types": {"host": "f64"}},
)


@pytest.mark.parametrize("form", WRITERS)
def test_pieces_are_the_same_rows_whatever_the_plan(folder: Path, form: str) -> None:
    path = folder / f"rows.{form}"
    WRITERS[form](path)
    first = [(piece.first_row, len(piece.rows)) for piece in pieces(path)]
    assert len(first) > 10
    assert sum(rows for _, rows in first) == 200
    for plan in PLANS:
        assert [(piece.first_row, len(piece.rows)) for piece in pieces(path, **plan)] == first


@pytest.mark.parametrize("form", WRITERS)
def test_first_rows_count_through(folder: Path, form: str) -> None:
    path = folder / f"rows.{form}"
    WRITERS[form](path)
    expected = 1
    for piece in pieces(path):
        assert piece.first_row == expected
        expected += len(piece.rows)


def test_a_column_without_values_takes_its_type_from_the_first(folder: Path) -> None:
    rows = [f"{row},{row if row > 150 else ''}\n" for row in range(200)]
    (folder / "late.csv").write_text("time,v\n" + "".join(rows))
    found = pieces(folder / "late.csv")
    assert {str(piece.rows.schema.field("v").type) for piece in found} == {"null", "double"}
    assert sum(piece.rows.column("v").drop_null().to_pylist()[0] for piece in found if _has(piece)) > 0


def _has(piece: Piece) -> bool:
    return bool(piece.rows.column("v").null_count < len(piece.rows))


def test_a_field_that_comes_late_is_a_column_from_then_on(folder: Path) -> None:
    lines = (json.dumps({"time": row} | ({"extra": row} if row > 150 else {})) for row in range(200))
    (folder / "late.jsonl").write_text("\n".join(lines))
    found = [value for piece in pieces(folder / "late.jsonl") for value in _extra(piece)]
    assert found == list(range(151, 200))


def _extra(piece: Piece) -> Iterator[float]:
    if "extra" in piece.rows.schema.names:
        yield from piece.rows.column("extra").drop_null().to_pylist()


def test_whole_numbers_are_floats_unless_they_are_too_large_for_it(folder: Path) -> None:
    (folder / "n.csv").write_text(f"time,a,b\n1,1,{2**60}\n2,2,{2**60 + 1}\n")
    (piece,) = pieces(folder / "n.csv")
    assert piece.rows.column("a").to_pylist() == [1.0, 2.0]
    assert piece.rows.column("b").to_pylist() == [2**60, 2**60 + 1]


def test_a_mark_of_byte_order_is_no_part_of_a_name(folder: Path) -> None:
    (folder / "bom.csv").write_bytes(b"\xef\xbb\xbftime,v\r\n1,2\r\n")
    (piece,) = pieces(folder / "bom.csv")
    assert piece.rows.schema.names == ["time", "v"]


def test_text_that_is_not_utf_8_is_a_fault_of_its_row(folder: Path) -> None:
    (folder / "latin.csv").write_bytes(b"time,v\n1,a\n2,\xe9\n3,c\n")
    (piece,) = pieces(folder / "latin.csv")
    assert {index: fault.reason for index, fault in piece.faults.items()} == {1: "INVALID_UTF8"}
