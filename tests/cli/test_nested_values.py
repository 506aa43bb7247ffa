"""Lists and structs of an answer, as commands print them."""

import csv
import io
import json

import pyarrow as pa
import pytest

from marigram.cli import output
from marigram.cli.options import Format

ITEM = pa.struct([("value", pa.timestamp("ns", "UTC")), ("count", pa.int64())])
BUCKET = pa.struct([("lower", pa.float64()), ("upper", pa.float64())])
BOX = pa.struct([("min", pa.float64()), ("outliers", pa.int64())])
INSTANT = 1_700_000_000_000_000_001
ANSWER = pa.table(
    {
        "host": ["a", "b", "c"],
        "top": pa.array([[{"value": 0, "count": 3}, {"value": INSTANT, "count": 2}], None, []], pa.list_(ITEM)),
        "buckets": pa.array([[{"lower": float("-inf"), "upper": 1_500.5}], [], None], pa.list_(BUCKET)),
        "box": pa.array([{"min": 1.0, "outliers": 2}, None, {"min": -0.5, "outliers": 0}], BOX),
    }
)


def printed(form: Format, capsys: pytest.CaptureFixture[str]) -> str:
    output.put(ANSWER.slice(0, 2), form)
    return capsys.readouterr().out


def test_a_table_shows_a_line_an_item(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(Format.TABLE, capsys)
    assert "value 1970-01-01T00:00:00.000000000Z, count 3 │ lower -inf, upper 1,500.5 │ min 1, outliers 2 │" in text
    assert "value 2023-11-14T22:13:20.000000001Z, count 2 │" in text


def test_json_has_them_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = json.loads(printed(Format.JSON, capsys))
    assert first["top"][1] == {"value": "2023-11-14T22:13:20.000000001Z", "count": 2}
    assert first["buckets"] == [{"lower": None, "upper": 1_500.5}]
    assert second == {"host": "b", "top": None, "buckets": [], "box": None}
    assert [json.loads(line) for line in printed(Format.NDJSON, capsys).splitlines()] == [first, second]


def test_csv_has_them_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = csv.DictReader(io.StringIO(printed(Format.CSV, capsys)))
    assert json.loads(first["top"])[0] == {"value": "1970-01-01T00:00:00.000000000Z", "count": 3}
    assert json.loads(first["box"]) == {"min": 1.0, "outliers": 2}
    assert second == {"host": "b", "top": "", "buckets": "[]", "box": ""}


def test_rows_behind_a_null_keep_their_items() -> None:
    rows = list(output._rows(ANSWER.slice(1)))
    assert [row["top"] for row in rows] == [None, []]
    assert [row["buckets"] for row in rows] == [[], None]
