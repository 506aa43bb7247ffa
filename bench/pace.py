"""A producer beside what is measured: batches at a fixed rate, from a thread of its own; and work for a fixed time."""

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

import numpy as np

FIRST_SECONDS = 30.0
Batch = TypeVar("Batch")
Work = TypeVar("Work")
Reply = TypeVar("Reply")


class Producer(Generic[Batch]):
    """Sends a batch each period from entry to exit; entry returns once the first is sent.

    A batch that takes longer than a period puts those behind it off, and they follow without a pause: no batch is left
    out, and ``behind_ms`` tells that the rate was not held.

    Args:
        batches: what to send, in order; they must last until exit.
        send: returns once the batch is acknowledged.
    """

    def __init__(self, batches: Sequence[Batch], send: Callable[[Batch], object], period_seconds: float) -> None:
        self._batches = batches
        self._send = send
        self._period = period_seconds
        self._stop = threading.Event()
        self._first = threading.Event()
        self._thread = threading.Thread(target=self._run, name="producer")
        self._failure: Exception | None = None
        self.sent = 0
        self.behind_ms = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._first.wait(FIRST_SECONDS):
            self._end()
            raise TimeoutError(f"the producer's first batch was not acknowledged within {FIRST_SECONDS:g} s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        if error is None and self._failure is not None:
            raise RuntimeError(f"the producer failed after {self.sent} batches") from self._failure

    def _end(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.perf_counter()
        try:
            for number, batch in enumerate(self._batches):
                due = began + number * self._period
                if self._stop.wait(max(0.0, due - time.perf_counter())):
                    return
                self.behind_ms = max(self.behind_ms, (time.perf_counter() - due) * 1e3)
                self._send(batch)
                self.sent += 1
                self._first.set()
            raise RuntimeError(f"its {len(self._batches)} batches did not last")
        except Exception as failure:
            self._failure = failure
        finally:
            self._first.set()


def timed_for(
    do: Callable[[Work], Reply], works: Sequence[Work], seconds: float
) -> tuple[Sequence[float], Sequence[Reply]]:
    """Does the works in turn, again and again until the seconds are over, but each of them once at least.

    Returns: the seconds of each, and what the first time of each gave.
    """
    waits: list[float] = []
    replies: list[Reply] = []
    until = time.perf_counter() + seconds
    while len(waits) < len(works) or time.perf_counter() < until:
        began = time.perf_counter()
        reply = do(works[len(waits) % len(works)])
        waits.append(time.perf_counter() - began)
        if len(replies) < len(works):
            replies.append(reply)
    return waits, replies


def p99_ms(waits: Sequence[float]) -> float:
    """99th percentile, milliseconds."""
    return float(np.quantile(np.asarray(waits), 0.99)) * 1e3
