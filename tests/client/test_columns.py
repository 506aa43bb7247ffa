# ruff: noqa: DTZ001  (times without a zone are what is tested)
"""Columns of every kind a caller may have, as they are packed."""

import math
from array import array
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram_client import batches
from marigram_client._pb.marigram.v1 import ingest_pb2 as pb
from marigram_client.errors import InvalidArgument

NULL = None


def unpacked(column: pb.BatchColumn, rows: int) -> tuple[str, list[Any]]:
    """(type, values) of a packed column, by the words of the contract alone."""
    kind = column.WhichOneof("values")
    assert kind is not None
    data = getattr(column, kind)
    values: list[Any]
    if kind == "f64":
        values = np.frombuffer(data, "<f8").tolist()
    elif kind in ("i64", "timestamp"):
        values = np.frombuffer(data, "<i8").tolist()
    elif kind == "boolean":
        assert len(data) == -(-rows // 8)
        values = [bool(data[row // 8] >> row % 8 & 1) for row in range(rows)]
    else:
        codes = np.frombuffer(data.codes, f"<u{data.code_width}")
        values = [data.values[code] for code in codes]
    assert len(values) == rows
    if column.validity:
        assert len(column.validity) == -(-rows // 8)
        values = [value if column.validity[row // 8] >> row % 8 & 1 else NULL for row, value in enumerate(values)]
    return kind, values


def packed(data: object, **options: Any) -> tuple[str, list[Any]]:
    rows = len(data)  # type: ignore[arg-type]
    (batch,) = batches.read({"time": np.arange(rows), "x": data}, **options).batches(1 << 20)
    assert batch.rows == rows
    return unpacked(batch.columns[0], rows)


def times(data: object) -> list[int]:
    (batch,) = batches.read({"time": data}).batches(1 << 20)
    return [int(time) for time in np.frombuffer(batch.time, "<i8")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.array([1.5, -2.0]), ("f64", [1.5, -2.0])),
        (np.array([1.5, 2.0], np.float32), ("f64", [1.5, 2.0])),
        (np.array([1.5, 2.0], ">f8"), ("f64", [1.5, 2.0])),
        (np.array([1.5, 9.0, 2.0])[::2], ("f64", [1.5, 2.0])),
        (np.array([1, -2], np.int8), ("i64", [1, -2])),
        (np.array([2**63 - 1], np.uint64), ("i64", [2**63 - 1])),
        (np.array([True, False]), ("boolean", [True, False])),
        (np.array(["b", "a", "b"]), ("symbol", ["b", "a", "b"])),
        (np.array(["b", None, "b"], object), ("symbol", ["b", NULL, "b"])),
        (np.array(["1970-01-01T00:00:01", "NaT"], "M8[s]"), ("timestamp", [10**9, NULL])),
        (np.ma.MaskedArray([1.0, 2.0], [False, True]), ("f64", [1.0, NULL])),
        ([1, 2], ("f64", [1.0, 2.0])),
        ([1, None, 2.5], ("f64", [1.0, NULL, 2.5])),
        ([True, None], ("boolean", [True, NULL])),
        (["a", None, ""], ("symbol", ["a", NULL, ""])),
        (("a", "b"), ("symbol", ["a", "b"])),
        ([datetime(1970, 1, 1, 0, 0, 1), None], ("timestamp", [10**9, NULL])),
        (pa.array([1, None]), ("i64", [1, NULL])),
        (pa.array([1.0, None]), ("f64", [1.0, NULL])),
        (pa.array([True, None]), ("boolean", [True, NULL])),
        (pa.array(["a", None], pa.large_string()), ("symbol", ["a", NULL])),
        (pa.array(["a", None], pa.string_view()), ("symbol", ["a", NULL])),
        (pa.array(["a", None, "a"]).dictionary_encode(), ("symbol", ["a", NULL, "a"])),
        (pa.array([7, 7, None]).dictionary_encode(), ("i64", [7, 7, NULL])),
        (pa.chunked_array([["a"], ["b", None]]), ("symbol", ["a", "b", NULL])),
        (pa.array([1, None], pa.timestamp("s")), ("timestamp", [10**9, NULL])),
        (pa.array([1], pa.date32()), ("timestamp", [86_400 * 10**9])),
        (pd.Series([1.5, math.nan]), ("f64", [1.5, NULL])),
        (pd.Series(["a", None, "b"]), ("symbol", ["a", NULL, "b"])),
        (pd.Series(["a", "b", "a"], dtype="category"), ("symbol", ["a", "b", "a"])),
        (pd.Series([1, None], dtype="Int64"), ("i64", [1, NULL])),
        (pd.to_datetime(pd.Series(["1970-01-02", None])), ("timestamp", [86_400 * 10**9, NULL])),
    ],
)
def test_values_keep_their_type_and_nulls(data: object, expected: tuple[str, list[Any]]) -> None:
    assert packed(data) == expected


DAY_NS = 86_400 * 10**9
DAY = datetime(1970, 1, 2)


@pytest.mark.parametrize(
    ("data", "expected_ns"),
    [
        (np.array(["1971"], "M8[Y]"), 365 * DAY_NS),
        (np.array(["1970-02"], "M8[M]"), 31 * DAY_NS),
        (np.array(["1970-01-08"], "M8[W]"), 7 * DAY_NS),
        (np.array(["1970-01-02"], "M8[D]"), DAY_NS),
        (np.array([24], "M8[h]"), DAY_NS),
        (np.array([5], "M8[10ms]"), 50_000_000),
        (np.array([1_999], "M8[ps]"), 1),
        (np.array([-1], "M8[as]"), -1),
        (np.array([1], ">M8[us]"), 1_000),
    ],
)
def test_numpy_times_of_any_unit_are_taken_and_cut_to_nanoseconds(data: Any, expected_ns: int) -> None:
    assert packed(data) == ("timestamp", [expected_ns])
    assert times(data) == [expected_ns]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.array([1, 2, 3], "M8[ns]")[::2], ("timestamp", [1, 3])),
        (np.array([1, 2, 3], ">i4")[::-2], ("i64", [3, 1])),
        (np.array([True, False, True])[::2], ("boolean", [True, True])),
        (np.array([1.5], np.float16), ("f64", [1.5])),
        (np.array(["a", ""], ">U1"), ("symbol", ["a", ""])),
        (np.array(["a", "b"], np.dtypes.StringDType()), ("symbol", ["a", "b"])),
        (np.array([1, None], object), ("i64", [1, NULL])),
        (np.ma.MaskedArray(np.array([1.0, 2.0], ">f8"), [False, True]), ("f64", [1.0, NULL])),
        (np.ma.MaskedArray(np.arange(4.0), [False, True, False, True])[::2], ("f64", [0.0, 2.0])),
        (np.ma.MaskedArray(np.array([1, 2], "M8[s]"), [False, True]), ("timestamp", [10**9, NULL])),
        (np.ma.MaskedArray(["a", "b"], [False, True]), ("symbol", ["a", NULL])),
        ([np.float32(1.5), None], ("f64", [1.5, NULL])),
        ([np.bool_(True)], ("boolean", [True])),
        ([date(1970, 1, 2), None], ("timestamp", [DAY_NS, NULL])),
        (range(2), ("i64", [0, 1])),
        (array("d", [0.0, 1.0]), ("f64", [0.0, 1.0])),
    ],
)
def test_numpy_and_plain_columns_of_every_layout_are_taken(data: Any, expected: tuple[str, list[Any]]) -> None:
    assert packed(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pd.Series([1, None], dtype="Int8"), ("i64", [1, NULL])),
        (pd.Series([1, None], dtype="UInt64"), ("i64", [1, NULL])),
        (pd.Series([1.5, None], dtype="Float32"), ("f64", [1.5, NULL])),
        (pd.Series([True, None], dtype="boolean"), ("boolean", [True, NULL])),
        (pd.Series(["a", None], dtype="string"), ("symbol", ["a", NULL])),
        (pd.Series([1, None], dtype="int64[pyarrow]"), ("i64", [1, NULL])),
        (pd.Series([DAY, None], dtype="timestamp[us][pyarrow]"), ("timestamp", [DAY_NS, NULL])),
        (pd.Series([DAY, None]).dt.tz_localize("Etc/GMT-1"), ("timestamp", [DAY_NS - 3_600 * 10**9, NULL])),
        (pd.Series(np.array([1, 2], "M8[s]")), ("timestamp", [10**9, 2 * 10**9])),
        (pd.Series(["a", None, "a"], dtype="category"), ("symbol", ["a", NULL, "a"])),
        (pd.Series([7, 8, None], dtype="category"), ("i64", [7, 8, NULL])),
        (pd.Categorical(["a", None]), ("symbol", ["a", NULL])),
        (pd.DatetimeIndex(["1970-01-02"]), ("timestamp", [DAY_NS])),
        (pd.array([1, None]), ("i64", [1, NULL])),
        (pd.Series(np.array([1.0, 2.0], ">f8")), ("f64", [1.0, 2.0])),
        (pd.Series(np.arange(4))[::2], ("i64", [0, 2])),
        (pd.Series(pd.arrays.SparseArray([1.0, math.nan])), ("f64", [1.0, NULL])),
        ([1, pd.NA], ("f64", [1.0, NULL])),
        ([pd.Timestamp(DAY), pd.NaT], ("timestamp", [DAY_NS, NULL])),
    ],
)
def test_pandas_columns_of_every_kind_are_taken(data: Any, expected: tuple[str, list[Any]]) -> None:
    assert packed(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pl.Series([1, None], dtype=pl.UInt64), ("i64", [1, NULL])),
        (pl.Series([1.5, math.inf, None], dtype=pl.Float32), ("f64", [1.5, math.inf, NULL])),
        (pl.Series([True, None]), ("boolean", [True, NULL])),
        (pl.Series(["a", "b", None])[1:], ("symbol", ["b", NULL])),
        (pl.Series(["a", None, "a"], dtype=pl.Categorical), ("symbol", ["a", NULL, "a"])),
        (pl.Series(["a", None, "b"], dtype=pl.Enum(["b", "a"])), ("symbol", ["a", NULL, "b"])),
        (pl.Series([DAY, None], dtype=pl.Datetime("ms")), ("timestamp", [DAY_NS, NULL])),
        (pl.Series([DAY], dtype=pl.Datetime("us", "Europe/Berlin")), ("timestamp", [DAY_NS])),
        (pl.Series([DAY], dtype=pl.Datetime("ns")), ("timestamp", [DAY_NS])),
        (pl.Series([date(1970, 1, 2)]), ("timestamp", [DAY_NS])),
        (pl.concat([pl.Series(["a"]), pl.Series(["b"])], rechunk=False), ("symbol", ["a", "b"])),
    ],
)
def test_polars_columns_of_every_kind_are_taken(data: Any, expected: tuple[str, list[Any]]) -> None:
    assert packed(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pa.DictionaryArray.from_arrays(pa.array([0, None]), pa.array(["a"], pa.large_string())), ["a", NULL]),
        (pa.DictionaryArray.from_arrays([0, 1], pa.array(["a", None])), ["a", NULL]),
        (pa.DictionaryArray.from_arrays([0], pa.array(["a"], pa.string_view())), ["a"]),
        (pa.chunked_array([pa.array(["a"]).dictionary_encode(), pa.array(["b"]).dictionary_encode()]), ["a", "b"]),
        (pa.array([None, None], pa.dictionary(pa.int8(), pa.string())), [NULL, NULL]),
        (pa.array(["a", "b", None])[1:], ["b", NULL]),
    ],
)
def test_arrow_dictionaries_of_every_layout_are_taken(data: Any, expected: list[Any]) -> None:
    assert packed(data) == ("symbol", expected)


