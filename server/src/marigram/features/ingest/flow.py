"""One WriteStream: batches in, several in flight; acks out, in order and cumulative.

A reader task hands each message to the core as it comes, as long as the window has room; otherwise it stops reading,
and HTTP/2 flow control holds the sender. Each message commits by itself, so the end of the stream is no event: an
aborted stream and a finished one leave the same rows behind. The first batch that fails ends the stream with its
status, after everything before it was acknowledged.
"""

import asyncio
from collections import deque
from typing import NamedTuple

from marigram.call.budget import Budget, Rate, Rates
from marigram.engine import Engine, WriteSession
from marigram.errors import LimitExceeded, MarigramError, Overloaded
from marigram.feature import Duplex
from marigram.features.ingest.rows import matters
from marigram.v1 import ingest_pb2

RETRY_SECONDS = 0.5


class Window(NamedTuple):
    """How much of one stream is in flight at most."""

    batches: int
    bytes: int


class _Sent(NamedTuple):
    """A batch handed to the core, and its size in bytes."""

    future: asyncio.Future[list[bytes]]
    size: int


class Flow:
    """State of one call."""

    def __init__(
        self, engine: Engine, namespace: int, budget: Budget, rates: Rates, window: Window, duplex: Duplex
    ) -> None:
        self._engine = engine
        self._namespace = namespace
        self._budget = budget
        self._rates = rates
        self._window = window
        self._duplex = duplex
        self._session = WriteSession()
        self._in_flight: deque[_Sent] = deque()
        self._bytes = 0
        self._came = asyncio.Event()
        self._went = asyncio.Event()

    async def run(self) -> None:
        """Until the sender ends, a batch fails, or the server drains."""
        reader = asyncio.create_task(self._read())
        reader.add_done_callback(lambda _: self._came.set())
        self._duplex.on_drain(reader.cancel)
        try:
            while True:
                while self._in_flight:
                    await self._acknowledge()
                if reader.done():
                    break
                self._came.clear()
                await self._came.wait()
            if not reader.cancelled():
                reader.result()
            elif self._duplex.draining:
                raise Overloaded("the server is stopping", reason="SHUTTING_DOWN", retry_after=RETRY_SECONDS)
        finally:
            reader.cancel()
            while self._in_flight:
                sent = self._in_flight[0]
                sent.future.cancel()
                self._done(sent)

    async def _read(self) -> None:
        while (message := await self._duplex.read()) is not None:
            size = len(message)
            while self._in_flight and (
                len(self._in_flight) >= self._window.batches or self._bytes + size > self._window.bytes
            ):
                self._went.clear()
                await self._went.wait()
            await self._within(self._rates.rows)
            await self._within(self._rates.bytes)
            self._rates.bytes.charge(self._namespace, size)
            await self._budget.wait_for_bytes(size)
            try:
                future = self._engine.write_stream(self._namespace, message, self._session)
            except BaseException:
                self._budget.give_bytes(size)
                raise
            self._in_flight.append(_Sent(future, size))
            self._bytes += size
            self._came.set()

    async def _acknowledge(self) -> None:
        """Waits for the oldest batch, and acknowledges it with all behind it that are done too."""
        ack = ingest_pb2.WriteStreamResponse()
        failure: MarigramError | None = None
        await asyncio.wait([self._in_flight[0].future])
        while self._in_flight and failure is None and (sent := self._in_flight[0]).future.done():
            self._done(sent)
            try:
                self._merge(ack, sent.future.result()[0])
            except MarigramError as error:
                failure = error
        if ack.acked_sequence:
            ack.throttle_percent, ack.advised_window_bytes = self._engine.pressure()
            await self._duplex.write(ack.SerializeToString())
        if failure is not None:
            raise failure

    def _merge(self, ack: ingest_pb2.WriteStreamResponse, answer: bytes) -> None:
        batch = ingest_pb2.BatchOutcome.FromString(answer)
        outcome = batch.outcome
        ack.acked_sequence = max(ack.acked_sequence, batch.sequence)
        ack.commit = max(ack.commit, outcome.commit)
        if matters(outcome):
            ack.outcomes.append(batch)
        if self._rates.rows.bounded:
            self._rates.rows.charge(self._namespace, outcome.stored + sum(count.rows for count in outcome.rejected))

    def _done(self, sent: _Sent) -> None:
        self._in_flight.popleft()
        self._bytes -= sent.size
        self._budget.give_bytes(sent.size)
        self._went.set()

    async def _within(self, rate: Rate) -> None:
        """A stream that is too fast is not refused: it is read more slowly."""
        while True:
            try:
                return rate.check(self._namespace)
            except LimitExceeded as error:
                await asyncio.sleep(error.retry_after or RETRY_SECONDS)
