"""``marigram explore``: what columns hold."""

import json
from pathlib import Path

import pytest

from tests.cli.running import Served, run


@pytest.fixture
def loaded(served: Served, stream: str, folder: Path) -> str:
    (folder / "cpu.csv").write_text("time,host,v\n0,a,1.5\n1,b,\n2,a,2\n")
    assert run("import", "cpu.csv", "--stream", stream, "--labels", "host").exit_code == 0
    return stream


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if line[:1] == "│"]


def test_the_columns_of_a_stream_are_shown(loaded: str) -> None:
    shown = run("explore", loaded)
    assert shown.exit_code == 0, shown.output
    assert cells(shown.stdout) == [
        ["entity", "symbol", "2", "0.00%"],
        ["host", "label", "2", "0.00%"],
        ["v", "f64", "2", "33.33%"],
    ]
    found = json.loads(run("explore", loaded, "-o", "json").stdout)
    assert [one["name"] for one in found] == ["entity", "host", "v"]


def test_values_come_most_frequent_first(loaded: str) -> None:
    shown = run("explore", loaded, "host")
    assert cells(shown.stdout) == [["a", "2", "66.67%"], ["b", "1", "33.33%"]]
    assert "2 values in 3 rows, 0 null" in shown.stderr
    found = json.loads(run("explore", loaded, "v", "--where", "host == a", "--limit", "1", "-o", "json").stdout)
    assert found["values"] == [{"value": 1.5, "count": 1, "share": 0.5}]


def test_infinities_and_instants_are_printed(served: Served, stream: str, folder: Path) -> None:
    (folder / "more.csv").write_text("time,v,seen\n0,inf,2026-01-01T00:00:00.5Z\n1,inf,2026-01-01T00:00:00.5Z\n")
    assert run("import", "more.csv", "--stream", stream).exit_code == 0
    shown = run("explore", stream, "v", "-o", "json")
    assert json.loads(shown.stdout)["values"] == [{"value": None, "count": 2, "share": 1.0}]
    assert cells(run("explore", stream, "v").stdout) == [["inf", "2", "100.00%"]]
    assert cells(run("explore", stream, "seen").stdout) == [["2026-01-01T00:00:00.5Z", "2", "100.00%"]]


def test_an_unknown_column_is_named(loaded: str) -> None:
    shown = run("explore", loaded, "hots")
    assert shown.exit_code == 2
    assert "UNKNOWN_COLUMN" in shown.stderr
