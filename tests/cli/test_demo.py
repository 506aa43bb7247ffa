"""The command ``demo`` as a process: what it prints, what it opens, and that nothing outlives it however it ends."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from marigram.cli import demonstration
from marigram.cli.demonstration import packages, server, tables, talk
from marigram_client import count, max_, min_
from marigram_client.aio import Client
from marigram_client.errors import FailedPrecondition, InvalidArgument

FAKE = Path(__file__).parent / "fake_dashboard"
"""Holds a ``marigram_tui`` whose dashboard takes the terminal as a real one does, and needs no paint."""

NORMAL_SCREEN = "\x1b[?1049l"

SHELL = """
import fcntl, signal, subprocess, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever the tests run under, nohup say
job = subprocess.Popen(sys.argv[1:])
signal.signal(signal.SIGHUP, lambda *_: job.send_signal(signal.SIGHUP))
sys.exit(job.wait() % 256)
"""
"""Has the terminal, runs a command on it, and tells it when the terminal is closed, as shells do."""


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "marigram.cli", "demo", *options]


def environment(folder: Path) -> dict[str, str]:
    """The demonstration makes its temporary files in ``folder`` and finds the fake dashboard."""
    path = os.pathsep.join([str(FAKE), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": path, "COLUMNS": "80", "TERM": "xterm"}


class Running:
    """A demonstration and what it has said so far; on a terminal if there is a ``master``."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, master: int | None = None) -> None:
        self.process = process
        self.folder = folder
        self.seen: list[psutil.Process] = []
        """What it had started when it was last looked at."""
        self._master = master
        self._said = bytearray()
        self._more = asyncio.Event()
        self._reading = asyncio.create_task(self._read()) if master is None else None
        if master is not None:
            asyncio.get_running_loop().add_reader(master, self._read_terminal, master)

    @property
    def said(self) -> str:
        return self._said.decode(errors="replace").replace("\r\n", "\n")

    async def until(self, text: str) -> None:
        """Wait for words; the processes that are there then are noted."""
        async with asyncio.timeout(60):
            while text not in self.said:
                self._more.clear()
                await self._more.wait()
        if self.process.returncode is None:
            self.seen = self.demonstration.children(recursive=True)

    @property
    def demonstration(self) -> psutil.Process:
        """The process itself, under its shell if it is on a terminal."""
        process = psutil.Process(self.process.pid)
        return process if self._reading is not None else process.children()[0]

    def type(self, keys: bytes) -> None:
        assert self._master is not None
        os.write(self._master, keys)

    def hang_up(self) -> None:
        """Close the terminal, as its window would."""
        assert self._master is not None
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        self._master = None

    async def ended(self) -> int:
        """Wait for the end of the command, and for that of all it had started; its exit code."""
        async with asyncio.timeout(60):
            code = await self.process.wait()
        _, left = await asyncio.to_thread(psutil.wait_procs, self.seen, 30)
        assert left == []
        return code

    def close(self) -> None:
        started = psutil.Process(self.process.pid).children(recursive=True) if self.process.returncode is None else []
        for left in (*self.seen, *started):
            if left.is_running():
                left.kill()
        if self.process.returncode is None:
            self.process.kill()
        if self._master is not None:
            self.hang_up()
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while part := await self.process.stderr.read(65_536):
            self._said += part
            self._more.set()

    def _read_terminal(self, master: int) -> None:
        try:
            self._said += os.read(master, 65_536)
        except OSError:  # nobody has the other end any more
            asyncio.get_running_loop().remove_reader(master)
        self._more.set()


