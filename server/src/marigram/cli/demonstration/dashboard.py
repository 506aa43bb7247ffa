"""The terminal dashboard, in a process of its own beside the replay: neither waits for the other."""

import asyncio
import os
import signal
import subprocess
import sys

from marigram.cli.demonstration import terminal
from marigram.cli.demonstration.children import Child
from marigram.cli.demonstration.screen import BLOCKED
from marigram_client.errors import FailedPrecondition

PAUSE_S = 5.0
"""The tables may be read for this long before the dashboard covers them."""
_STOP_S = 3.0
_OUTPUT = 1


async def opened(address: str, key: str) -> None:
    """Open the dashboard on a server, and wait until the user leaves it.

    It shares our terminal and process group, so that it may read keys. It holds the reading end of a pipe from us and
    stops when it closes, so that it ends even if we are killed. The key travels in its environment, which no other
    user can read.

    Raises:
        FailedPrecondition: it ended by an error or a signal.
    """
    theirs, ours = os.pipe()
    with terminal.kept(_OUTPUT) as leave:
        try:
            screen = Child(_started(theirs, address, key))
            try:
                await asyncio.wait({screen.ended})
            finally:
                await screen.stop(_STOP_S)
                if screen.process.returncode < 0:
                    leave()
        finally:
            os.close(theirs)
            os.close(ours)
    if code := screen.process.returncode:
        found = f"signal {-code} ended it" if code < 0 else f"exit code {code}"
        raise FailedPrecondition(f"the dashboard must run until it is left: {found}", reason="DASHBOARD_FAILED")


def _started(lifeline: int, address: str, key: str) -> "subprocess.Popen[bytes]":
    before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)  # the mask is inherited
    try:
        return subprocess.Popen(  # noqa: S603 (our own command)
            [sys.executable, "-m", "marigram.cli.demonstration.screen", str(lifeline)],
            stdin=None if sys.stdin.isatty() else _OUTPUT,
            stderr=None if sys.stderr.isatty() else _OUTPUT,
            pass_fds=[lifeline],
            env={**os.environ, "MARIGRAM_ADDRESS": address, "MARIGRAM_KEY": key},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def enter_or(seconds: float) -> None:
    """Wait for the Enter key or some seconds, whichever comes first; what was typed is taken off the input."""
    if not sys.stdin.isatty():
        await asyncio.sleep(seconds)
        return
    loop = asyncio.get_running_loop()
    pressed = asyncio.Event()
    loop.add_reader(sys.stdin, pressed.set)
    try:
        async with asyncio.timeout(seconds):
            await pressed.wait()
            os.read(sys.stdin.fileno(), 1024)
    except TimeoutError:
        return
    finally:
        loop.remove_reader(sys.stdin)
