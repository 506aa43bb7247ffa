"""The sealed store that is kept of the current format, read without the engine: the test `make_the_fixture` in
`engine_core/tests/store_kept.rs` made it, and tells its rows as this page does."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from marigram.inspect.aggregates import Aggregates
from marigram.inspect.damage import Damages
from marigram.inspect.frames import PACKED, Table
from marigram.inspect.hot import Hot
from marigram.inspect.indexes import is_index
from marigram.inspect.reader import open_copy
from tests.inspect.making import INSTANT, same

KEPT = Path(__file__).parents[2] / "engine_core/tests/fixtures/format-1-sealed"
ODD = 0x9E3779B97F4A7C15F39CC0605CEDC835
NOW_NS = 1_700_000_000_000_000_000


def wanted() -> pa.Table:
    numbers = range(3_300)
    columns = {
        "time": pa.array([NOW_NS - (3_600 - n) * 1_000_000_000 for n in numbers]).view(INSTANT),
        "entity": [("anna", "ben")[n % 2] for n in numbers],
        "f": [float(n * 0x9E3779B97F4A7C15 % 2**64 >> 24) for n in numbers],
        "i": [n * n % 1_000 - 500 if n % 13 else None for n in numbers],
        "b": [n % 3 == 0 for n in numbers],
        "sym": [f"symbol {n % 160} " + "and more " * 12 for n in numbers],
        "txt": [f"{(n + 1) * ODD % 2**128:032x}" if n % 4 == 1 else None for n in numbers],
    }
    return pa.table(columns)


def test_its_rows_are_those_it_was_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    levels: list[int] = []
    check = Aggregates.check

    def counted(self: Aggregates) -> None:
        levels.append(self.level_count)
        check(self)

    monkeypatch.setattr(Aggregates, "check", counted)
    with open_copy(KEPT) as data:
        data.verify()
        stream = data.stream("default", "rows")
        figures = data.figures(stream)
        assert (figures.rows, figures.sealed_rows, figures.parts) == (3_300, 3_200, 2)
        rows = data.rows(stream)
    assert same(rows.select(wanted().column_names), wanted())
    assert rows.column("event").null_count == 3_300
    assert min(levels) >= 1, "both parts have aggregates"


def test_its_dictionaries_have_packed_pages_and_an_index(tmp_path: Path) -> None:
    shutil.copy(KEPT / "hot.mdb", tmp_path)
    entries = list(Hot(tmp_path, Damages(False, [])).entries(Table.DICTIONARIES))
    assert any(value[4] == PACKED and not is_index(key) for key, value in entries)
    assert any(is_index(key) for key, _ in entries)
