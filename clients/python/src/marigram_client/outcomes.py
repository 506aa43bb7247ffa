"""What became of rows that were sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from marigram_client._pb.marigram.v1 import ingest_pb2 as pb


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that broke a rule: its index in what was written, the rule, and the column (empty for the whole row)."""

    row: int
    reason: str
    column: str
    message: str


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of a write. received = stored + rejected + duplicate; ``late`` is a part of stored.

    ``rejected`` counts quarantined rows by rule, ``errors`` tells about the first hundred of each batch.
    """

    commit: int
    stored: int
    rejected: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    errors: tuple[RowError, ...] = ()
    duplicate: bool = False
    verified: bool = False
    late: int = 0
    watermark_ns: int | None = None

    @property
    def rejected_rows(self) -> int:
        """Rows that were not stored because they broke a rule."""
        return sum(self.rejected.values())


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of one event: its ``id`` if it is stored, else the rule that it broke."""

    stored: bool
    id: bytes
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class TrackResult:
    """What became of several events: of all together, and of each in order."""

    outcome: WriteResult
    events: tuple[EventResult, ...]


def read(message: pb.WriteResponse, first_row: int = 0) -> WriteResult:
    """A result from its message; rows are counted from ``first_row`` on."""
    return WriteResult(
        commit=message.commit,
        stored=message.stored,
        rejected=MappingProxyType({entry.reason: entry.rows for entry in message.rejected}),
        errors=tuple(RowError(first_row + e.row, e.reason, e.column, e.message) for e in message.errors),
        duplicate=message.duplicate,
        verified=message.verified,
        late=message.late,
        watermark_ns=message.watermark_ns if message.HasField("watermark_ns") else None,
    )


def read_event(message: pb.EventResult) -> EventResult:
    """What became of one event, from its message."""
    return EventResult(message.stored, message.id, message.reason, message.message)


def joined(one: WriteResult, next_one: WriteResult) -> WriteResult:
    """Two results of one write that was sent in several batches."""
    reasons = {*one.rejected, *next_one.rejected}
    return WriteResult(
        commit=next_one.commit,
        stored=one.stored + next_one.stored,
        rejected=MappingProxyType({r: one.rejected.get(r, 0) + next_one.rejected.get(r, 0) for r in sorted(reasons)}),
        errors=one.errors + next_one.errors,
        late=one.late + next_one.late,
        watermark_ns=next_one.watermark_ns,
    )
