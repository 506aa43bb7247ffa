"""The time by which the demonstration goes; tests have one that stands still."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Time that passes, and the time of day."""

    def seconds(self) -> float:
        """Monotonic, from an arbitrary start."""
        ...

    def unix_ns(self) -> int:
        """The time of day."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Come back later."""
        ...


class System:
    """The clock of this machine."""

    def seconds(self) -> float:
        return time.monotonic()

    def unix_ns(self) -> int:
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
