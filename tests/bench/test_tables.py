"""The data sets as the peers and as our client get them."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bench import tables
from bench.tables import DataSet, cpu_set, events_set, points_set, visits_set

SETS = [points_set(3_000), cpu_set(5, 1), events_set(2_000), visits_set(2_000, 100)]


def from_pieces(data: DataSet) -> dict[str, list[Any]]:
    """Rows that our client is given, codes in place of names."""
    rows: dict[str, list[Any]] = {}
    for columns, arguments in tables.pieces(data, 700):
        if "series" in arguments:
            series, index = arguments["series"]
            columns = columns | {tables.KEY[data.name]: [tables.code_of(series[code]["host"]) for code in index]}
        for name, column in columns.items():
            plain = column.to_pylist() if isinstance(column, pa.DictionaryArray) else np.asarray(column).tolist()
            texts = isinstance(plain[0], str)
            rows.setdefault(name, []).extend(map(tables.code_of, plain) if texts else plain)
    return rows


@pytest.mark.parametrize("data", SETS, ids=lambda data: data.name)
def test_our_client_and_the_peers_get_the_same_rows(data: DataSet) -> None:
    table = tables.arrow(data)
    ours = from_pieces(data)
    unit = tables.NS[tables.UNIT[data.name]]
    assert len(table) == data.rows
    assert set(ours) == set(table.column_names)
    assert [time // unit for time in ours.pop("time")] == table["time"].cast(pa.int64()).to_pylist()
    for name, column in ours.items():
        assert column == table[name].to_pylist()


@pytest.mark.parametrize("data", SETS, ids=lambda data: data.name)
def test_the_coarser_unit_of_time_loses_nothing(data: DataSet) -> None:
    assert (data.made().time % tables.NS[tables.UNIT[data.name]] == 0).all()


def test_names_of_users_are_a_table_beside_and_others_have_none() -> None:
    names = tables.names(events_set(2_000))
    assert names is not None
    assert names.to_pylist()[42] == {"code": 42, "name": "user-0000042"}
    assert tables.names(cpu_set(5, 1)) is None
    assert tables.names(visits_set(2_000, 100)) is None


def test_a_name_gives_its_code_back() -> None:
    names = (tables.user(7), tables.event(3), tables.country(199), tables.item(9_999_999), tables.page(42))
    assert [tables.code_of(name) for name in names] == [7, 3, 199, 9_999_999, 42]


def test_tsbs_is_as_large_as_it_is_published() -> None:
    assert cpu_set(4_000, 12).rows == 17_280_000
