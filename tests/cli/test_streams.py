"""``marigram streams``: list, show, create, recode, delete."""

import json
import time

import pytest

from marigram_client import Client
from tests.cli.running import Served, run
from tests.cli.terminal import in_terminal


@pytest.fixture
def made(served: Served, stream: str) -> str:
    """A declared metric stream."""
    result = run(
        "streams", "create", stream, "--column", "host=label", "--column", "value=f64", "--strict", "--max-age", "30d",
        "--keep-for", "400d", "--cold-after", "7d", "--rollup", "1m keep=30d", "--rollup", "1h by=host sketches",
        "--out-of-orderness", "5s", "--allowed-lateness", "2h", "--idle-after", "1.5s", "--description", "loads",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stderr == f"metric stream {stream} made, 2 columns\n"
    return stream


def test_a_list_has_kind_rows_entities_and_watermark(made: str) -> None:
    rows = json.loads(run("streams", "list", "--output", "json").stdout)
    expected = {"name": made, "kind": "metric", "rows": 0, "entities": 0, "watermark": None}
    assert expected in rows
    assert made in run("streams", "list").stdout


def test_the_word_alone_lists(made: str) -> None:
    assert run("streams").stdout == run("streams", "list").stdout
    assert run("key").stdout == run("key", "list").stdout
    assert run("namespace").stdout == run("namespace", "list").stdout


def test_a_stream_is_shown_with_columns_labels_and_settings(made: str) -> None:
    shown = run("streams", "show", made).stdout
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown.splitlines() if line[:1] == "│"]
    assert ["host", "label", "", ""] in rows
    assert ["value", "f64", "", ""] in rows
    for setting in (
        ["kind", "metric"],
        ["description", "loads"],
        ["new columns", "refused (strict)"],
        ["out of orderness", "5s"],
        ["allowed lateness", "2h"],
        ["idle after", "1.5s"],
        ["max age", "30d"],
        ["keep for", "400d"],
        ["cold after", "7d"],
        ["rollup", "1m by entity, kept for 30d"],
        ["rollup", "1h by host, kept for ever, with sketches"],
    ):
        assert setting in rows


def test_a_stream_as_json_says_lengths_in_seconds(made: str) -> None:
    found = json.loads(run("streams", "show", made, "-o", "json").stdout)
    assert (found["name"], found["strict"], found["max_age_seconds"]) == (made, True, 2_592_000)
    assert found["columns"][0] == {"name": "host", "type": "label", "description": "", "unit": ""}


def test_what_is_no_rollup_is_said(served: Served, stream: str) -> None:
    for text in ("", "1h keep", "1h by=", "1h host", "soon"):
        result = run("streams", "create", stream, "--rollup", text)
        assert result.exit_code == 2, text
        assert "rollup" in result.stderr


def test_recoding_says_what_it_came_to(served: Served, made: str) -> None:
    with Client(served.address, key=served.key) as client:
        client.write(made, {"time": [time.time_ns()] * 3, "value": [0.5, 1.5, 2.5]}, labels={"host": "a"})
        client.seal(made)
    result = run("streams", "recode", made, "--before", "1970-01-01")
    assert (result.exit_code, result.stderr) == (0, f"0 parts of stream {made} recoded: nothing to do\n")
    result = run("streams", "recode", made)
    assert result.exit_code == 0
    assert result.stderr.startswith(f"1 part of stream {made} recoded: ")
    result = run("streams", "recode", made, "--before", "soon")
    assert result.exit_code != 0


def test_an_event_stream_is_made_by_its_kind(served: Served, stream: str) -> None:
    assert run("streams", "create", stream, "--kind", "event").exit_code == 0
    assert json.loads(run("streams", "show", stream, "-o", "json").stdout)["kind"] == "event"


def test_a_stream_that_is_there_is_not_made_again(made: str) -> None:
    result = run("streams", "create", made)
    assert result.exit_code == 1
    assert "reason STREAM_EXISTS" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--column", "value"], "column must be COLUMN=TYPE"),
        (["--max-age", "old"], "max-age must be a number and one of"),
        (["--kind", "log"], "log"),
    ],
)
def test_a_stream_is_not_made_of_wrong_words(served: Served, stream: str, options: list[str], said: str) -> None:
    result = run("streams", "create", stream, *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_stream_that_is_not_there_is_not_found(served: Served) -> None:
    assert run("streams", "show", "nothing").exit_code == 5
    assert run("streams", "delete", "nothing", "--yes").exit_code == 5


def test_nothing_is_deleted_where_nobody_can_be_asked(made: str) -> None:
    result = run("streams", "delete", made)
    assert result.exit_code == 2
    assert "--yes must be given where nobody can be asked" in result.stderr
    assert run("streams", "show", made).exit_code == 0


def test_a_no_at_the_terminal_deletes_nothing(made: str) -> None:
    shown = in_terminal("streams", "delete", made, typed=("for ever?", b"n\n"))
    assert shown.exit_code == 1
    assert f"Delete metric stream {made} and its 0 rows for ever?" in shown.text
    assert run("streams", "show", made).exit_code == 0


def test_a_yes_at_the_terminal_deletes(made: str) -> None:
    assert in_terminal("streams", "delete", made, typed=("for ever?", b"y\n")).exit_code == 0
    assert run("streams", "show", made).exit_code == 5


def test_yes_on_the_command_line_deletes(made: str) -> None:
    result = run("streams", "delete", made, "--yes")
    assert result.exit_code == 0
    assert result.stderr.startswith(f"stream {made} deleted with 0 rows, as of commit ")
    assert run("streams", "show", made).exit_code == 5
