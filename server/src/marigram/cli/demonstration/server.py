"""A server in a process and a directory of its own, gone when the block is left."""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from marigram_client.errors import FailedPrecondition

START_S = 30.0
STOP_S = 20.0
_LOOK_S = 0.02


@asynccontextmanager
async def running() -> AsyncIterator[tuple[str, str]]:
    """(address, admin key) of a server on a free port of the loopback and a fresh directory.

    The server holds the reading end of a pipe from us and stops when it closes, so that it ends even if we are killed.
    It stands in a session of its own, so that Ctrl-C reaches us alone and the stop is ours.

    Raises:
        FailedPrecondition: it did not start; the end of its log is in the message.
    """
    with tempfile.TemporaryDirectory(prefix="marigram-demo-") as folder:
        directory = Path(folder) / "data"
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: ASYNC220, S603 (our own command; it returns at once)
                [sys.executable, "-m", "marigram.cli", "serve", "--data-dir", str(directory), "--host", "127.0.0.1",
                 "--port", "0", "--until-stdin-ends"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            yield await _started(process, directory)
        finally:
            await asyncio.shield(_stopped(process))


async def _started(process: subprocess.Popen[bytes], directory: Path) -> tuple[str, str]:
    clock = asyncio.get_running_loop().time
    deadline = clock() + START_S
    announced = directory / "server.json"
    while not announced.exists():
        if process.poll() is not None or clock() > deadline:
            said = (directory.parent / "log").read_text(errors="replace").strip().splitlines()[-3:]
            found = f"exit code {process.returncode}" if process.returncode is not None else f"nothing in {START_S:g} s"
            raise FailedPrecondition(f"the server must start: {found}; {' '.join(said)}", reason="SERVER_NOT_STARTED")
        await asyncio.sleep(_LOOK_S)
    place = json.loads(announced.read_text())
    return f"{place['host']}:{place['port']}", (directory / "admin.key").read_text().strip()


async def _stopped(process: subprocess.Popen[bytes]) -> None:
    """Ask it to stop, and end it if it does not."""
    process.terminate()
    try:
        await asyncio.to_thread(process.wait, STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdin is not None:
            process.stdin.close()
