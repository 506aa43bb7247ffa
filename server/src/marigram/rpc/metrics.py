"""Counters and latencies of each method, kept in the process; nothing exports them yet."""

from collections import Counter
from dataclasses import dataclass, field

BUCKETS = 40  # powers of two of a microsecond: the last begins at six days


@dataclass(slots=True)
class MethodMetrics:
    """Of one method: calls by status code, and a histogram whose bucket ``i`` holds calls shorter than ``2**i`` µs."""

    codes: Counter[str] = field(default_factory=Counter)
    latency: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    running: int = 0

    def ended(self, code: str, seconds: float) -> None:
        """A call has ended."""
        self.codes[code] += 1
        self.latency[min(int(seconds * 1e6).bit_length(), BUCKETS - 1)] += 1


class Metrics:
    """Of all methods that were called."""

    def __init__(self) -> None:
        self.methods: dict[str, MethodMetrics] = {}

    def of(self, method: str) -> MethodMetrics:
        """Those of a method that is served; others would let callers fill the memory."""
        return self.methods.setdefault(method, MethodMetrics())

    def running(self) -> int:
        """Calls that run now."""
        return sum(method.running for method in self.methods.values())
