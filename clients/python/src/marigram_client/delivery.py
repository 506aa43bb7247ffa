"""Delivery of numbered batches: sent in order, kept until acknowledged, sent again after a broken connection.

The server knows each batch by the writer's name and its number, so a batch that arrives twice is stored once. What is
sent and not acknowledged is bounded.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import grpc.aio

from marigram_client import outcomes, policy
from marigram_client._pb.marigram.v1 import common_pb2
from marigram_client._pb.marigram.v1 import ingest_pb2 as pb
from marigram_client.calls import Calls
from marigram_client.errors import (
    Cancelled,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    MarigramError,
    Overloaded,
    from_status,
)
from marigram_client.outcomes import RowError, WriteResult

_SERVICE = "marigram.v1.IngestService"
_OUTCOMES = 64
"""Batches in flight at most: as many as the server keeps verdicts of, so that a repeated one gets the same verdict."""
_LONGEST_PAUSE = 1.0
_BROKEN = (grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
"""What a broken connection looks like, beside UNAVAILABLE, if the server did not give a reason."""

_log = logging.getLogger("marigram_client")


@dataclass(frozen=True, slots=True)
class Rejection:
    """Rows of one batch that were quarantined. Rows in ``errors`` count from the first that this writer was given for
    the stream; the first hundred of a batch are told."""

    stream: str
    sequence: int
    rejected: Mapping[str, int]
    errors: tuple[RowError, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """What became of the rows of a writer since it was opened. ``commit`` is of the newest acknowledged batch."""

    batches: int = 0
    stored: int = 0
    rejected: int = 0
    late: int = 0
    duplicate: int = 0
    commit: int = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    """A numbered batch, kept until it is acknowledged; ``message`` is sent again with the same bytes."""

    stream: str
    sequence: int
    rows: int
    first_row: int
    message: bytes


class Delivery:
    """The batches of one writer on their way. After a failure that no retry heals, every method raises it."""

    def __init__(
        self,
        calls: Calls,
        name: str,
        most_bytes: int,
        patience: timedelta,
        on_rejected: Callable[[Rejection], None] | None,
    ) -> None:
        self.epoch = 0
        self.next_sequence = 0
        self.totals = Totals()
        self._calls = calls
        self._name = name
        self._most_bytes = self._window = most_bytes
        self._patience = patience.total_seconds()
        self._on_rejected = on_rejected
        self._given: Counter[str] = Counter()
        self._pending: deque[_Batch] = deque()
        self._pending_bytes = 0
        self._sent = 0  # of the pending ones, on this connection
        self._sent_bytes = 0
        self._throttle = 0
        self._between_acks = 0.0  # seconds
        self._failure: Exception | None = None
        self._task: asyncio.Task[None] | None = None
        self._guard: asyncio.TimerHandle | None = None
        self._progress_at = 0.0
        self._filled = asyncio.Event()
        self._moved = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Between ``open`` and ``stop``."""
        return self._task is not None

    @property
    def acked_sequence(self) -> int:
        """Every batch up to this number is durable."""
        return self._pending[0].sequence - 1 if self._pending else self.next_sequence - 1

    @property
    def pending_bytes(self) -> int:
        """Bytes of the batches that are not acknowledged."""
        return self._pending_bytes

    async def open(self) -> None:
        """Take the name over and learn where its batches go on."""
        opened = await self._calls.unary(pb.OpenWriterRequest(writer=self._name), pb.OpenWriterResponse)
        self.epoch, self.next_sequence = opened.epoch, opened.next_sequence
        self._task = asyncio.create_task(self._run(), name=f"marigram writer {self._name}")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Give up what is not acknowledged."""
        if self._guard is not None:
            self._guard.cancel()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def check(self) -> None:
        """Raise what ended the delivery."""
        if self._failure is not None:
            raise self._failure
        if self._task is None:
            raise FailedPrecondition("a writer must be open to be used", reason="WRITER_NOT_OPEN")

    async def room(self, size_bytes: int) -> None:
        """Wait until a batch of about this size may be taken."""
        while self._pending and (
            self._pending_bytes + size_bytes > self._most_bytes or len(self._pending) >= _OUTCOMES
        ):
            await self._next_move()
        self.check()

    async def drained(self) -> None:
        """Wait until everything is acknowledged."""
        while self._pending:
            await self._next_move()
        self.check()

    def put(self, stream: str, kind: common_pb2.StreamKind.ValueType, batch: pb.Batch, atomic: bool) -> None:
        """Number a batch and send it as soon as its turn comes."""
        request = pb.WriteStreamRequest(
            stream=stream,
            kind=kind,
            batch=batch,
            writer=self._name,
            epoch=self.epoch,
            sequence=self.next_sequence,
            atomic=atomic,
        )
        message = request.SerializeToString()
        if not self._pending:
            self._progressed()
        self._pending.append(_Batch(stream, self.next_sequence, batch.rows, self._given[stream], message))
        self._pending_bytes += len(message)
        self._given[stream] += batch.rows
        self.next_sequence += 1
        self._filled.set()

    def reject(self, stream: str, error: InvalidArgument) -> None:
        """Count a row that cannot even be sent."""
        at = self._given[stream]
        self._given[stream] += 1
        row = RowError(at, error.reason, error.field.removeprefix("columns[").removesuffix("]"), error.message)
        self._count(Rejection(stream, 0, {error.reason: 1}, (row,)))

    async def _next_move(self) -> None:
        self.check()
        self._moved.clear()
        await self._moved.wait()
        self.check()

    async def _run(self) -> None:
        """Talk to the server as long as the writer lives, over as many connections as it takes."""
        retry = policy.method(_SERVICE, "Write").retry
        tried = 0
        while True:
            while not self._pending:
                self._filled.clear()
                await self._filled.wait()
            before = self.acked_sequence
            failure = await self._converse()
            tried = 1 if self.acked_sequence > before else tried + 1
            if failure is not None and not isinstance(failure, Overloaded):
                self._fail(failure)
                return
            wished = failure.retry_after if failure is not None else None
            delay = wished.total_seconds() if wished is not None else retry.delay(tried) if retry is not None else 0.0
            if failure is not None or tried > 1:
                _log.info("writer %s: connection lost, %d batches to send again", self._name, len(self._pending))
                await self._calls.sleep(delay)

    async def _converse(self) -> MarigramError | None:
        """One connection, until it ends; the error it ended with. Overloaded stands for a connection that broke."""
        call = self._calls.converse(_SERVICE, "WriteStream", pb.WriteStreamResponse)
        self._sent = self._sent_bytes = 0
        sender = asyncio.create_task(self._send(call))
        sender.add_done_callback(self._ended)
        try:
            while isinstance(answer := await call.read(), pb.WriteStreamResponse):
                self._acknowledge(answer)
            return None
        except grpc.aio.AioRpcError as error:
            failure = from_status(error)
            if not failure.reason and error.code() in _BROKEN:
                return Overloaded(failure.message)
            return failure
        finally:
            sender.cancel()
            call.cancel()

    async def _send(self, call: "grpc.aio.StreamStreamCall[bytes, pb.WriteStreamResponse]") -> None:
        """Send what is pending, in order, as fast as the server wants it."""
        while True:
            if self._sent == len(self._pending):
                self._filled.clear()
                await self._filled.wait()
                continue
            batch = self._pending[self._sent]
            if self._sent and self._sent_bytes + len(batch.message) > self._window:
                self._moved.clear()
                await self._moved.wait()
                continue
            self._sent += 1
            self._sent_bytes += len(batch.message)
            try:
                await call.write(batch.message)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                return  # the reader hears why
            if self._throttle:
                share = self._throttle / max(1, 100 - self._throttle)
                await self._calls.sleep(min(_LONGEST_PAUSE, self._between_acks * share))

    def _ended(self, task: asyncio.Task[None]) -> None:
        """No task may end in silence: what it raised (or ``on_rejected`` in it), the next call raises."""
        if task.cancelled():
            if task is self._task and self._failure is None:  # not by us, so gRPC gave up its calls
                self._fail(Cancelled("the client was closed before its writer"))
        elif (error := task.exception()) is not None:
            self._fail(error if isinstance(error, Exception) else Internal(repr(error)))

    def _acknowledge(self, answer: pb.WriteStreamResponse) -> None:
        """Let go of what is durable, and count what became of it."""
        told = {entry.sequence: entry.outcome for entry in answer.outcomes}
        while self._pending and self._pending[0].sequence <= answer.acked_sequence:
            batch = self._pending.popleft()
            self._pending_bytes -= len(batch.message)
            if self._sent:
                self._sent -= 1
                self._sent_bytes -= len(batch.message)
            outcome = told.get(batch.sequence)
            self._settle(batch, None if outcome is None else outcomes.read(outcome, batch.first_row))
        self.totals = replace(self.totals, commit=max(self.totals.commit, answer.commit))
        self._window = min(self._most_bytes, answer.advised_window_bytes or self._most_bytes)
        self._throttle = min(100, answer.throttle_percent)
        self._progressed()
        self._moved.set()

    def _settle(self, batch: _Batch, outcome: WriteResult | None) -> None:
        """Count a durable batch; without an outcome all its rows are stored."""
        totals = self.totals
        if outcome is None:
            self.totals = replace(totals, batches=totals.batches + 1, stored=totals.stored + batch.rows)
            return
        self.totals = replace(
            totals,
            batches=totals.batches + 1,
            stored=totals.stored + batch.rows - outcome.rejected_rows,
            late=totals.late + outcome.late,
            duplicate=totals.duplicate + (batch.rows if outcome.duplicate else 0),
        )
        if outcome.rejected:
            self._count(Rejection(batch.stream, batch.sequence, outcome.rejected, outcome.errors))

    def _count(self, rejection: Rejection) -> None:
        rows = sum(rejection.rejected.values())
        self.totals = replace(self.totals, rejected=self.totals.rejected + rows)
        if self._on_rejected is not None:
            self._on_rejected(rejection)

    def _progressed(self) -> None:
        """The server is there: its patience begins anew."""
        loop = asyncio.get_running_loop()
        if self._pending:
            self._between_acks = loop.time() - self._progress_at
        self._progress_at = loop.time()
        if self._guard is not None:
            self._guard.cancel()
        self._guard = loop.call_later(self._patience, self._waited)

    def _waited(self) -> None:
        if self._pending:
            found = f"none for {self._patience:g} s, {len(self._pending)} batches are not acknowledged"
            self._fail(Overloaded(f"the server must acknowledge batches; {found}", reason="NO_ACKNOWLEDGEMENT"))

    def _fail(self, failure: Exception) -> None:
        if self._failure is None:
            self._failure = failure
        if self._task is not None:
            self._task.cancel()
        self._moved.set()
