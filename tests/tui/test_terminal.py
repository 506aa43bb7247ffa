"""The program in a terminal, beside a real server: it starts, paints, goes through a restart, and leaves no trace."""

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from marigram_client.aio import Client
from tests.faults import server as servers

START = "import sys; from marigram_tui.app import main; sys.exit(main())"
LEFT_S = 30.0
LEAVES = "\x1b[?1049l"
"""Back from the alternate screen."""
SHOWS_CURSOR = "\x1b[?25h"


class Terminal:
    """A program behind a pseudo-terminal of 80 by 24, and everything that it wrote there."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.theirs = theirs
        self.before = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, *arguments],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**environment, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        self.written = ""
        self._grown = asyncio.Event()
        os.set_blocking(self.ours, False)
        asyncio.get_running_loop().add_reader(self.ours, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self.written += os.read(self.ours, 1 << 16).decode(errors="replace")
            self._grown.set()

    async def shows(self, *texts: str, after: int = 0) -> int:
        """Wait until it wrote all of these behind this place; how much it has written then."""
        async with asyncio.timeout(LEFT_S):
            while not all(text in self.written[after:] for text in texts):
                assert self.process.poll() is None, self.written[-2_000:]
                self._grown.clear()
                await self._grown.wait()
        return len(self.written)

    def press(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    async def ended(self) -> tuple[int, str]:
        """(exit code, standard output) once it is gone."""
        out, _ = await asyncio.wait_for(asyncio.to_thread(self.process.communicate), LEFT_S)
        self._read()
        return self.process.returncode, out.decode()

    async def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            await asyncio.to_thread(self.process.communicate)
        asyncio.get_running_loop().remove_reader(self.ours)
        os.close(self.ours)
        os.close(self.theirs)


@contextlib.asynccontextmanager
async def terminal(*arguments: str, **environment: str) -> AsyncIterator[Terminal]:
    opened = Terminal(list(arguments), {**os.environ, **environment})
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[servers.Server]:
    async with servers.running(tmp_path / "data") as running:
        async with Client(running.address, running.key) as client:
            await client.write(
                "tides", {"time": range(0, 10**12, 10**9), "level": [float(n % 60) for n in range(1_000)]}
            )
        yield running


async def test_it_paints_quits_and_leaves_the_terminal_as_it_was(server: servers.Server) -> None:
    async with terminal(server.address, MARIGRAM_KEY=server.key) as opened:
        await opened.shows("LIVE", "tides", "accepting")
        opened.press("q")
        assert await opened.ended() == (0, "")
        assert LEAVES in opened.written
        assert SHOWS_CURSOR in opened.written[opened.written.rindex(LEAVES) - 200 :]
        assert termios.tcgetattr(opened.theirs) == opened.before


async def test_a_chart_goes_through_a_restart_of_the_server(server: servers.Server) -> None:
    arguments = (server.address, "--stream", "tides", "--column", "level")
    async with terminal(*arguments, MARIGRAM_KEY=server.key) as opened:
        place = await opened.shows("LIVE", "level", "rows scanned")
        server.kill()
        place = await opened.shows("connection lost, retrying in", "OFFLINE", after=place)
        await server.start()
        await opened.shows("LIVE", after=place)
        opened.press("q")
        assert (await opened.ended())[0] == 0
        assert "Traceback" not in opened.written


async def test_without_a_server_it_says_so_and_can_be_left() -> None:
    async with terminal("127.0.0.1:1", MARIGRAM_KEY="mg_any") as opened:
        await opened.shows("connection lost, retrying in", "connection refused")
        opened.press("\x03")
        assert (await opened.ended())[0] == 0
