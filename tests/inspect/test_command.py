"""``marigram inspect``: what there is, and rows that can be read and imported again."""

import json
import subprocess
from csv import DictReader
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest

from marigram_client import Client
from tests.cli.running import command, run, serving
from tests.inspect.making import Written, same
from tests.inspect.test_damage import copied, flip


def test_the_table_says_what_each_stream_holds(log_alone: Written) -> None:
    result = run("inspect", str(log_alone.directory), "--verify")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if "│" in line]
    assert [line[:6] for line in lines] == [
        ["default", "all", "metric", "5,040", "0", "0"],
        ["default", "events", "event", "2", "0", "0"],
    ]
    assert lines[0][7].startswith("f f64, noise f64, i i64, wild i64, on bool, at timestamp, sym symbol, note text")


def test_the_list_for_programs(sealed: Written) -> None:
    result = run("inspect", str(sealed.directory), "--namespace", "default", "-o", "json")
    (one,) = json.loads(result.stdout)
    assert (one["stream"], one["rows"], one["columns"][0]) == ("all", 15_660, {"name": "f", "type": "f64"})
    assert one["parts"] >= 3


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_rows_are_written_to_a_file(sealed: Written, tmp_path: Path, form: str) -> None:
    wanted = sealed.rows["all"]
    file = tmp_path / f"rows.{form}"
    result = run("inspect", str(sealed.directory), "--rows", "all", "--output-file", str(file))
    assert result.exit_code == 0, result.output
    assert result.stderr == "15,660 rows of 15,660\n"
    if form == "parquet":
        assert same(parquet.read_table(file), wanted)
    elif form == "csv":
        kinds = {field.name: field.type for field in wanted.schema if not pa.types.is_large_string(field.type)}
        read = csv.read_csv(file, convert_options=csv.ConvertOptions(column_types=kinds, strings_can_be_null=False))
        for name in ("time", "wild", "i"):
            assert sorted(read[name].to_pylist(), key=str) == sorted(wanted[name].to_pylist(), key=str)
    else:
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert sorted(line["wild"] for line in lines) == sorted(wanted["wild"].to_pylist())
        assert {line["note"] for line in lines} == set(wanted["note"].to_pylist())


def test_rows_go_to_standard_output(log_alone: Written) -> None:
    arguments = command("inspect", str(log_alone.directory), "--rows", "events", "--format", "csv")
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "2 rows of 2\n")
    first, second = DictReader(done.stdout.splitlines())
    assert (first["entity"], second["entity"]) == ("anna", "ben")
    assert (first["event"], first["service"], first["amount"], first["ok"]) == ("checkout", "", "12.5", "true")


def test_rows_are_imported_again(sealed: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last rung: out of a copy, into a new directory."""
    file = tmp_path / "all.parquet"
    assert run("inspect", str(sealed.directory), "--rows", "all", "--output-file", str(file)).exit_code == 0
    with serving(tmp_path / "new") as served:
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        words = [
            "import",
            str(file),
            "--labels",
            "host",
            "--skip",
            "entity",
            "--type",
            "note=text",
            "--type",
            "sym=symbol",
        ]
        result = run(*words)
        assert result.exit_code == 0, result.output
        with Client(served.address, key=served.key) as client:
            assert client.get_stream("all").stats.stored == 15_660
    exported = tmp_path / "again.parquet"
    again = run("inspect", str(tmp_path / "new"), "--rows", "all", "--output-file", str(exported))
    assert again.exit_code == 0, again.output
    assert same(parquet.read_table(exported), sealed.rows["all"])


def test_damage_ends_it_and_a_salvage_names_it(sealed: Written, tmp_path: Path) -> None:
    directory = copied(sealed, tmp_path)
    path = min((directory / "parts").glob("*.mdb"))
    flip(path, 3 * 4_096 + 500)
    file = tmp_path / "rows.parquet"
    words = ["inspect", str(directory), "--rows", "all", "--output-file", str(file)]
    refused = run(*words)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"marigram: parts/{path.name}: column ")
    assert refused.stderr.count("\n") == 1
    assert not file.exists()
    assert run("inspect", str(directory), "--verify").exit_code == 1
    saved = run(*words, "--salvage")
    assert saved.exit_code == 1
    named, counted, written = saved.stderr.splitlines()
    assert named.startswith(f"damaged: parts/{path.name}: column ")
    assert counted.startswith("1 place damaged, ")
    assert written.endswith(" of 15,660")
    assert 14_000 < len(parquet.read_table(file)) <= 15_660


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--rows", "nothing"], 5, "there is no stream nothing in namespace default"),
        (["--namespace", "nobody"], 5, "there is no namespace nobody"),
        (["--rows", "all", "--output-file", "rows.xlsx"], 2, "rows are written as csv, jsonl or parquet"),
    ],
)
def test_what_is_not_there_is_said(log_alone: Written, words: list[str], code: int, said: str) -> None:
    result = run("inspect", str(log_alone.directory), *words)
    assert (result.exit_code, said in result.stderr) == (code, True)


def test_what_is_no_copy_is_said(tmp_path: Path) -> None:
    result = run("inspect", str(tmp_path))
    assert (result.exit_code, "is no data directory" in result.stderr) == (2, True)
