"""``marigram explain``: how a question is answered, on terminals of any width."""

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from marigram.cli import explaining
from marigram_client import Client, Rollup, count
from tests.cli.running import Served, run


@pytest.fixture
def loaded(served: Served, stream: str, folder: Path) -> str:
    (folder / "cpu.csv").write_text("time,host,v\n0,a,1.5\n1,b,\n2,a,2\n")
    assert run("import", "cpu.csv", "--stream", stream, "--labels", "host").exit_code == 0
    return stream


def told(text: str) -> dict[str, list[str]]:
    """Lines by section."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line[:1].strip():
            name = line[:10].strip()
            found[name] = []
        found[name].append(line[10:].strip())
    return found


def test_a_query_is_told_section_by_section(loaded: str) -> None:
    shown = run("explain", loaded, "-m", "mean:v", "-g", "host", "-w", "1s", "--where", "host == a")
    assert shown.exit_code == 0, shown.output
    sections = told(shown.stdout)
    assert sections["Window"] == ["1s"]
    assert sections["Groups by"] == ["host"]
    assert sections["Measures"] == ["mean_v, from sum of v"]
    assert sections["Filter"] == ['host = "a"', "leaves 1 entity"]
    assert sections["Rows"][1] == "2 matched"
    assert sections["Answer"][0].startswith("1 row, ")
    assert sections["Batches"] == ["1", "1 read"]
    assert any("scan" in line for line in sections["Time"])


def test_a_plan_alone_and_a_comparison_are_told(loaded: str) -> None:
    planned = run("explain", loaded, "--plan-only")
    assert planned.exit_code == 0, planned.output
    assert told(planned.stdout)["Answer"] == ["none: the query was planned and not run"]
    assert "Rows" not in told(planned.stdout)
    span = ("--from", "1970-01-01", "--to", "1970-01-02")
    compared = run("explain", loaded, "--compare", "previous", *span)
    assert compared.exit_code == 0, compared.output
    assert [line for line in compared.stdout.splitlines() if line in ("Now", "Before")] == ["Now", "Before"]
    assert "from 1969-12-31T00:00:00Z to 1970-01-01T00:00:00Z" in compared.stdout


def test_json_is_whole_and_readable(loaded: str) -> None:
    shown = run("explain", loaded, "-m", "max:v", "-w", "week(7)@Europe/Berlin", "-o", "json")
    assert shown.exit_code == 0, shown.output
    plan = json.loads(shown.stdout)
    assert plan["window"] == "week(7)@Europe/Berlin"
    assert plan["looks"][0]["range"] == [None, None]
    assert plan["looks"][0]["rows_matched"] == plan["provenance"]["rows_matched"] == 3
    assert [step["name"] for step in plan["steps"]][4] == "scan"
    assert all(isinstance(step["elapsed"], float) for step in plan["steps"])


@pytest.mark.parametrize("width", [10, 24, 40, 80])
def test_nothing_is_lost_on_a_narrow_terminal(served: Served, stream: str, width: int) -> None:
    with Client(served.address, key=served.key) as client:
        client.create_stream(stream, "event", rollups=[Rollup(timedelta(hours=1))])
        client.write(stream, {"time": [0, 1], "event": ["a", "b"], "user": ["x", "y"]})
        plan = client.explain(
            stream, measures=[count()], where="event = '\x1b[31m surprise and a long text that goes on and on'"
        )
    sink = io.StringIO()
    console = Console(file=sink, width=width, force_terminal=False)
    for section, lines in explaining._sections(plan):
        explaining._put(console, section, lines)
    shown = sink.getvalue()
    assert "\x1b" not in shown
    wide = io.StringIO()
    for section, lines in explaining._sections(plan):
        explaining._put(Console(file=wide, width=1_000), section, lines)
    assert "".join(shown.split()) == "".join(wide.getvalue().split())
    assert "no part in the range has it" in wide.getvalue()


def test_what_is_refused_is_told_as_of_a_query(loaded: str) -> None:
    shown = run("explain", loaded, "-m", "mean:nope")
    assert shown.exit_code == 2
    assert "UNKNOWN_COLUMN" in shown.stderr
    assert run("explain", "nowhere").exit_code == 5


@pytest.mark.parametrize("command", ["query", "explain"])
def test_a_commit_that_is_not_there_yet_is_a_fault_of_the_command_line(loaded: str, command: str) -> None:
    refused = run(command, loaded, "--as-of", "999999")
    assert (refused.exit_code, "COMMIT_NOT_REACHED" in refused.stderr) == (2, True)
    assert run(command, loaded, "--as-of", "0").exit_code == 0
