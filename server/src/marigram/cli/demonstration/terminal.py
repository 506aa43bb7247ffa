"""A terminal that is left as it was found, whatever a program on it did."""

import os
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_LEAVE = (
    "\x1b[?1049l"  # the alternate screen
    "\x1b[?25h"  # a cursor that is hidden
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l"  # reports of the mouse
    "\x1b[?1004l\x1b[?2004l\x1b[?2048l"  # of focus, of pasting, of the size
    "\x1b[<u"  # keys with their modifiers
    "\x1b[0m"
)


@contextmanager
def kept(descriptor: int) -> Iterator[Callable[[], None]]:
    """Give the terminal back its modes after the block. The block gets a function that also leaves what a program that
    was killed has left on: the alternate screen, a hidden cursor, mouse reports."""
    modes = None
    with suppress(termios.error):
        modes = termios.tcgetattr(descriptor)

    def leave() -> None:
        with suppress(OSError):  # it may be closed
            os.write(descriptor, _LEAVE.encode())

    try:
        yield leave
    finally:
        if modes is not None:
            with suppress(termios.error):
                termios.tcsetattr(descriptor, termios.TCSADRAIN, modes)
