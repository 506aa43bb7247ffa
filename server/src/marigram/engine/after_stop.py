"""A store that was not stopped cleanly is read by another process before this one opens it."""

import signal
import subprocess
import sys
from pathlib import Path

from marigram.engine import _core, after_crash
from marigram.errors import Corrupt

DATA = "hot.mdb"
LEAST_SECONDS = 60.0
BYTES_A_SECOND = 16 * 2**20  # of the data file, by far less than any disk reads
DEADLY = (signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGFPE)


def stopped_uncleanly(directory: Path) -> bool:
    """Whether a directory holds a store that nobody has open and that was not stopped cleanly. A few pages are read."""
    return _core.stopped_uncleanly(directory)


def check(directory: Path, *, allow_network_filesystem: bool = False, seconds: float | None = None) -> bool:
    """Has another process read what opening the store reads: the structure of the log, records, rows in the log. Sealed
    parts are left to queries, as opening leaves them. Nothing is changed.

    Args:
        seconds: the longest time; unless given a minute, and a second more for each 16 MiB of the data file.

    Returns: whether it was read to the end and is sound; if not, the process could not do it, and opening will tell.

    Raises:
        Corrupt: something is not what was written, or reading it ended the process, or did not end.
    """
    if seconds is None:
        seconds = LEAST_SECONDS + (directory / DATA).stat().st_size / BYTES_A_SECOND
    network = "yes" if allow_network_filesystem else "no"
    command = [sys.executable, "-I", "-S", after_crash.__file__, str(_core.__file__), str(directory), network]
    try:
        done = subprocess.run(  # noqa: S603 (our own program)
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _unreadable(f"has not come to an end within {seconds:.0f} s") from error
    except OSError:
        return False
    if -done.returncode in DEADLY:
        raise _unreadable(f"was ended by {signal.Signals(-done.returncode).name}")
    if done.returncode == after_crash.DAMAGED:
        message, _, detail = done.stdout.decode(errors="replace").partition("\0")
        raise Corrupt(message, detail=detail)
    return done.returncode == 0


def _unreadable(what: str) -> Corrupt:
    return Corrupt(
        f"the store was not stopped cleanly, and the process that read it before it is opened {what}: a page of {DATA} "
        "cannot be read; nothing was changed",
        detail=DATA,
    )
