"""Pipes that close, Ctrl-C, terminals of any width, and formats that are for neither."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import DEADLINE_S, Served, command, run
from tests.cli.terminal import in_terminal


@pytest.fixture
def filled(served: Served, folder: Path, stream: str) -> str:
    """A stream of 20,000 rows, each a window of its own."""
    (folder / "rows.csv").write_text("time,host,v\n" + "".join(f"{row},h{row % 7},{row}\n" for row in range(20_000)))
    assert run("import", "rows.csv", "--stream", stream, "--time-unit", "s").exit_code == 0
    return stream


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "arrow"])
def test_a_reader_that_leaves_ends_a_query_without_a_word(filled: str, form: str) -> None:
    process = subprocess.Popen(
        command("query", filled, "-m", "count", "-w", "1s", "-o", form), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.read(1)
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read().decode()
    assert process.wait(DEADLINE_S) == 141
    assert "Traceback" not in said
    assert "Exception" not in said


def test_a_table_shows_the_first_rows_of_a_long_answer_and_says_how_to_get_all(filled: str) -> None:
    result = run("query", filled, "-m", "count", "-w", "1s")
    assert result.stdout.count("\n│") == 1_000
    assert "1,000 of 20,000 rows shown; --limit asks for fewer" in result.stderr


@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_bytes_are_not_sent_to_a_terminal(filled: str, form: str) -> None:
    shown = in_terminal("query", filled, "-m", "count", "-o", form)
    assert shown.exit_code == 2
    assert f"{form} is not for a terminal: name a file with --output-file or > FILE" in shown.text


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_table_is_never_wider_than_its_terminal(filled: str, columns: int) -> None:
    shown = in_terminal("query", filled, "-m", "count", "-m", "p99:v=quite_a_long_name_for_it", "-g", "host",
                        "-w", "1h", "--limit", "3", columns=columns)  # fmt: skip
    assert shown.exit_code == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.text)
    boxes = [line for line in plain.splitlines() if line.strip()[:1] in tuple("┏┃┡│└")]
    assert boxes
    assert max(map(len, boxes)) <= columns


def test_no_color_is_honoured(filled: str) -> None:
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]")
    shown = in_terminal("query", "--help")
    assert colour.search(shown.text)
    plain = in_terminal("query", "--help", environment={"NO_COLOR": "1"})
    assert not colour.search(plain.text)


def test_an_import_shows_a_bar_only_on_a_terminal(served: Served, folder: Path, stream: str) -> None:
    (folder / "rows.csv").write_text("time,v\n" + "".join(f"{row},{row}\n" for row in range(200_000)))
    shown = in_terminal("import", "rows.csv", "--stream", stream, columns=100)
    assert shown.exit_code == 0
    assert "━" * 20 in shown.text
    piped = run("import", "rows.csv", "--stream", stream, "--writer", f"w-{stream}")
    assert "\x1b" not in piped.output
    assert "━" * 20 not in re.sub(r"[┏┳┓╇┩┡].*", "", piped.output)


def test_ctrl_c_while_a_server_is_looked_for_ends_quietly() -> None:
    # A port that takes connections and never answers.
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = subprocess.Popen(
            command("status", "--address", f"127.0.0.1:{silent.getsockname()[1]}"), stderr=subprocess.PIPE
        )
        silent.settimeout(DEADLINE_S)
        silent.accept()[0].close()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert said == b""


def test_a_server_that_is_not_there_is_one_line_with_what_to_do() -> None:
    result = run("status", "--address", "127.0.0.1:1")
    assert result.exit_code == 3
    assert result.stderr.startswith("marigram: no server can be reached at 127.0.0.1:1 (Connection refused); start one")
    assert len(result.stderr.splitlines()) == 1


def test_answers_go_to_a_file_whose_name_says_how(filled: str, folder: Path) -> None:
    import pyarrow.parquet as parquet

    result = run("query", filled, "-m", "count", "-w", "1h", "--output-file", "answer.parquet")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "written to answer.parquet" in result.stderr
    assert parquet.read_table(folder / "answer.parquet").column("count").to_pylist() == [3600] * 5 + [2000]


def test_a_file_stays_as_it_was_if_an_answer_cannot_be_had(filled: str, folder: Path) -> None:
    (folder / "answer.csv").write_text("old")
    assert run("query", filled, "-m", "mean:nothing", "--output-file", "answer.csv").exit_code == 2
    assert (folder / "answer.csv").read_text() == "old"
    assert [path.name for path in folder.iterdir() if "answer" in path.name] == ["answer.csv"]


def test_a_folder_that_is_not_there_is_one_line(filled: str) -> None:
    result = run("query", filled, "-m", "count", "--output-file", "no/such/answer.csv")
    assert result.exit_code == 2
    assert result.stderr.endswith("No such file or directory\n")


def test_help_is_there_before_anything_slow_is_imported() -> None:
    slow = ("grpc", "pyarrow", "numpy", "google", "marigram_client", "marigram.engine._core")
    code = "import sys; from marigram.cli import app; print(*sys.modules)"
    loaded = subprocess.run(
        [*command()[:1], "-c", code], capture_output=True, text=True, check=True, env=os.environ
    ).stdout.split()
    assert [name for name in slow if name in loaded] == []
