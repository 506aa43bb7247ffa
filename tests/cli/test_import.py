"""``marigram import`` against a real server: what is shown, what is stored, what is quarantined."""

import bz2
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from tests.cli.running import Served, run

CSV = "time,host,value,n,up\n2013-01-01T00:00:00Z,a,1.5,1,true\n2013-01-01T00:00:01Z,b,NA,2,false\n"
EVENTS = [
    {"time": "2026-01-01T00:00:00Z", "who": "u1", "request": {"path": "/", "ms": 1}},
    {"time": "2026-01-01T00:00:00.5Z", "who": "u2", "request": {"path": "/x", "ms": 2.5}, "vip": True},
]


def asked(stream: str, *options: str) -> list[dict[str, Any]]:
    answer = run("query", stream, *options, "-o", "json")
    assert answer.exit_code == 0, answer.stderr
    rows: list[dict[str, Any]] = json.loads(answer.stdout)
    return rows


def shown(text: str) -> list[list[str]]:
    """The rows of the table of columns, as they are printed."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if line.startswith("│")]


def test_columns_are_shown_with_part_type_and_example_before_anything_is_written(folder: Path) -> None:
    (folder / "cpu.csv").write_text(CSV)
    result = run("import", "cpu.csv", "--labels", "host", "--null", "NA", "--type", "n=i64", "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "metric stream cpu:" in result.stderr
    assert shown(result.stderr) == [
        ["time", "time", "timestamp", "2013-01-01 00:00:00+00:00"],
        ["host", "label", "label", "a"],
        ["value", "value", "f64", "1.5"],
        ["n", "value", "i64", "1"],
        ["up", "value", "bool", "True"],
    ]
    assert "dry run: nothing was written" in result.stderr


def test_a_dry_run_needs_no_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARIGRAM_ADDRESS", "127.0.0.1:1")
    (folder / "cpu.csv").write_text(CSV)
    assert run("import", "cpu.csv", "--dry-run").exit_code == 0


def test_a_word_among_numbers_is_pointed_at(folder: Path) -> None:
    rows = "".join(f"{second},{second}.5\n" for second in range(8))
    (folder / "cpu.csv").write_text(f"time,value\n{rows}8,NA\n")
    assert "column value would be f64 with --null NA" in run("import", "cpu.csv", "--dry-run").stderr


def test_a_csv_file_becomes_a_metric_stream(served: Served, folder: Path, stream: str) -> None:
    (folder / "cpu.csv").write_text(CSV)
    result = run("import", "cpu.csv", "--stream", stream, "--labels", "host", "--null", "NA")
    assert result.exit_code == 0, result.output
    assert "2 rows stored, 0 of them late" in result.stderr
    found = asked(stream, "-m", "count", "-m", "sum:value", "-m", "sum:n", "-g", "host")
    assert [(row["host"], row["count"], row["sum_value"], row["sum_n"]) for row in found] == [
        ("a", 1, 1.5, 1),
        ("b", 1, None, 2),
    ]


def test_json_lines_become_an_event_stream_and_objects_within_columns(
    served: Served, folder: Path, stream: str
) -> None:
    (folder / "visits.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in EVENTS))
    options = ["--kind", "event", "--entity", "who", "--event", "visit", "--stream", stream]
    result = run("import", "visits.jsonl", *options)
    assert result.exit_code == 0, result.output
    found = asked(stream, "-m", "sum:request.ms=ms", "-g", "entity", "-g", "request.path", "-g", "event", "-g", "vip")
    assert [tuple(row.values()) for row in found] == [("u1", "/", "visit", None, 1.0), ("u2", "/x", "visit", True, 2.5)]


def test_a_parquet_file_keeps_its_own_types(served: Served, folder: Path, stream: str) -> None:
    words = pa.array(["a", "b", "a"]).dictionary_encode()
    parquet.write_table(pa.table({"at": [1, 2, 3], "n": [2**60, 1, 2], "word": words}), folder / "rows.parquet")
    result = run("import", "rows.parquet", "--time", "at", "--time-unit", "s", "--stream", stream)
    assert result.exit_code == 0, result.output
    found = asked(stream, "-m", "max:n", "-m", "count", "-g", "word", "--from", "1970-01-01")
    assert [tuple(row.values()) for row in found] == [("a", 2**60, 2), ("b", 1, 1)]


@pytest.mark.parametrize(
    ("name", "pack", "options"),
    [
        ("cpu.csv.gz", gzip.compress, ()),
        ("cpu.csv.bz2", bz2.compress, ()),
        ("cpu.log", bytes, ("--format", "csv")),
        ("cpu.tsv", lambda data: data.replace(b",", b"\t"), ()),
        ("-", bytes, ("--format", "csv")),
    ],
)
def test_compressed_files_odd_names_tabs_and_standard_input_are_read(
    served: Served, folder: Path, stream: str, name: str, pack: Any, options: tuple[str, ...]
) -> None:
    data = pack(CSV.encode())
    if name != "-":
        (folder / name).write_bytes(data)
    result = run("import", name, "--stream", stream, "--null", "NA", *options, stdin=data if name == "-" else b"")
    assert result.exit_code == 0, result.output
    assert asked(stream, "-m", "sum:n") == [{"sum_n": 3}]


MESS = (
    "time,host,value,n\n"
    "2026-01-01T00:00:00Z,a,1.5,1\n"
    "soon,a,1,2\n"
    "2026-01-01T00:00:02Z,a\n"
    ',a,"3",2\n'
    '2026-01-01T00:00:04Z,"a\nb",x,4\n'
    "2026-01-01T00:00:05Z,a,1,9007199254740993\n"
    "2026-01-01T00:00:06Z,a,2.5,6\n"
)


def test_rows_that_are_none_are_quarantined_by_reason_and_number_and_the_rest_is_stored(
    served: Served, folder: Path, stream: str
) -> None:
    (folder / "mess.csv").write_text(MESS)
    result = run("import", "mess.csv", "--stream", stream, "--type", "value=f64", "--type", "n=f64")
    assert result.exit_code == 6, result.output
    for line in (
        "2 rows stored",
        "1 row quarantined, INTEGER_OUT_OF_RANGE in rows 6: column n: a whole number must be within 2^53",
        "1 row quarantined, ROW_MALFORMED in rows 3: a row must have 4 values, got 2",
        "1 row quarantined, TIME_MISSING in rows 4: a row must have a time",
        "2 rows quarantined, TYPE_MISMATCH in rows 2, 5: column time: a value must be timestamp, got 'soon'",
    ):
        assert line in result.stderr
    assert asked(stream, "-m", "count", "-m", "sum:value") == [{"count": 2, "sum_value": 4.0}]


def test_what_is_quarantined_is_counted_by_the_server_too(served: Served, folder: Path, stream: str) -> None:
    (folder / "mess.csv").write_text(MESS)
    run("import", "mess.csv", "--stream", stream, "--type", "value=f64", "--type", "n=f64")
    stats = json.loads(run("streams", "show", stream, "-o", "json").stdout)["stats"]
    assert (stats["received"], stats["stored"], sum(stats["rejected"].values())) == (7, 2, 5)


def test_lines_that_are_no_objects_are_quarantined(served: Served, folder: Path, stream: str) -> None:
    lines = ['{"time": 1, "v": 1}', "nonsense", "[1]", "", '{"time": 2, "v": "x"}', '{"time": 3, "v": 4, "list": [1]}']
    (folder / "rows.ndjson").write_text("\n".join(lines))
    result = run("import", "rows.ndjson", "--stream", stream, "--type", "v=f64", "--skip", "list")
    assert result.exit_code == 6, result.output
    assert "2 rows quarantined, ROW_MALFORMED in rows 2, 3: a line must be JSON" in result.stderr
    assert "1 row quarantined, TYPE_MISMATCH in rows 4: column v: a value must be f64, got 'x'" in result.stderr
    assert asked(stream, "-m", "sum:v") == [{"sum_v": 5.0}]


def test_a_second_file_takes_kind_labels_and_types_from_the_stream(served: Served, folder: Path, stream: str) -> None:
    (folder / "one.csv").write_text("time,host,code\n1,a,1\n")
    (folder / "two.csv").write_text("time,host,code\n2,b,2\n")
    assert run("import", "one.csv", "--stream", stream, "--labels", "host", "--type", "code=symbol").exit_code == 0
    result = run("import", "two.csv", "--stream", stream)
    assert result.exit_code == 0, result.output
    assert shown(result.stderr)[1:] == [["host", "label", "label", "b"], ["code", "value", "symbol", "2"]]
    assert [row["code"] for row in asked(stream, "-m", "count", "-g", "code")] == ["1", "2"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--time", "when"], "time when must be one of the columns time, host, value, n, up"),
        (["--time", "host", "--skip", "time"], "column host must hold times"),
        (["--labels", "zone"], "labels zone must be one of the columns"),
        (["--entity", "host"], "entity does not belong to metric streams"),
        (["--kind", "event", "--labels", "host"], "labels does not belong to event streams"),
        (["--time", "n"], "column time is in the way of the one that is made; --skip time leaves it out"),
        (["--skip", "zone"], "skip zone must be one of the columns"),
        (["--time-unit", "h"], "time-unit must be s, ms, us or ns, got h"),
        (["--type", "host=int"], "type must be COLUMN=TYPE"),
        (["--format", "parquet"], "cannot be read"),
    ],
)
def test_options_that_do_not_fit_the_file_write_nothing(
    served: Served, folder: Path, stream: str, options: list[str], said: str
) -> None:
    (folder / "cpu.csv").write_text(CSV)
    result = run("import", "cpu.csv", "--stream", stream, *options)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert run("streams", "show", stream).exit_code == 5


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", "", "the file must have rows, it is empty"),
        ("names.csv", "time,value\n", "the file must have rows, it has only their names"),
        ("twice.csv", "time,v,v\n1,2,3\n", "columns must have names of their own, v is there twice"),
        ("text.jsonl", "hello\n", "each line must be a JSON object"),
        ("cpu.dat", "x", "--format must say what cpu.dat is"),
        ("lists.jsonl", '{"time": 1, "tags": ["a"]}\n', "column tags holds lists"),
    ],
)
def test_files_that_are_none_are_one_line(folder: Path, name: str, content: str, said: str) -> None:
    (folder / name).write_text(content)
    result = run("import", name, "--dry-run")
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_file_that_is_not_there_is_said_before_a_server_is_asked() -> None:
    result = run("import", "nothing.csv", "--address", "127.0.0.1:1")
    assert result.exit_code == 2
    assert result.stderr == "marigram: nothing.csv: No such file or directory\n"


def test_numbers_are_times_in_the_unit_that_is_said(served: Served, folder: Path, stream: str) -> None:
    (folder / "t.csv").write_text("time,v\n1.25,1\n2,1\nnan,1\n1e300,1\n")
    result = run("import", "t.csv", "--stream", stream, "--time-unit", "s")
    assert result.exit_code == 6
    assert "2 rows quarantined, TIME_MISSING in rows 3, 4" in result.stderr
    starts = [row["start"] for row in asked(stream, "-m", "count", "-w", "250ms")]
    assert starts == ["1970-01-01T00:00:01.250Z", "1970-01-01T00:00:02.000Z"]
