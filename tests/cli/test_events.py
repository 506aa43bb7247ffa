"""``marigram events`` and ``marigram event``: rows as they are."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from tests.cli.running import Served, run


@pytest.fixture
def loaded(served: Served, stream: str, folder: Path) -> str:
    (folder / "cpu.csv").write_text(
        "time,host,v\n2026-01-01T00:00:00Z,a,1.5\n2026-01-01T00:00:01Z,b,\n"
        "2026-01-01T00:00:02Z,a,2\n2026-01-01T00:00:02Z,a,2\n"
    )
    assert run("import", "cpu.csv", "--stream", stream, "--labels", "host").exit_code == 0
    return stream


def rows(*words: str) -> list[dict[str, Any]]:
    shown = run("events", *words, "-o", "ndjson")
    assert shown.exit_code == 0, shown.output
    return [json.loads(line) for line in shown.stdout.splitlines()]


def test_rows_come_latest_first_with_their_ids(loaded: str) -> None:
    found = rows(loaded)
    assert [(row["time"][-4:], row["host"], row["v"]) for row in found] == [
        (":02Z", "a", 2.0), (":02Z", "a", 2.0), (":01Z", "b", None), (":00Z", "a", 1.5),
    ]  # fmt: skip
    assert found[0]["entity"] == '{host="a"}'
    assert found[0]["event_id"] == found[1]["event_id"] != found[2]["event_id"]


def test_rows_are_chosen_ordered_and_counted(loaded: str) -> None:
    found = rows(loaded, "--where", "host == a", "--first", "earliest", "--limit", "2", "-c", "v")
    assert [list(row) for row in found] == [["time", "entity", "v", "event_id"]] * 2
    assert [row["v"] for row in found] == [1.5, 2.0]
    assert rows(loaded, "--from", "2026-01-01T00:00:01Z", "--to", "2026-01-01T00:00:02Z") == [rows(loaded)[2]]


def test_rows_keep_their_types_in_a_file_also_where_there_are_none(loaded: str, folder: Path) -> None:
    for limit in ("v > 0", "v > 100"):
        assert run("events", loaded, "--where", limit, "--output-file", "rows.parquet").exit_code == 0
        found = parquet.read_table(folder / "rows.parquet")
        assert [str(field.type) for field in found.schema] == [
            "timestamp[ns, tz=UTC]", "string", "double", "string", "string",
        ]  # fmt: skip


def test_a_row_is_found_by_its_id(loaded: str) -> None:
    row = rows(loaded)[0]
    shown = run("event", row["event_id"], "-o", "json")
    assert json.loads(shown.stdout) == [row]
    assert shown.stderr.strip() == f"stream {loaded}, 2 rows alike"


def test_what_is_no_id_or_is_not_there_is_said(loaded: str) -> None:
    wrong = run("event", "xyz")
    assert (wrong.exit_code, "hexadecimal" in wrong.stderr) == (2, True)
    missing = run("event", "0" * 48)
    assert (missing.exit_code, "EVENT_NOT_FOUND" in missing.stderr) == (5, True)
    unknown = run("events", loaded, "-c", "hots")
    assert (unknown.exit_code, "UNKNOWN_COLUMN" in unknown.stderr) == (2, True)
