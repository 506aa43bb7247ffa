"""A process that ends with the one that started it, however that one ends: it holds the other end of a pipe."""

import os
import signal
import threading


def hold(descriptor: int = 0) -> None:
    """Ask this process to stop, as by SIGTERM, once ``descriptor`` (standard input unless told) ends."""
    threading.Thread(target=_wait, args=(descriptor,), name="lifeline", daemon=True).start()


def _wait(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
