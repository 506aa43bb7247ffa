"""Bounds on what one server takes on at a time, and what a namespace may ask a second."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from marigram.errors import LimitExceeded, Overloaded

RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much at once: calls in all and of one namespace, and bytes of requests held."""

    calls: int
    calls_per_namespace: int
    bytes: int


class Budget:
    """What is taken of the bounds now. For the event loop alone; whoever takes gives back."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.calls = 0
        self.bytes = 0
        self._of_namespace: Counter[int] = Counter()
        self._waiting: set[asyncio.Event] = set()

    def check_call(self, namespace: int) -> None:
        """Whether one more call would be taken.

        Raises:
            Overloaded: the server or the namespace has as many calls running as it may.
        """
        if self.calls >= self.bounds.calls:
            raise Overloaded(
                f"the server takes {self.bounds.calls} calls at once, and that many are running",
                reason="TOO_MANY_CALLS",
                retry_after=RETRY_SECONDS,
            )
        if self._of_namespace[namespace] >= self.bounds.calls_per_namespace:
            raise Overloaded(
                f"a namespace may have {self.bounds.calls_per_namespace} calls at once, and that many are running",
                reason="TOO_MANY_CALLS",
                retry_after=RETRY_SECONDS,
            )

    def take_call(self, namespace: int) -> None:
        """Counts one more call; raises as ``check_call``."""
        self.check_call(namespace)
        self.calls += 1
        self._of_namespace[namespace] += 1

    def give_call(self, namespace: int) -> None:
        """A call has ended."""
        self.calls -= 1
        self._of_namespace[namespace] -= 1
        if not self._of_namespace[namespace]:
            del self._of_namespace[namespace]

    def take_bytes(self, size: int) -> None:
        """Counts the bytes of a request.

        Raises:
            Overloaded: with them, requests would hold more bytes than they may; a single one always fits.
        """
        if self.bytes and self.bytes + size > self.bounds.bytes:
            raise Overloaded(
                f"requests may hold {self.bounds.bytes} bytes at once, and {self.bytes} are held",
                reason="TOO_MANY_BYTES",
                retry_after=RETRY_SECONDS,
            )
        self.bytes += size

    def give_bytes(self, size: int) -> None:
        """A request is done with."""
        self.bytes -= size
        for event in self._waiting:
            event.set()

    async def wait_for_bytes(self, size: int) -> None:
        """Counts the bytes of a request as soon as there is room, for those who can stop reading instead of failing."""
        while self.bytes and self.bytes + size > self.bounds.bytes:
            event = asyncio.Event()
            self._waiting.add(event)
            try:
                await event.wait()
            finally:
                self._waiting.discard(event)
        self.bytes += size


class Rate:
    """A token bucket a namespace, that holds one second's worth and at least one. Debt is allowed: who has one token
    left may spend more, and pays by waiting."""

    def __init__(self, what: str, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._per_second = per_second
        self._clock = clock
        self._left: dict[int, tuple[float, float]] = {}

    def check(self, namespace: int) -> None:
        """Whether the namespace has anything left; 0 a second means no bound.

        Raises:
            LimitExceeded: it must wait; ``retry_after`` says how long.
        """
        if self._per_second <= 0:
            return
        left = self._now(namespace)
        if left < 1:
            raise LimitExceeded(
                f"a namespace may have {self._per_second:g} {self._what} a second",
                reason="RATE_EXCEEDED",
                retry_after=(1 - left) / self._per_second,
            )

    def charge(self, namespace: int, amount: float) -> None:
        """Takes away what was used."""
        if self._per_second > 0:
            self._left[namespace] = (self._now(namespace) - amount, self._clock())

    @property
    def bounded(self) -> bool:
        """False where there is no bound, and charging may be spared."""
        return self._per_second > 0

    def _now(self, namespace: int) -> float:
        full = max(1.0, self._per_second)
        left, since = self._left.get(namespace, (full, 0.0))
        return min(full, left + (self._clock() - since) * self._per_second)


@dataclass(frozen=True, slots=True)
class Rates:
    """What a namespace may ask a second."""

    bytes: Rate
    rows: Rate
    queries: Rate
