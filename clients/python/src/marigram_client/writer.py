"""A writer: batches rows, numbers the batches, keeps what is not acknowledged and sends it again after a broken
connection.

The server knows each batch by the writer's name and its number, so a batch that arrives twice is stored once. What is
sent and not acknowledged is bounded; beyond it, writing waits.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

import grpc.aio

from marigram_client import batches, outcomes, policy
from marigram_client._pb.marigram.v1 import ingest_pb2 as pb
from marigram_client.calls import Calls
from marigram_client.errors import FailedPrecondition, Internal, InvalidArgument, MarigramError, Overloaded, from_status
from marigram_client.ingest import Kind, stream_kind
from marigram_client.outcomes import RowError, WriteResult

if TYPE_CHECKING:
    from marigram_client.batches import Labels, SeriesOfRows
    from marigram_client.columns import ColumnType

_SERVICE = "marigram.v1.IngestService"
_ROWS = 8_192
"""Single rows that make a batch."""
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


@dataclass(frozen=True, slots=True)
class _Shape:
    """Rows that fit one batch have this in common."""

    stream: str
    kind: Kind | None
    labels: tuple[str, ...]
    types: "tuple[tuple[str, ColumnType], ...]"


class Writer:
    """Made by ``client.writer(name)``; an asynchronous context manager. Leaving it waits until everything is
    acknowledged; leaving it by an exception gives up what is not.

    After an error that a retry does not heal (a refused batch, a newer opener, a full disk), every method raises it.
    """

    def __init__(
        self,
        calls: Calls,
        name: str,
        *,
        batch_bytes: int,
        in_flight_bytes: int,
        linger: timedelta,
        patience: timedelta,
        on_rejected: Callable[[Rejection], None] | None = None,
    ) -> None:
        self.name = name
        self.epoch = 0
        self.next_sequence = 0
        self._calls = calls
        self._batch_bytes = batch_bytes
        self._most_bytes = self._window = in_flight_bytes
        self._linger = linger.total_seconds()
        self._patience = patience.total_seconds()
        self._on_rejected = on_rejected
        self._totals = Totals()
        self._given: Counter[str] = Counter()
        self._buffers: dict[_Shape, list[Mapping[str, object]]] = {}
        self._pending: deque[_Batch] = deque()
        self._pending_bytes = 0
        self._sent = 0  # of the pending ones, on this connection
        self._sent_bytes = 0
        self._throttle = 0
        self._round_trip = 0.0
        self._failure: MarigramError | None = None
        self._task: asyncio.Task[None] | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._progress_at = 0.0
        self._filled = asyncio.Event()
        self._moved = asyncio.Event()

    @property
    def totals(self) -> Totals:
        """What became of the rows so far."""
        return self._totals

    @property
    def acked_sequence(self) -> int:
        """Every batch up to this number is durable."""
        return self._pending[0].sequence - 1 if self._pending else self.next_sequence - 1

    async def open(self) -> Self:
        """Take the name over and learn where its batches go on. ``async with`` calls it."""
        opened = await self._calls.unary(pb.OpenWriterRequest(writer=self.name), pb.OpenWriterResponse)
        self.epoch, self.next_sequence = opened.epoch, opened.next_sequence
        self._task = asyncio.create_task(self._run(), name=f"marigram writer {self.name}")
        return self

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        else:
            await self._stop()

    async def write(
        self,
        stream: str,
        columns: object,
        *,
        kind: Kind | None = None,
        labels: "Labels | None" = None,
        series: "SeriesOfRows | None" = None,
        types: "Mapping[str, ColumnType] | None" = None,
        atomic: bool = False,
    ) -> None:
        """Take rows given as columns, as ``Client.write`` does; waits while too much is in flight.

        ``atomic`` holds for each batch, and a refused one ends the writer.
        """
        self._check()
        rows = batches.read(columns, labels=labels, series=series, types=types)
        for shape in [shape for shape in self._buffers if shape.stream == stream]:
            self._cut(shape)
        kind_of_stream = stream_kind(kind, labels, series)
        for batch in rows.batches(self._batch_bytes):
            await self._room()
            self._put(stream, kind_of_stream, batch, atomic)

    async def append(
        self,
        stream: str,
        row: Mapping[str, object],
        *,
        kind: Kind | None = None,
        labels: Iterable[str] = (),
        types: "Mapping[str, ColumnType] | None" = None,
    ) -> None:
        """Take one row, values by column with ``time`` among them; it is sent with others, after ``linger`` at the
        latest."""
        self._check()
        if "time" not in row:
            raise InvalidArgument("a row needs time", reason="NO_TIME", field="row")
        shape = _Shape(stream, kind, tuple(labels), tuple((types or {}).items()))
        buffer = self._buffers.setdefault(shape, [])
        buffer.append(row)
        if len(buffer) >= _ROWS:
            await self._room()
            self._cut(shape)
        elif "linger" not in self._timers:
            self._timers["linger"] = asyncio.get_running_loop().call_later(self._linger, self._lingered)

    async def flush(self) -> Totals:
        """Wait until everything taken so far is durable; what became of it.

        Raises:
            MarigramError: the writer has failed; what is not acknowledged may be stored or not, and opening the writer
                again tells by its next sequence.
        """
        self._cut_all()
        while self._pending:
            await self._next_move()
        self._check()
        return self._totals

    async def close(self) -> Totals:
        """Flush, then end. A second call does nothing."""
        try:
            if self._task is not None:
                await self.flush()
        finally:
            await self._stop()
        if self._totals.rejected and self._on_rejected is None:
            _log.warning("writer %s: %d rows were quarantined", self.name, self._totals.rejected)
        return self._totals

    # Taking rows.

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._task is None:
            raise FailedPrecondition("a writer must be open to be used", reason="WRITER_NOT_OPEN")

    async def _room(self) -> None:
        """Wait until another batch may be taken."""
        while self._pending_bytes + self._batch_bytes > self._most_bytes or len(self._pending) >= _OUTCOMES:
            if not self._pending:
                break
            await self._next_move()
        self._check()

    async def _next_move(self) -> None:
        self._check()
        self._moved.clear()
        await self._moved.wait()
        self._check()

    def _lingered(self) -> None:
        self._timers.pop("linger", None)
        self._cut_all()

    def _cut_all(self) -> None:
        for shape in list(self._buffers):
            self._cut(shape)

    def _cut(self, shape: _Shape) -> None:
        """Make batches of the single rows of a shape. Rows that do not fit together are parted; one that fits nowhere
        is rejected here, as the server would."""
        parts = [self._buffers.pop(shape)] if shape in self._buffers else []  # the timer may have been here
        kind = stream_kind(shape.kind, shape.labels, None)
        while parts:
            rows = parts.pop()
            try:
                encoded = batches.read(_columns(rows), labels=shape.labels, types=dict(shape.types))
            except InvalidArgument as error:
                if len(rows) == 1:
                    self._reject(shape.stream, error)
                else:
                    parts += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
                continue
            for batch in encoded.batches(self._batch_bytes):
                self._put(shape.stream, kind, batch, atomic=False)

    def _reject(self, stream: str, error: InvalidArgument) -> None:
        at = self._given[stream]
        self._given[stream] += 1
        row = RowError(at, error.reason, error.field.removeprefix("columns[").removesuffix("]"), error.message)
        self._count(Rejection(stream, 0, {error.reason: 1}, (row,)))

    def _put(self, stream: str, kind: int, batch: pb.Batch, atomic: bool) -> None:
        request = pb.WriteStreamRequest(
            stream=stream, batch=batch, writer=self.name, epoch=self.epoch, sequence=self.next_sequence, atomic=atomic
        )
        request.kind = kind  # type: ignore[assignment]  # an enumeration's number
        message = request.SerializeToString()
        if not self._pending:
            self._progressed()
        self._pending.append(_Batch(stream, self.next_sequence, batch.rows, self._given[stream], message))
        self._pending_bytes += len(message)
        self._given[stream] += batch.rows
        self.next_sequence += 1
        self._filled.set()

    # Sending and hearing.

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
                _log.info("writer %s: connection lost, %d batches to send again", self.name, len(self._pending))
                await self._calls.sleep(delay)

    async def _converse(self) -> MarigramError | None:
        """One connection, until it ends; the error it ended with. Overloaded stands for a connection that broke."""
        call = self._calls.converse(_SERVICE, "WriteStream", pb.WriteStreamResponse)
        self._sent = self._sent_bytes = 0
        sender = asyncio.create_task(self._send(call))
        sender.add_done_callback(self._sender_ended)
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
                await self._calls.sleep(min(_LONGEST_PAUSE, self._round_trip * share))

    def _sender_ended(self, sender: asyncio.Task[None]) -> None:
        if not sender.cancelled() and (error := sender.exception()) is not None:
            self._fail(Internal(f"the sender of writer {self.name} failed: {error!r}"))

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
        self._totals = replace(self._totals, commit=max(self._totals.commit, answer.commit))
        self._window = min(self._most_bytes, answer.advised_window_bytes or self._most_bytes)
        self._throttle = min(100, answer.throttle_percent)
        self._progressed()
        self._moved.set()

    def _settle(self, batch: _Batch, outcome: WriteResult | None) -> None:
        """Count a durable batch; without an outcome all its rows are stored."""
        totals = self._totals
        if outcome is None:
            self._totals = replace(totals, batches=totals.batches + 1, stored=totals.stored + batch.rows)
            return
        self._totals = replace(
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
        self._totals = replace(self._totals, rejected=self._totals.rejected + rows)
        if self._on_rejected is not None:
            self._on_rejected(rejection)

    # Giving up.

    def _progressed(self) -> None:
        """The server is there: its patience begins anew."""
        loop = asyncio.get_running_loop()
        if self._pending:
            self._round_trip = loop.time() - self._progress_at
        self._progress_at = loop.time()
        if (guard := self._timers.pop("guard", None)) is not None:
            guard.cancel()
        self._timers["guard"] = loop.call_later(self._patience, self._waited)

    def _waited(self) -> None:
        self._timers.pop("guard", None)
        if self._pending:
            found = f"none for {self._patience:g} s, {len(self._pending)} batches are not acknowledged"
            self._fail(Overloaded(f"the server must acknowledge batches; {found}", reason="NO_ACKNOWLEDGEMENT"))

    def _fail(self, failure: MarigramError) -> None:
        if self._failure is None:
            self._failure = failure
        if self._task is not None:
            self._task.cancel()
        self._moved.set()

    async def _stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._buffers.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])


def _columns(rows: list[Mapping[str, object]]) -> dict[str, list[object]]:
    """Rows turned to columns; what a row does not have is null."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
