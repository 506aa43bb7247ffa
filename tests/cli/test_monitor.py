"""``marigram status`` and ``marigram top``."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import pytest

from marigram.cli import monitor
from marigram_client.admin import Ledger, MapStatus, ResultCacheStatus, SealingStatus, ServerStatus, StreamStatus
from marigram_client.aio import Client
from marigram_client.errors import Overloaded
from tests.cli.running import DEADLINE_S, Served, command, run
from tests.cli.terminal import in_terminal

STATUS = ServerStatus(
    version="0.1.0",
    start_time=datetime(2026, 1, 1, tzinfo=UTC),
    now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    accepting_writes=False,
    refusal_reason="TAIL_FULL",
    resident_bytes=1 << 20,
    tail_rows=10,
    tail_bytes=1_536,
    tail_limit_bytes=1 << 31,
    queue_bytes=0,
    commits=3,
    commit_p50=timedelta(milliseconds=2),
    commit_p99=timedelta(milliseconds=7.5),
    rows_per_second=12_345.6,
    bytes_per_second=2_048.0,
    disk_bytes=1 << 30,
    disk_free_bytes=1 << 40,
    ledger=Ledger(12, 10, MappingProxyType({"TYPE_MISMATCH": 2}), 0, 1),
    streams=(StreamStatus("cpu", 10, 2, 1_500_000_000, 0.25, 0, 0, 0),),
    queries_running=1,
    queries_waiting=4,
    sealing=SealingStatus(10, 1_536, timedelta(seconds=5), 0, 0, 0, 0, 0, "", 0),
    dictionary_bytes=1_024,
    maps=MapStatus(1 << 36, 1 << 20, 2, 3 << 10),
    result_cache=ResultCacheStatus(2, 1 << 20, 64 << 20, 3, 5),
)


def test_status_shows_the_figures_of_a_real_server_and_its_streams(served: Served, stream: str, folder: Path) -> None:
    (folder / "cpu.csv").write_text("time,host,v\n0,a,1\n60000000000,b,2\n")
    run("import", "cpu.csv", "--stream", stream, "--labels", "host")
    shown = run("status")
    assert shown.exit_code == 0, shown.output
    for name in ("version", "commit time", "tail", "disk", "rows stored", "queries"):
        assert f"│ {name} " in shown.stdout
    assert re.search(r"│ mapped +│ hot environment [\d.]+ [KM]iB of [\d.]+ [MG]iB, \d+ parts? ", shown.stdout)
    (line,) = [line for line in shown.stdout.splitlines() if stream in line]
    assert [cell.strip() for cell in line.strip("│").split("│")][1:3] == ["2", "2"]
    assert "1970-01-01T00:00:50Z" in line


def test_status_as_json_says_lengths_in_seconds_and_the_whole_ledger(served: Served) -> None:
    found = json.loads(run("status", "--output", "json").stdout)
    assert found["commit_p99_seconds"] >= found["commit_p50_seconds"] >= 0
    ledger = found["ledger"]
    assert ledger["received"] == ledger["stored"] + sum(ledger["rejected"].values()) + ledger["duplicate"]


def test_a_line_has_what_moves_and_says_that_writes_are_refused() -> None:
    assert monitor.line(STATUS) == (
        "03:04:05 ·    12,346 rows/s ·   2.0 KiB/s · commit p50 2.0 ms p99 7.5 ms · queue 0 B · "
        "tail 1.5 KiB of 2.0 GiB · stored 10 · rejected 2 · queries 1+4 · NO WRITES: TAIL_FULL"
    )


def watching(monkeypatch: pytest.MonkeyPatch, *answers: ServerStatus | Exception) -> list[timedelta]:
    asked: list[timedelta] = []

    async def watch_status(_: Any, interval: timedelta = timedelta(seconds=1)) -> AsyncIterator[ServerStatus]:
        asked.append(interval)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
            yield answer

    monkeypatch.setattr(Client, "watch_status", watch_status)
    return asked


def test_top_where_output_is_no_terminal_is_a_line_each_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = watching(monkeypatch, STATUS, STATUS)
    result = run("top", "--interval", "250ms")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{monitor.line(STATUS)}\n" * 2
    assert asked == [timedelta(milliseconds=250)]


def test_top_ends_with_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    watching(monkeypatch, STATUS, Overloaded("the server stops", reason="DRAINING"))
    result = run("top", "--plain")
    assert result.exit_code == 3
    assert result.stderr == "marigram: the server stops (reason DRAINING)\n"


def test_top_watches_a_real_server_until_nobody_reads_it(served: Served) -> None:
    with subprocess.Popen(
        command("top", "--plain", "--interval", "100ms"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline().decode() for _ in range(3)]
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(DEADLINE_S) == 141
    assert all(" rows/s · " in line and "commit p50" in line for line in lines)


ENDLESS = """
import asyncio, sys
from datetime import timedelta
from marigram_client.aio import Client
from tests.cli.test_monitor import STATUS
from marigram.cli import app

async def watch_status(self, interval=timedelta(seconds=1)):
    while True:
        yield STATUS
        await asyncio.sleep(interval.total_seconds())

Client.watch_status = watch_status
app(["top", "--plain", "--interval", "1ms"])
"""


@pytest.fixture
def endless() -> Iterator[subprocess.Popen[bytes]]:
    """A `top --plain` that has printed its first line."""
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith(b"TAIL_FULL\n")
        try:
            yield process
        finally:
            process.kill()


def test_top_ends_when_nobody_reads_it_any_more(endless: subprocess.Popen[bytes]) -> None:
    assert endless.stdout is not None
    assert endless.stderr is not None
    endless.stdout.close()
    assert endless.stderr.read() == b""
    assert endless.wait(DEADLINE_S) == 141


def test_top_ends_by_ctrl_c_without_a_word(endless: subprocess.Popen[bytes]) -> None:
    endless.send_signal(signal.SIGINT)
    _, said = endless.communicate(timeout=DEADLINE_S)
    assert (endless.returncode, said) == (130, b"")


def interface(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    module = ModuleType("marigram_tui.app")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "marigram_tui.app", module)


def test_top_in_a_terminal_opens_the_interface_and_ends_as_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def opened(*arguments: Any, **options: Any) -> int:
        seen.append((arguments, options))
        return 7

    interface(monkeypatch, opened)
    assert monitor.screen("a:1", "prod", "cpu", "value") == 7
    assert seen == [(("a:1",), {"profile": "prod", "stream": "cpu", "column": "value"})]


def test_top_without_the_interface_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "marigram_tui.app", None)
    with pytest.raises(Exception, match="pip install marigram-tui"):
        monitor.screen(None, None, None, None)


def test_commands_are_found_from_a_terminal_as_well(served: Served) -> None:
    shown = in_terminal("status", columns=60)
    assert shown.exit_code == 0
    assert "commit time" in shown.text


def test_the_module_is_the_command() -> None:
    done = subprocess.run(command("version"), capture_output=True, text=True, check=True)
    assert done.stdout.count(".") == 2
