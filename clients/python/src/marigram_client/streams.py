"""Streams: named append-only tables of rows, each with a schema."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import cast

from marigram_client import times
from marigram_client._pb.marigram.v1 import common_pb2
from marigram_client._pb.marigram.v1 import streams_pb2 as pb
from marigram_client.errors import InvalidArgument
from marigram_client.kinds import ColumnType, Kind, word


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a stream; ``unit`` such as "s", "By" or "1" (UCUM)."""

    name: str
    type: ColumnType
    description: str = ""
    unit: str = ""

    def message(self) -> pb.Column:
        """The column as the contract has it."""
        return pb.Column(name=self.name, type=_type(self.type), description=self.description, unit=self.unit)


@dataclass(frozen=True, slots=True)
class Rollup:
    """States of windows of ``width``, aligned to 1970 in UTC, that are kept beside sealed rows and answer queries in
    their place. ``keep_for`` None keeps them for ever, also once their rows are gone; ``group_by`` nothing tells
    entities apart; with ``sketches`` quantiles are read from them, too."""

    width: timedelta
    keep_for: timedelta | None = None
    group_by: tuple[str, ...] = ()
    sketches: bool = False

    def message(self) -> pb.Rollup:
        """The rollup as the contract has it."""
        return pb.Rollup(
            width=times.duration(self.width),
            keep_for=None if self.keep_for is None else times.duration(self.keep_for),
            group_by=self.group_by,
            sketches=self.sketches,
        )

    @classmethod
    def of(cls, message: pb.Rollup) -> "Rollup":
        """From its message."""
        keep_for = message.keep_for.ToTimedelta() if message.HasField("keep_for") else None
        return cls(message.width.ToTimedelta(), keep_for, tuple(message.group_by), message.sketches)


@dataclass(frozen=True, slots=True)
class StreamStats:
    """Counters of a stream: received = stored + rejected + duplicate. Times are Unix nanoseconds, None without rows."""

    received: int
    stored: int
    rejected: Mapping[str, int]
    duplicate: int
    late: int
    entities: int
    max_time_ns: int | None
    watermark_ns: int | None
    log_bytes: int
    commit: int
    sealed_rows: int
    sealed_bytes: int
    parts: int


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream: its schema, its settings and what it holds. ``max_age`` None quarantines no row for its age,
    ``keep_for`` None drops none, ``cold_after`` None recodes none."""

    name: str
    kind: Kind
    columns: tuple[Column, ...]
    strict: bool
    out_of_orderness: timedelta
    allowed_lateness: timedelta
    idle_after: timedelta
    max_age: timedelta | None
    keep_for: timedelta | None
    cold_after: timedelta | None
    rollups: tuple[Rollup, ...]
    description: str
    create_time: datetime
    version: int
    stats: StreamStats = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeletedStream:
    """What went with a stream, and the commit from which on it is gone."""

    rows: int
    commit: int


@dataclass(frozen=True, slots=True)
class SealedRows:
    """What sealing came to: rows, the parts made of them, and bytes of the parts' files."""

    rows: int
    parts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RecodedParts:
    """Parts that were written anew, bytes of their files before, and of those that took their place."""

    parts: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True, slots=True)
class Retention:
    """What retention took, or would take: parts, their rows, bytes of their files. ``before_ns`` None: the
    stream keeps rows of any age; else parts whose last row is older go."""

    parts: int
    rows: int
    bytes: int
    before_ns: int | None


def message(
    name: str,
    *,
    kind: common_pb2.StreamKind.ValueType = common_pb2.STREAM_KIND_UNSPECIFIED,
    columns: Iterable[Column],
    strict: bool,
    out_of_orderness: timedelta | None,
    allowed_lateness: timedelta | None,
    idle_after: timedelta | None,
    max_age: timedelta | None,
    keep_for: timedelta | None,
    cold_after: timedelta | None,
    rollups: Iterable[Rollup],
    description: str,
) -> pb.Stream:
    """The stream as the contract has it."""
    return pb.Stream(
        name=f"streams/{name}",
        kind=kind,
        columns=[column.message() for column in columns],
        strict=strict,
        out_of_orderness=None if out_of_orderness is None else times.duration(out_of_orderness),
        allowed_lateness=None if allowed_lateness is None else times.duration(allowed_lateness),
        idle_after=None if idle_after is None else times.duration(idle_after),
        max_age=None if max_age is None else times.duration(max_age),
        keep_for=None if keep_for is None else times.duration(keep_for),
        cold_after=None if cold_after is None else times.duration(cold_after),
        rollups=[rollup.message() for rollup in rollups],
        description=description,
    )


def read(message: pb.Stream) -> Stream:
    """A stream from its message."""
    stats = message.stats
    return Stream(
        name=message.name.removeprefix("streams/"),
        kind="event" if message.kind == common_pb2.STREAM_KIND_EVENT else "metric",
        columns=tuple(Column(c.name, _type_name(c.type), c.description, c.unit) for c in message.columns),
        strict=message.strict,
        out_of_orderness=message.out_of_orderness.ToTimedelta(),
        allowed_lateness=message.allowed_lateness.ToTimedelta(),
        idle_after=message.idle_after.ToTimedelta(),
        max_age=message.max_age.ToTimedelta() if message.HasField("max_age") else None,
        keep_for=message.keep_for.ToTimedelta() if message.HasField("keep_for") else None,
        cold_after=message.cold_after.ToTimedelta() if message.HasField("cold_after") else None,
        rollups=tuple(Rollup.of(rollup) for rollup in message.rollups),
        description=message.description,
        create_time=message.create_time.ToDatetime(UTC),
        version=message.version,
        stats=StreamStats(
            received=stats.received,
            stored=stats.stored,
            rejected=MappingProxyType({entry.reason: entry.rows for entry in stats.rejected}),
            duplicate=stats.duplicate,
            late=stats.late,
            entities=stats.entities,
            max_time_ns=stats.max_time_ns if stats.HasField("max_time_ns") else None,
            watermark_ns=stats.watermark_ns if stats.HasField("watermark_ns") else None,
            log_bytes=stats.log_bytes,
            commit=stats.commit,
            sealed_rows=stats.sealed_rows,
            sealed_bytes=stats.sealed_bytes,
            parts=stats.parts,
        ),
    )


def _type(name: str) -> common_pb2.ColumnType.ValueType:
    try:
        return common_pb2.ColumnType.Value(f"COLUMN_TYPE_{name.upper()}")
    except ValueError:
        known = ", ".join(key.removeprefix("COLUMN_TYPE_").lower() for key in common_pb2.ColumnType.keys()[1:])
        raise InvalidArgument(
            f"a column type must be one of {known}, got {name}", reason="INVALID_TYPE", field="columns"
        ) from None


def _type_name(number: common_pb2.ColumnType.ValueType) -> ColumnType:
    return cast("ColumnType", word(common_pb2.ColumnType, "COLUMN_TYPE_", number))