@pytest.fixture
async def piped(tmp_path: Path) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *command(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(tmp_path)
    )
    running = Running(process, tmp_path)
    yield running
    running.close()


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Running]:
    """On a terminal of its own, with its dashboard about to open."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SHELL, *command("--speed-up", "8640000"),
        stdin=slave, stdout=slave, stderr=slave, env=environment(tmp_path), start_new_session=True,
    )  # fmt: skip
    running = Running(process, tmp_path, master)
    try:
        modes = termios.tcgetattr(slave)
        await running.until("Enter opens it now")
        running.type(b"\n")
        await running.until("DASHBOARD")
        assert len(running.seen) == 2
        yield running
        if running._master is not None:
            assert termios.tcgetattr(slave) == modes
    finally:
        running.close()
        os.close(slave)


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


async def test_without_a_terminal_it_prints_five_tables_and_leaves_nothing(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)
    )
    printed, told = (part.decode() for part in await process.communicate())
    assert process.returncode == 0, told
    assert [title for title in printed.splitlines() if re.match(r"\d\. ", title)] == [q.title for q in tables.ALL]
    assert printed.count("┏") == 5
    assert "flights 336,776, weather 26,115\n" in told
    assert "DASHBOARD" not in told
    assert max(map(len, told.splitlines())) <= 80 + len("python -m marigram.cli")
    assert is_empty(tmp_path)


async def test_kept_data_are_served_again_with_the_figures_of_this_machine(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    process = await asyncio.create_subprocess_exec(
        *command("--keep", str(kept)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
    )
    told = (await process.communicate())[1].decode()
    assert process.returncode == 0, told
    assert f"serve --data-dir {kept}\n" in told
    async with server.running(kept) as (address, key), Client(address, key) as client:
        of_cores = await client.query(
            "host", group_by="core", measures=[count(), min_("cpu_percent"), max_("cpu_percent")]
        )
        rows = {stream.name: stream.rows for stream in (await client.status()).streams}
    assert (rows["flights"], rows["weather"]) == (336_776, 26_115)
    assert sorted(of_cores["core"].to_pylist()) == sorted(["total", *map(str, range(psutil.cpu_count() or 1))])
    assert min(of_cores["count"].to_pylist()) >= 1
    assert min(of_cores["min_cpu_percent"].to_pylist()) >= 0
    assert max(of_cores["max_cpu_percent"].to_pylist()) <= 100


async def test_the_rest_of_the_year_comes_until_the_dashboard_is_left(shown: Running) -> None:
    await shown.until("ROWS 336776")
    shown.type(b"q")
    assert await shown.ended() == 0
    await shown.until("a server of your own")
    after = shown.said.partition("LEFT")[2]
    assert "stored: flights 336,776, host" in after
    assert re.search(r"ledger: ([\d,]+) rows received = \1 stored \+ 0 rejected \+ 0 duplicate", after)
    assert "server stopped" in after
    assert is_empty(shown.folder)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_ends_the_dashboard_and_the_server(shown: Running, number: signal.Signals, code: int) -> None:
    shown.demonstration.send_signal(number)
    assert await shown.ended() == code
    await shown.until("nothing is left behind")
    # By the dashboard itself, or for it where the machine is too busy for it to leave in its time.
    assert shown.said.index(NORMAL_SCREEN) < shown.said.index("stopped:")
    assert is_empty(shown.folder)


async def test_a_closed_terminal_ends_everything(shown: Running) -> None:
    shown.hang_up()
    assert await shown.ended() == 128 + signal.SIGHUP
    assert is_empty(shown.folder)


async def test_a_killed_demonstration_takes_server_and_dashboard_along(shown: Running) -> None:
    shown.demonstration.kill()
    assert await shown.ended() == 256 - signal.SIGKILL


async def test_a_server_that_dies_under_the_dashboard_is_told_in_one_line(shown: Running) -> None:
    served = next(process for process in shown.seen if "serve" in process.cmdline())
    served.kill()
    assert await shown.ended() == 1
    await shown.until("marigram: the server must run until we stop it: signal 9 ended it")
    assert shown.said.index(NORMAL_SCREEN) < shown.said.index("marigram: the server")
    assert shown.said.rstrip().count("\n", shown.said.index("marigram: the server")) <= 1  # wrapped at 80 columns


async def test_a_killed_dashboard_leaves_the_terminal_as_it_was(shown: Running) -> None:
    next(process for process in shown.seen if "serve" not in process.cmdline()).kill()
    assert await shown.ended() == 1
    await shown.until("the dashboard must run until it is left: signal 9 ended it")
    assert "\x1b[?1049l" in shown.said


@pytest.mark.parametrize("moment", ["A demonstration", "server on", "rows on disk"])
async def test_ctrl_c_ends_it_at_any_moment(piped: Running, moment: str) -> None:
    await piped.until(moment)
    piped.process.send_signal(signal.SIGINT)
    assert await piped.ended() == 130
    await piped.until("nothing is left behind")
    assert is_empty(piped.folder)


async def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARIGRAM_COLOUR", "blue")
    with pytest.raises(FailedPrecondition, match=r"the server must start: exit code 2.*MARIGRAM_COLOUR"):
        async with server.running():
            pass


async def test_a_server_that_dies_ends_the_block() -> None:
    async def kill() -> None:
        async with server.running():
            (child,) = [one for one in psutil.Process().children() if "--until-stdin-ends" in one.cmdline()]
            child.kill()
            await asyncio.Event().wait()

    with pytest.raises(FailedPrecondition, match="the server must run until we stop it: signal 9 ended it"):
        await kill()


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(FailedPrecondition, match=r"no_such_package cannot be found: pip install 'marigram\[demo\]'"):
        packages.require(["json", "no_such_package"])


@pytest.mark.parametrize("speed_up", ["fast", "0", "-1", "nan", "inf"])
def test_a_speed_up_is_a_number_above_zero_or_max(speed_up: str) -> None:
    with pytest.raises(InvalidArgument, match="speed-up must be a number above zero or max") as raised:
        demonstration.options(speed_up, dashboard=True, keep=None)
    assert raised.value.field == "speed-up"


def test_a_directory_that_holds_something_is_not_taken(tmp_path: Path) -> None:
    shutil.copy(__file__, tmp_path)
    with pytest.raises(InvalidArgument, match="keep must be a directory that is empty or not there yet"):
        demonstration.options(None, dashboard=False, keep=tmp_path)


@pytest.mark.parametrize(("dashboard", "speed_up"), [(True, 3_600.0), (False, None)])
def test_the_pace_is_an_hour_a_second_where_it_is_seen(dashboard: bool, speed_up: float | None) -> None:
    assert demonstration.options(None, dashboard=dashboard, keep=None).speed_up == speed_up


@pytest.mark.parametrize(
    ("speed_up", "said"),
    [(3_600.0, "1 hour a second"), (172_800.0, "2 days a second"), (90.0, "90 times real time")],
)
def test_a_pace_is_said_in_words(speed_up: float, said: str) -> None:
    assert talk.pace(speed_up) == said
