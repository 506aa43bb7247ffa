"""``marigram demo``: a year of flights and weather through a server of its own, five tables, a dashboard, nothing left.

=============  ==========================================================================
``course``     what happens, in order
``talk``       what is said meanwhile
``server``     the server and ``dashboard`` the terminal interface, each a process of ours
``replay``     history at full speed, then at a multiple of real time
``host``       figures of this machine
``data``       the rows, and ``tables`` the questions
=============  ==========================================================================
"""

import asyncio
import math
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from marigram_client.errors import InvalidArgument

HOUR_A_SECOND = 3_600.0


@dataclass(frozen=True, slots=True)
class Options:
    """``speed_up`` is a multiple of real time, None is as fast as possible. ``keep`` is the directory that the data
    stay in, None a temporary one. ``dashboard`` opens the terminal interface."""

    speed_up: float | None
    dashboard: bool
    keep: Path | None = None


def options(speed_up: str | None, *, dashboard: bool, keep: Path | None) -> Options:
    """What was typed. Without a speed-up, the dashboard moves by an hour a second, and without it nothing waits.

    Raises:
        InvalidArgument: the speed-up is neither a number above zero nor ``max``, or the directory holds something.
    """
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise _wrong("keep", f"must be a directory that is empty or not there yet, and {keep} is neither")
    if speed_up is None:
        return Options(HOUR_A_SECOND if dashboard else None, dashboard, keep)
    if speed_up == "max":
        return Options(None, dashboard, keep)
    try:
        pace = float(speed_up)
    except ValueError:
        pace = math.nan
    if not (0 < pace < math.inf):
        raise _wrong("speed-up", f"must be a number above zero or max, got {speed_up!r}")
    return Options(pace, dashboard, keep)


def in_terminal() -> bool:
    """Whether a dashboard can be shown: standard output is a terminal, and we are not in its background."""
    if not sys.stdout.isatty():
        return False
    try:
        return os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
    except OSError:
        return False  # a terminal that is not ours


def run(chosen: Options) -> int:
    """Run the demonstration; the exit code. However it ends, what it started is stopped, and a temporary directory
    removed."""
    return asyncio.run(_until_ended(chosen))


async def _until_ended(chosen: Options) -> int:
    from marigram.cli.demonstration import course, talk

    loop = asyncio.get_running_loop()
    work = asyncio.create_task(course.run(chosen))
    ended: list[int] = []

    def end(number: int) -> None:
        ended.append(number)
        work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
            loop.add_signal_handler(number, end, number)
    await asyncio.wait({work})
    if ended:
        work.cancelled() or work.exception()  # whatever came of it
        talk.interrupted()
        return 128 + ended[0]
    work.result()
    return 0


def _wrong(option: str, rule: str) -> InvalidArgument:
    return InvalidArgument(f"{option} {rule}", reason="COMMAND_LINE", field=option)
