"""A dashboard that takes the terminal as a real one does: raw keys, the alternate screen, and back again in the end."""

import asyncio
import contextlib
import os
import termios
import tty
from datetime import timedelta

from marigram_client.aio import Client


def run(address: str, key: str) -> int:
    """Tell the rows of flights until the key q."""
    modes = termios.tcgetattr(0)
    tty.setraw(0)
    os.write(1, b"\x1b[?1049hDASHBOARD\r\n")
    try:
        asyncio.run(_watch(address, key))
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, modes)
        with contextlib.suppress(OSError):
            os.write(1, b"\x1b[?1049lLEFT\r\n")
    return 0


async def _watch(address: str, key: str) -> None:
    left = asyncio.Event()

    def read() -> None:
        if os.read(0, 1) == b"q":
            left.set()

    asyncio.get_running_loop().add_reader(0, read)
    async with Client(address, key) as client:
        while not left.is_set():
            with contextlib.suppress(Exception):  # a banner, in the real one
                status = await client.status(timedelta(seconds=1))
                rows = next(stream.rows for stream in status.streams if stream.name == "flights")
                os.write(1, b"ROWS %d\r\n" % rows)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(left.wait(), 0.1)
