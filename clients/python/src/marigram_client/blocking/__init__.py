"""The client for programs without an event loop, and for several threads at once.

All but this file and ``runtime.py`` is written by ``make proto`` from ``marigram_client.aio``.
"""

from marigram_client.blocking.client import Client

__all__ = ["Client"]
