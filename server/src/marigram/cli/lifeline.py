"""A server that ends with the process that started it, however that one ends: it holds the other end of our input."""

import os
import signal
import threading


def hold() -> None:
    """Ask this process to stop, as by SIGTERM, once standard input ends."""
    threading.Thread(target=_wait, name="lifeline", daemon=True).start()


def _wait() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
