"""Names and values that would give orders to a terminal are shown, never obeyed; data stays what it is."""

import csv
import io
import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from rich.text import Text

from marigram.cli import output
from marigram.cli.options import Format
from tests.cli.running import Served, run
from tests.cli.terminal import in_terminal

HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "over\rwritten",
    "two\nlines",
    "\u202egnp.exe",
    "\u2066isolate\u2069",
    "zero\u200bwidth",
    "\x7f\x08",
    "[red]markup[/red]",
    "[link=file:///etc/passwd]x[/link]",
    ":bomb:",
    "\\[escaped]",
)
OBEYED = frozenset(char for word in HOSTILE for char in word if not char.isprintable())


def harmless(text: str) -> bool:
    return not OBEYED & set(text.replace("\n", ""))


def test_printable_writes_out_every_control_and_format_character() -> None:
    for number in [*range(0x300), *range(0x2000, 0x2100), 0xFEFF, 0xE0001, 0xD800]:
        char = chr(number)
        shown = output.printable(f"a{char}b")
        assert shown.isprintable()
        if unicodedata.category(char) in ("Cc", "Cf", "Cs"):
            assert char not in shown


def test_printable_leaves_letters_of_any_script_as_they_are() -> None:
    assert output.printable("Zürich 東京 عدن 🌊 é") == "Zürich 東京 عدن 🌊 é"


def test_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_grid(("[red]name[/red]",), [["[bold]x[/bold]"], [":bomb:"]], title="[blue]title[/blue]")
    shown = capsys.readouterr().out
    for text in ("[red]name[/red]", "[bold]x[/bold]", ":bomb:", "[blue]title[/blue]"):
        assert text in shown


@pytest.fixture
def hostile(served: Served, folder: Path, stream: str) -> str:
    """A stream whose labels, values and a column's name are hostile."""
    lines = [
        {"time": index, "who": word, "said": word, "[red]\u202en": 1.0, "v": float(index)}
        for index, word in enumerate(HOSTILE)
    ]
    (folder / "hostile.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    result = run("import", "hostile.jsonl", "--labels", "said", "--stream", stream)
    assert harmless(result.output), result.output
    return stream


def asked(stream: str, form: str) -> list[str]:
    by = ["-g", "who", "-g", "said"]
    return ["query", stream, "-m", "count", "-m", "max:[red]\u202en", *by, "-o", form]


def test_tables_show_hostile_values_written_out(hostile: str) -> None:
    result = run(*asked(hostile, "table"))
    assert result.exit_code == 0, result.output
    assert harmless(result.output)
    assert r"\x1b[31mred\x1b[0m" in result.stdout
    assert r"max_[red]\u202en" in result.stdout
    assert "[red]markup[/red]" in result.stdout


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_json_is_harmless_and_reads_back_as_the_data(hostile: str, form: str) -> None:
    text = run(*asked(hostile, form)).stdout
    assert harmless(text)
    rows = json.loads(text) if form == "json" else [json.loads(line) for line in text.splitlines()]
    stored = {row["who"] for row in rows}
    assert stored == set(HOSTILE)


def test_csv_in_a_pipe_is_the_data_untouched(hostile: str) -> None:
    rows = list(csv.DictReader(io.StringIO(run(*asked(hostile, "csv")).stdout, newline="")))
    assert {row["who"] for row in rows} == set(HOSTILE)


def test_csv_on_a_terminal_is_written_out(hostile: str) -> None:
    shown = in_terminal(*asked(hostile, "csv"))
    assert r"\x1b[31mred\x1b[0m" in shown.text
    assert "\x1b[31mred" not in shown.text
    assert "\u202e" not in shown.text


def test_a_table_on_a_terminal_obeys_nothing_that_is_data(hostile: str) -> None:
    shown = in_terminal(*asked(hostile, "table"))
    assert "\x1b[31mred" not in shown.text
    assert "\x1b]0;title" not in shown.text
    assert "\u202e" not in shown.text


def test_schemas_and_lists_show_hostile_names_written_out(hostile: str) -> None:
    for command in (["streams", "show", hostile], ["streams", "list"], ["status"]):
        result = run(*command)
        assert result.exit_code == 0, result.output
        assert harmless(result.output)
    assert r"[red]\u202en" in run("streams", "show", hostile).stdout


def test_an_error_shows_what_was_typed_written_out(served: Served) -> None:
    result = run("query", "nothing", "-m", "mean:\x1b[31mx\u202e")
    assert result.exit_code == 5
    assert harmless(result.stderr)
    result = run("query", "x", "-m", "\x1b[31mx\u202e")
    assert harmless(result.stderr)


def test_names_of_keys_are_written_out(served: Served) -> None:
    made = run("key", "create", "viewer", "--name", "[red]\u202ename")
    assert made.exit_code == 0, made.output
    result = run("key", "list")
    assert harmless(result.stdout)
    assert r"[red]\u202ename" in result.stdout


def test_a_table_in_a_file_is_as_on_a_pipe(folder: Path) -> None:
    output.put(pa.table({"who": list(HOSTILE)}), Format.TABLE, folder / "table.txt")
    text = (folder / "table.txt").read_text()
    assert harmless(text)
    assert Text(text).plain == text
