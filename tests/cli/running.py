"""The real command: in this process, or in one of its own; and a real server to ask."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner, Result

from marigram.cli import app

DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Served:
    """A server that listens."""

    address: str
    key: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find it."""
        return {"MARIGRAM_ADDRESS": self.address, "MARIGRAM_KEY": self.key}


async def marigram(*arguments: str, stdin: bytes = b"") -> Result:
    """Run a command here, on a thread, so that a fake server on this loop can answer it."""
    return await asyncio.to_thread(run, *arguments, stdin=stdin)


def run(*arguments: str, stdin: bytes = b"") -> Result:
    """Run a command here."""
    return CliRunner().invoke(app, list(arguments), stdin)


def command(*arguments: str) -> list[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-m", "marigram.cli", *arguments]


@contextmanager
def serving(directory: Path, *flags: str) -> Iterator[Served]:
    """A server on a free port; it also ends with this process."""
    with directory.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            command("serve", "--data-dir", str(directory), "--port", "0", "--until-stdin-ends", *flags),
            stdin=subprocess.PIPE,
            stderr=log,
            env={name: value for name, value in os.environ.items() if not name.startswith("MARIGRAM_")},
        )
    try:
        announced = directory / "server.json"
        wait_until(lambda: announced.exists() or process.poll() is not None)
        place = json.loads(announced.read_text())
        yield Served(f"{place['host']}:{place['port']}", (directory / "admin.key").read_text().strip())
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
        if process.stdin is not None:
            process.stdin.close()


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until it holds, with a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.005)
