"""Waiting in tests: for a condition, never for a while."""

import asyncio
from collections.abc import Callable


async def until(reached: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for it, and no longer than that."""
    async with asyncio.timeout(seconds):
        while not reached():  # noqa: ASYNC110 (threads and other processes may reach it too)
            await asyncio.sleep(0.001)
