"""A program in a terminal of a fixed size, timed until a text is on its screen."""

import contextlib
import fcntl
import os
import pty
import re
import selectors
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

from bench.process import end

COLUMNS, ROWS = 120, 40
ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78])")


def seconds_until(
    texts: Sequence[str], command: Sequence[str], environment: Mapping[str, str], timeout: float = 30.0
) -> list[float]:
    """Runs the command in a terminal of 120 by 40 and ends it once all texts were painted.

    Returns: for each text, seconds from before the start of the process until it had been painted.
    Raises:
        RuntimeError: it ended, or did not paint all of them within ``timeout`` seconds; what it painted is in the text.
    """
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        variables = {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=variables, start_new_session=True
        )
        os.close(theirs)
        theirs = -1
        try:
            return _watch(ours, texts, began, timeout)
        finally:
            end(process, 10.0)
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)


def _watch(terminal: int, texts: Sequence[str], began: float, timeout: float) -> list[float]:
    painted = b""
    found: dict[str, float] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(terminal, selectors.EVENT_READ)
        while len(found) < len(texts):
            read = b""
            if selector.select(began + timeout - time.perf_counter()):
                with contextlib.suppress(OSError):  # the other end is closed
                    read = os.read(terminal, 1 << 16)
            if not read:
                missing = [text for text in texts if text not in found]
                end_of_it = plain(painted)[-2_000:]
                raise RuntimeError(f"never painted within {timeout:g} s: {missing}; painted was {end_of_it!r}")
            now = time.perf_counter() - began
            painted += read
            shown = plain(painted)
            found |= {text: now for text in texts if text not in found and text in shown}
    return [found[text] for text in texts]


def plain(painted: bytes) -> str:
    """What was painted without control sequences, in order of painting."""
    return ESCAPES.sub(b"", painted).decode("utf-8", errors="replace")
