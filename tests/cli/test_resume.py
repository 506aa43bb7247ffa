"""An import that was killed goes on where it was: each row is stored exactly once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from marigram.cli.beside import all_done, beside
from tests.cli.running import DEADLINE_S, Served, command, run, wait_until

ROWS = 400_000
NOTE = "x" * 60


def rows_of(stream: str) -> int:
    answer = run("streams", "list", "-o", "json")
    return int(next((one["rows"] for one in json.loads(answer.stdout) if one["name"] == stream), 0))


def counted(stream: str) -> tuple[int, float]:
    (row,) = json.loads(run("query", stream, "-m", "count", "-m", "sum:n", "-o", "json").stdout)
    return row["count"], row["sum_n"]


def written(form: str, rows: int = ROWS) -> bytes:
    if form == "csv":
        return b"time,n,note\n" + b"".join(b"%d,%d,%s\n" % (row, row, NOTE.encode()) for row in range(rows))
    return b"".join(b'{"time":%d,"n":%d,"note":"%s"}\n' % (row, row, NOTE.encode()) for row in range(rows))


def started(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(*arguments), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ
    )


def kill_half_way(process: subprocess.Popen[bytes], stream: str) -> None:
    """Kill it once the first rows are stored, while there are more to come."""
    try:
        wait_until(lambda: rows_of(stream) > 0 or process.poll() is not None)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=DEADLINE_S)


KILLED = """
import asyncio, os, signal, sys
from marigram.cli import app
from marigram_client.aio.writer import Writer

write = Writer.write

async def write_and_die(self, *arguments, **options):
    await write(self, *arguments, **options)
    if self.next_sequence == 5:
        while self.acked_sequence < 2:
            await asyncio.sleep(0.001)
        os.kill(os.getpid(), signal.SIGKILL)

Writer.write = write_and_die
app(sys.argv[1:])
"""
"""The command, killed when two of its batches are stored and two more are under way."""


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_file_whose_import_was_killed_is_stored_exactly_once(
    served: Served, folder: Path, stream: str, form: str
) -> None:
    path = folder / f"rows.{form}"
    if form == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as parquet

        numbers = list(range(ROWS))
        parquet.write_table(pa.table({"time": numbers, "n": [float(n) for n in numbers], "note": [NOTE] * ROWS}), path)
    else:
        path.write_bytes(written(form))
    options = ("import", path.name, "--stream", stream)
    killed = subprocess.run([sys.executable, "-c", KILLED, *options], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert 0 < rows_of(stream) < ROWS
    result = run(*options)
    assert result.exit_code == 0, result.output
    assert "were there already, from an earlier run" in result.stderr
    assert counted(stream) == (ROWS, ROWS * (ROWS - 1) / 2)


def test_standard_input_goes_on_under_the_name_of_its_writer(served: Served, folder: Path, stream: str) -> None:
    data = written("csv")
    options = ("import", "-", "--format", "csv", "--stream", stream, "--writer", f"w-{stream}")
    process = started(*options)
    assert process.stdin is not None
    process.stdin.write(data[: len(data) // 2])
    process.stdin.flush()
    kill_half_way(process, stream)
    result = run(*options, stdin=data)
    assert result.exit_code == 0, result.output
    assert "were there already" in result.stderr
    assert counted(stream) == (ROWS, ROWS * (ROWS - 1) / 2)


def test_work_beside_a_command_is_told_from_work_that_is_done() -> None:
    release = threading.Event()

    async def leave_behind() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(beside(release.wait), 0.01)

    assert all_done()
    asyncio.run(leave_behind())
    assert not all_done()
    release.set()
    wait_until(all_done)


def test_ctrl_c_ends_an_import_that_waits_for_standard_input_at_once(served: Served, folder: Path, stream: str) -> None:
    process = started("import", "-", "--format", "csv", "--stream", stream)
    assert process.stdin is not None
    process.stdin.write(written("csv", ROWS // 2))
    process.stdin.flush()
    wait_until(lambda: rows_of(stream) > 0)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert b"Traceback" not in said


def imported(options: Sequence[str]) -> str:
    result = run("import", *options)
    assert result.exit_code == 0, result.output
    return result.stderr


def test_the_same_file_again_writes_nothing_and_says_how_to_write_it_again(
    served: Served, folder: Path, stream: str
) -> None:
    (folder / "rows.csv").write_bytes(written("csv", 10))
    imported(["rows.csv", "--stream", stream])
    said = imported(["rows.csv", "--stream", stream])
    assert "10 rows in 1 batch were there already, from an earlier run" in said
    assert "nothing was left to write; --writer" in said
    assert rows_of(stream) == 10
    imported(["rows.csv", "--stream", stream, "--writer", f"again-{stream}"])
    assert rows_of(stream) == 20


def test_a_stream_that_was_deleted_takes_the_file_again(served: Served, folder: Path, stream: str) -> None:
    (folder / "rows.csv").write_bytes(written("csv", 10))
    imported(["rows.csv", "--stream", stream])
    assert run("streams", "delete", stream, "--yes").exit_code == 0
    assert "10 rows stored" in imported(["rows.csv", "--stream", stream])
    assert rows_of(stream) == 10


def test_a_file_that_changed_is_another_file(served: Served, folder: Path, stream: str) -> None:
    (folder / "rows.csv").write_bytes(written("csv", 10))
    imported(["rows.csv", "--stream", stream])
    (folder / "rows.csv").write_bytes(written("csv", 11))
    assert "11 rows stored" in imported(["rows.csv", "--stream", stream])


def test_a_key_that_may_only_write_imports_and_resumes(
    served: Served, folder: Path, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = run("key", "create", "ingest-only").stdout.strip()
    (folder / "rows.csv").write_bytes(written("csv", 10))
    with monkeypatch.context() as patched:
        patched.setenv("MARIGRAM_KEY", secret)
        assert "10 rows stored" in imported(["rows.csv", "--stream", stream])
        assert "nothing was left to write" in imported(["rows.csv", "--stream", stream])
    assert rows_of(stream) == 10
