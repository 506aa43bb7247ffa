"""A server in a process of its own, gone when the block is left."""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from marigram.cli.demonstration.children import Child
from marigram.cli.demonstration.meanwhile import meanwhile
from marigram.rpc import files
from marigram_client.errors import FailedPrecondition, Overloaded

START_S = 30.0
STOP_S = 20.0
_LOOK_S = 0.02
_DYING_S = 2.0
"""A connection breaks a moment before its server is seen to be gone."""


@asynccontextmanager
async def running(directory: Path | None = None) -> AsyncIterator[tuple[str, str]]:
    """(address, admin key) of a server on a free port of the loopback.

    The server holds the reading end of a pipe from us and stops when it closes, so that it ends even if we are killed.
    It stands in a session of its own, so that Ctrl-C reaches us alone and the stop is ours. If it ends by itself, so
    does the block.

    Args:
        directory: of its data; without it a fresh one, which is removed in the end.
    Raises:
        FailedPrecondition: it did not start, or ended by itself; the end of its log is in the message.
    """
    with tempfile.TemporaryDirectory(prefix="marigram-demo-") as folder:
        log = Path(folder) / "log"
        data = directory or Path(folder) / "data"
        with log.open("wb") as written:
            server = Child(
                subprocess.Popen(  # noqa: ASYNC220, S603 (our own command; it returns at once)
                    [sys.executable, "-m", "marigram.cli", "serve", "--data-dir", str(data), "--host", "127.0.0.1",
                     "--port", "0", "--until-stdin-ends"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=written,
                    start_new_session=True,
                )
            )  # fmt: skip
        try:
            place = await _started(server, data, log)
            async with meanwhile(_ended(server, log)):
                try:
                    yield place
                except Overloaded:
                    await asyncio.wait({server.ended}, timeout=_DYING_S)
                    raise
        finally:
            await server.stop(STOP_S)


async def _started(server: Child, data: Path, log: Path) -> tuple[str, str]:
    clock = asyncio.get_running_loop().time
    deadline = clock() + START_S
    announced = data / files.SERVER
    while not announced.exists():
        if server.ended.done() or clock() > deadline:
            found = f"exit code {server.ended.result()}" if server.ended.done() else f"nothing in {START_S:g} s"
            raise FailedPrecondition(f"the server must start: {found}; {_last_words(log)}", reason="SERVER_NOT_STARTED")
        await asyncio.sleep(_LOOK_S)
    place = json.loads(announced.read_text())
    return f"{place['host']}:{place['port']}", (data / files.ADMIN_KEY).read_text().strip()


async def _ended(server: Child, log: Path) -> None:
    """Raises as soon as the server is gone."""
    await asyncio.wait({server.ended})
    code = server.ended.result()
    found = f"signal {-code} ended it" if code < 0 else f"exit code {code}; {_last_words(log)}"
    raise FailedPrecondition(f"the server must run until we stop it: {found}", reason="SERVER_ENDED")


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()[-3:]
    return " ".join(lines) or "it said nothing"
