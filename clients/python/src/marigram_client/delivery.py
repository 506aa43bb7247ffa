"""The books of a writer: numbered batches until they are acknowledged, and what became of their rows.

Nothing here waits, locks or talks: the deliveries of the two clients do, and share these books.
"""

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from marigram_client import outcomes
from marigram_client._pb.marigram.v1 import common_pb2
from marigram_client._pb.marigram.v1 import ingest_pb2 as pb
from marigram_client.errors import InvalidArgument
from marigram_client.outcomes import RowError, WriteResult

_OUTCOMES = 64
"""Batches in flight at most: as many as the server keeps verdicts of, so that a repeated one gets the same verdict."""
_LONGEST_PAUSE = 1.0


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


class Backlog:
    """The batches of one writer that are not acknowledged. The server knows each by the writer's name and its number,
    so that one that arrives twice is stored once."""

    def __init__(self, name: str, most_bytes: int) -> None:
        self.epoch = 0
        self.next_sequence = 0
        self.acked_sequence = 0
        """Every batch up to this number is durable."""
        self.totals = Totals()
        self.size_bytes = 0
        self.progress_at = 0.0
        """When the server was last heard of while batches waited, by the monotonic clock."""
        self._name = name
        self._most_bytes = self._window = most_bytes
        self._given: Counter[str] = Counter()
        self._pending: deque[_Batch] = deque()
        self._sent = 0  # of the pending ones, on this connection
        self._sent_bytes = 0
        self._throttle = 0
        self._between_acks = 0.0  # seconds

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def pause(self) -> float:
        """Seconds to wait before the next batch, as the server advised."""
        return min(_LONGEST_PAUSE, self._between_acks * self._throttle / max(1, 100 - self._throttle))

    def opened(self, answer: pb.OpenWriterResponse) -> None:
        """Go on where the server says."""
        self.epoch, self.next_sequence = answer.epoch, answer.next_sequence
        self.acked_sequence = self.next_sequence - 1

    def is_full(self, size_bytes: int) -> bool:
        """Whether a batch of this size must wait. A single one never does, however large."""
        too_much = self.size_bytes + size_bytes > self._most_bytes or len(self._pending) >= _OUTCOMES
        return bool(self._pending) and too_much

    def add(self, stream: str, kind: common_pb2.StreamKind.ValueType, batch: pb.Batch, atomic: bool) -> None:
        """Number a batch and keep it."""
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
            self.progress_at = time.monotonic()
        self._pending.append(_Batch(stream, self.next_sequence, batch.rows, self._given[stream], message))
        self.size_bytes += len(message)
        self._given[stream] += batch.rows
        self.next_sequence += 1

    def connected(self) -> None:
        """Nothing is sent yet on a new connection."""
        self._sent = self._sent_bytes = 0

    def next_message(self) -> bytes | None:
        """The next batch to send; None if there is none, or the server wants no more in flight."""
        if self._sent == len(self._pending):
            return None
        message = self._pending[self._sent].message
        if self._sent and self._sent_bytes + len(message) > self._window:
            return None
        self._sent += 1
        self._sent_bytes += len(message)
        return message

    def acknowledge(self, answer: pb.WriteStreamResponse) -> list[Rejection]:
        """Let go of what is durable and count what became of it; the batches of which rows were quarantined."""
        told = {entry.sequence: entry.outcome for entry in answer.outcomes}
        rejections = []
        while self._pending and self._pending[0].sequence <= answer.acked_sequence:
            batch = self._pending.popleft()
            self.acked_sequence = batch.sequence
            self.size_bytes -= len(batch.message)
            if self._sent:
                self._sent -= 1
                self._sent_bytes -= len(batch.message)
            outcome = told.get(batch.sequence)
            result = None if outcome is None else outcomes.read(outcome, batch.first_row)
            self._settle(batch, result)
            if result is not None and result.rejected:
                rejections.append(Rejection(batch.stream, batch.sequence, result.rejected, result.errors))
        self.totals = replace(self.totals, commit=max(self.totals.commit, answer.commit))
        self._window = min(self._most_bytes, answer.advised_window_bytes or self._most_bytes)
        self._throttle = min(100, answer.throttle_percent)
        now = time.monotonic()
        self._between_acks = now - self.progress_at
        self.progress_at = now
        return rejections

    def reject(self, stream: str, error: InvalidArgument) -> Rejection:
        """Count a row that cannot even be sent."""
        at = self._given[stream]
        self._given[stream] += 1
        self.totals = replace(self.totals, rejected=self.totals.rejected + 1)
        row = RowError(at, error.reason, error.field.removeprefix("columns[").removesuffix("]"), error.message)
        return Rejection(stream, 0, {error.reason: 1}, (row,))

    def _settle(self, batch: _Batch, outcome: WriteResult | None) -> None:
        """Count a durable batch; without an outcome all its rows are stored."""
        totals = replace(self.totals, batches=self.totals.batches + 1, stored=self.totals.stored + batch.rows)
        if outcome is not None:
            totals = replace(
                totals,
                stored=totals.stored - outcome.rejected_rows,
                rejected=totals.rejected + outcome.rejected_rows,
                late=totals.late + outcome.late,
                duplicate=totals.duplicate + (batch.rows if outcome.duplicate else 0),
            )
        self.totals = totals
