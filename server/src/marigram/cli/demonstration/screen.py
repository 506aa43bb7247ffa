"""The process that shows the dashboard: ``python -m marigram.cli.demonstration.screen DESCRIPTOR``.

Descriptor is the reading end of a pipe; when it closes, this process leaves the dashboard and ends.
"""

import os
import signal
import sys

from marigram.cli import lifeline

BLOCKED = (signal.SIGINT, signal.SIGTERM)
"""Signals that this process is started without, until it can end by them in order."""

_LONGEST_S = 2


def main(descriptor: int) -> int:
    """Show the dashboard of MARIGRAM_ADDRESS until the user leaves it; its exit code."""
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _leave)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
        lifeline.hold(descriptor)
        from marigram_tui.app import run

        return run(os.environ["MARIGRAM_ADDRESS"], os.environ["MARIGRAM_KEY"])
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _leave(_number: int, _frame: object) -> None:
    """End as by Ctrl-C, which asyncio turns to a cancelled task, so that the terminal is restored; hard if it takes
    too long, as it may on a terminal that is gone."""
    signal.alarm(_LONGEST_S)
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