@pytest.mark.parametrize(
    "data",
    [
        np.array([1j]),
        np.array([1], "m8[s]"),
        np.zeros(1, [("a", "i4")]),
        np.array(5),
        [Decimal("1.5")],
        [timedelta(1)],
        {1},
        (value for value in [1.0]),
        pd.Series(pd.to_timedelta([1], unit="s")),
        pd.Series(pd.period_range("1970-01", periods=1, freq="M")),
        pd.Series([1, "a"]),
        pl.Series([timedelta(1)]),
        pl.Series([2**70], dtype=pl.Int128),
        pl.Series([[1]]),
        pa.array([1], pa.time64("ns")),
        pa.array([b"a"]),
    ],
)
def test_a_column_of_no_type_that_a_stream_has_is_refused_by_name(data: Any) -> None:
    with pytest.raises(InvalidArgument, match="column x: ") as raised:
        batches.read({"time": [1], "x": data})
    assert (raised.value.reason, raised.value.field) == ("TYPE_MISMATCH", "columns[x]")


class Foreign:
    """A column of another library: all it offers is the Arrow interface, as a polars series does."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._array.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pa.chunked_array([["a"], ["b", None]], pa.string_view()), ("symbol", ["a", "b", NULL])),
        (pa.chunked_array([[1.5], [None]]), ("f64", [1.5, NULL])),
    ],
)
def test_columns_of_other_libraries_come_by_the_arrow_interface(given: Any, expected: tuple[str, list[Any]]) -> None:
    assert packed(Foreign(given)) == expected


def test_nan_and_infinities_are_values_unless_pandas_calls_them_missing() -> None:
    kind, values = packed(np.array([math.nan, math.inf, -math.inf]))
    assert kind == "f64"
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]
    assert math.isnan(packed([math.nan, None])[1][0])
    assert math.isnan(packed(pa.array([math.nan]))[1][0])


def test_a_column_of_nulls_alone_has_no_type_and_is_not_sent() -> None:
    (batch,) = batches.read({"time": [1, 2], "x": [None, None]}).batches(1 << 20)
    assert len(batch.columns) == 0


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ([1, 2], [1, 2]),
        (np.array([1, 2]), [1, 2]),
        (np.array([1, 2], "M8[us]"), [1000, 2000]),
        ([datetime(1970, 1, 1, 0, 0, 0, 1)], [1000]),
        ([datetime(1970, 1, 1, tzinfo=UTC)], [0]),
        ([datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))], [0]),
        (pa.array([1], pa.timestamp("ms", "Europe/Berlin")), [10**6]),
        (pd.to_datetime(pd.Series(["1970-01-02T00:00:00Z"])), [86_400 * 10**9]),
    ],
)
def test_times_are_nanoseconds_utc(data: object, expected: list[int]) -> None:
    assert times(data) == expected


@pytest.mark.parametrize(
    ("columns", "reason", "field"),
    [
        ({"value": [1.0]}, "NO_TIME", "columns"),
        ({}, "NO_TIME", "columns"),
        ({"time": []}, "TYPE_MISMATCH", "columns[time]"),
        ({"time": np.array([], np.int64)}, "NO_ROWS", "columns"),
        ({"time": [1.5]}, "TYPE_MISMATCH", "columns[time]"),
        ({"time": [1, None]}, "NO_TIME", "columns[time]"),
        ({"time": [None]}, "TYPE_MISMATCH", "columns[time]"),
        ({"time": [datetime(1970, 1, 1), None]}, "NO_TIME", "columns[time]"),
        ({"time": np.array([1, "NaT"], "M8[ns]")}, "NO_TIME", "columns[time]"),
        ({"time": pa.array([1, None])}, "NO_TIME", "columns[time]"),
        ({"time": ["1970"]}, "TYPE_MISMATCH", "columns[time]"),
        ({"time": [datetime(1500, 1, 1)]}, "TIME_OUT_OF_RANGE", "columns[time]"),
        ({"time": np.array(["1500-01-01"], "M8[s]")}, "TIME_OUT_OF_RANGE", "columns[time]"),
        ({"time": [1], "x": [1.0, 2.0]}, "UNEQUAL_LENGTHS", "columns[x]"),
        ({"time": [1, 2], "x": ["a", 1]}, "TYPE_MISMATCH", "columns[x]"),
        ({"time": [1, 2], "x": [True, 1]}, "TYPE_MISMATCH", "columns[x]"),
        ({"time": [1], "x": [b"a"]}, "TYPE_MISMATCH", "columns[x]"),
        ({"time": [1], "x": [[1.0]]}, "TYPE_MISMATCH", "columns[x]"),
        ({"time": [1], "x": "a"}, "TYPE_MISMATCH", "columns[x]"),
        ({"time": [1], "x": 5}, "TYPE_MISMATCH", "columns[x]"),
        ({"time": [1], "x": np.zeros((1, 1))}, "TYPE_MISMATCH", "columns[x]"),
        ({"time": [1], "x": ["\ud800"]}, "INVALID_UTF8", "columns[x]"),
        ({"time": [1], "x": [2**53 + 1]}, "INTEGER_OUT_OF_RANGE", "columns[x]"),
        ({"time": [1], "x": [2**63]}, "INTEGER_OUT_OF_RANGE", "columns[x]"),
        ({"time": [1], "x": np.array([2**63], np.uint64)}, "INTEGER_OUT_OF_RANGE", "columns[x]"),
        ({"time": [1], "x": pa.array([2**63], pa.uint64())}, "INTEGER_OUT_OF_RANGE", "columns[x]"),
        ("time", "TYPE_MISMATCH", "columns"),
    ],
)
def test_what_no_column_holds_is_refused_by_name(columns: Any, reason: str, field: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        batches.read(columns)
    assert (raised.value.reason, raised.value.field) == (reason, field)


def test_types_say_what_the_values_do_not() -> None:
    assert packed(["a"], types={"x": "text"}) == ("text", ["a"])
    assert packed([2**53 + 1, None], types={"x": "i64"}) == ("i64", [2**53 + 1, NULL])
    assert packed([1.0, None], types={"x": "i64"}) == ("i64", [1, NULL])
    assert packed(np.array([1]), types={"x": "f64"}) == ("f64", [1.0])
    assert packed(np.array([1]), types={"x": "timestamp"}) == ("timestamp", [1])
    with pytest.raises(InvalidArgument, match=r"values must be i64, got f64"):
        packed([1.5], types={"x": "i64"})


def test_frames_and_tables_are_taken_whole() -> None:
    frame = pd.DataFrame({"time": pd.to_datetime(["1970-01-01"]), "host": ["a"], "value": [1.0]})
    for table in (frame, pa.table({"time": pa.array([0], pa.timestamp("ns")), "host": ["a"], "value": [1.0]})):
        (batch,) = batches.read(table, labels=["host"]).batches(1 << 20)
        assert [unpacked(column, 1) for column in batch.columns] == [("label", ["a"]), ("f64", [1.0])]


def test_a_polars_frame_is_taken_with_its_categories() -> None:
    hosts = pl.Series(["a", None], dtype=pl.Categorical)
    (batch,) = batches.read(pl.DataFrame({"time": [DAY, DAY], "host": hosts, "v": [1.0, None]})).batches(1 << 20)
    assert [unpacked(column, 2) for column in batch.columns] == [("symbol", ["a", NULL]), ("f64", [1.0, NULL])]


def test_the_index_of_a_pandas_frame_counts_if_it_has_a_name() -> None:
    index = pd.DatetimeIndex(["1970-01-02", "1970-01-03"], name="time")
    (batch,) = batches.read(pd.DataFrame({"v": np.array([1.0, 2.0], ">f8")}, index=index)).batches(1 << 20)
    assert np.frombuffer(batch.time, "<i8").tolist() == [DAY_NS, 2 * DAY_NS]
    (batch,) = batches.read(pd.DataFrame({"time": [1, 2], "v": [1.0, 2.0]}, index=["x", "y"])).batches(1 << 20)
    assert [column.name for column in batch.columns] == ["v"]


@pytest.mark.parametrize(
    ("table", "reason", "field"),
    [
        (pd.DataFrame([[1, 2.0, 3.0]], columns=["time", "v", "v"]), "DUPLICATE_COLUMN", "columns[v]"),
        (pa.table([pa.array([1]), pa.array([1])], names=["time", "time"]), "DUPLICATE_COLUMN", "columns[time]"),
        (pd.DataFrame({"time": [1, 2], "v": [1, "a"]}), "TYPE_MISMATCH", "columns[v]"),
        (pl.DataFrame({"time": [1], "v": pl.Series([1], dtype=pl.Int128)}), "TYPE_MISMATCH", "columns[v]"),
        (pd.Series({"time": 1}), "TYPE_MISMATCH", "columns"),
        (pl.LazyFrame({"time": [1]}), "TYPE_MISMATCH", "columns"),
        ([{"time": 1}], "TYPE_MISMATCH", "columns"),
    ],
)
def test_a_table_that_is_none_is_refused(table: object, reason: str, field: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        batches.read(table)
    assert (raised.value.reason, raised.value.field) == (reason, field)


def test_labels_are_columns_or_one_text_for_all_rows() -> None:
    rows = batches.read({"time": [1, 2], "value": [1.0, 2.0]}, labels={"host": ["a", "b"], "region": "eu"})
    (batch,) = rows.batches(1 << 20)
    assert {column.name: unpacked(column, 2) for column in batch.columns} == {
        "value": ("f64", [1.0, 2.0]),
        "host": ("label", ["a", "b"]),
        "region": ("label", ["eu", "eu"]),
    }


@pytest.mark.parametrize("labels", [["nope"], {"value": "x"}, ["value"]])
def test_labels_that_are_no_columns_or_no_texts_are_refused(labels: Any) -> None:
    with pytest.raises(InvalidArgument):
        batches.read({"time": [1], "value": [1.0]}, labels=labels)


def test_a_series_table_holds_the_series_that_are_used() -> None:
    series = ([{"host": "a"}, {"host": "b"}, {"host": "c", "zone": "1"}], np.array([2, 0, 2]))
    (batch,) = batches.read({"time": [1, 2, 3], "value": [1.0, 2.0, 3.0]}, series=series).batches(1 << 20)
    found = [{label.name: label.value for label in one.labels} for one in batch.series.series]
    index = np.frombuffer(batch.series.index, f"<u{batch.series.index_width}")
    assert [found[i] for i in index] == [{"host": "c", "zone": "1"}, {"host": "a"}, {"host": "c", "zone": "1"}]
    assert len(found) == 2


@pytest.mark.parametrize("index", [[0], [0, 1], [0, -1], [0.0, 0.0]])
def test_an_index_that_names_no_series_is_refused(index: list[Any]) -> None:
    with pytest.raises(InvalidArgument):
        batches.read({"time": [1, 2]}, series=([{"host": "a"}], index))


@pytest.mark.parametrize("labels", [{"host": 1}, {1: "a"}, {"host": "\ud800"}, "host", [("host", "a")]])
def test_a_series_that_is_no_mapping_of_texts_is_refused(labels: Any) -> None:
    with pytest.raises(InvalidArgument) as raised:
        batches.read({"time": [1, 2]}, series=([{"host": "a"}, labels], np.array([0, 1])))
    assert (raised.value.reason, raised.value.field) == ("TYPE_MISMATCH", "series[1]")


@pytest.mark.parametrize(("distinct", "width"), [(1, 1), (256, 1), (257, 2), (65_536, 2), (65_537, 4)])
def test_codes_are_as_narrow_as_the_dictionary_allows(distinct: int, width: int) -> None:
    words = [f"w{number}" for number in range(distinct)]
    (batch,) = batches.read({"time": np.arange(distinct), "x": words}).batches(16 << 20)
    assert batch.columns[0].symbol.code_width == width
    assert unpacked(batch.columns[0], distinct) == ("symbol", words)


def test_batches_keep_order_and_size_and_only_the_strings_they_use() -> None:
    rows = 50_000
    words = [f"word {number:05}" for number in range(rows)]
    cut = list(batches.read({"time": np.arange(rows), "x": words, "v": np.arange(rows) / 2}).batches(100_000))
    assert len(cut) > 1
    assert all(batch.ByteSize() <= 200_000 for batch in cut)
    assert [word for batch in cut for word in unpacked(batch.columns[0], batch.rows)[1]] == words
    assert [v for batch in cut for v in unpacked(batch.columns[1], batch.rows)[1]] == (np.arange(rows) / 2).tolist()
    assert all(len(batch.columns[0].symbol.values) == batch.rows for batch in cut)


def test_one_long_text_among_short_ones_makes_no_oversized_batch() -> None:
    texts = ["x"] * 10_000 + [str(number) * 10_000 for number in range(10)]
    cut = list(batches.read({"time": np.arange(len(texts)), "x": texts}).batches(40_000))
    assert all(batch.ByteSize() <= 80_000 for batch in cut)
    assert [text for batch in cut for text in unpacked(batch.columns[0], batch.rows)[1]] == texts


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(allow_nan=False),
            st.none() | st.text(st.characters(codec="utf-8"), max_size=4),
            st.none() | st.booleans(),
        ),
        min_size=1,
        max_size=40,
    ),
    st.integers(min_value=40, max_value=400),
)
def test_any_rows_come_back_as_they_were(rows: list[tuple[Any, Any, Any]], size_bytes: int) -> None:
    names = ("f", "s", "b")
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    found: dict[str, list[Any]] = {name: [] for name in names}
    for batch in batches.read({"time": np.arange(len(rows)), **columns}).batches(size_bytes):
        for name in names:
            sent = [unpacked(column, batch.rows)[1] for column in batch.columns if column.name == name]
            found[name] += sent[0] if sent else [None] * batch.rows
    assert found == columns
