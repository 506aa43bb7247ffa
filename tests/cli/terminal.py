"""The real command in a terminal: a pseudo-terminal of a given size."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from dataclasses import dataclass

from tests.cli.running import DEADLINE_S, command


@dataclass(frozen=True, slots=True)
class Shown:
    """What a terminal was sent, and how the command ended."""

    text: str
    exit_code: int


def in_terminal(
    *arguments: str,
    columns: int = 80,
    typed: tuple[str, bytes] | None = None,
    interrupt_at: str | None = None,
    environment: dict[str, str] | None = None,
) -> Shown:
    """Run a command; once it has shown the text of ``typed``, type its bytes; at ``interrupt_at`` press Ctrl-C."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
    for name in ("COLUMNS", "LINES"):
        environment.pop(name, None)
    process = subprocess.Popen(
        command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    seen = b""
    deadline = time.monotonic() + DEADLINE_S
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            seen += data
            if typed is not None and typed[0].encode() in seen:
                os.write(ours, typed[1])
                typed = None
            if interrupt_at is not None and interrupt_at.encode() in seen:
                os.kill(process.pid, signal.SIGINT)
                interrupt_at = None
        return Shown(seen.decode(errors="replace"), process.wait(max(0.1, deadline - time.monotonic())))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
