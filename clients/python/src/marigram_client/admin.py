"""Namespaces, keys and figures of the server, as callers get them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from google.protobuf.timestamp_pb2 import Timestamp

from marigram_client._pb.marigram.v1 import admin_pb2 as pb
from marigram_client.kinds import word


@dataclass(frozen=True, slots=True)
class Namespace:
    """The unit of isolation: what it may store (0: any number) and what it does, bytes in the log and in parts."""

    name: str
    description: str
    forbid_stream_creation: bool
    create_time: datetime
    max_rows: int
    max_bytes: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. None as ``expire_time`` is never, as ``revoke_time`` not revoked."""

    id: str
    namespace: str
    display_name: str
    scopes: tuple[str, ...]
    create_time: datetime
    expire_time: datetime | None
    revoke_time: datetime | None


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key and its secret, which is shown this once and stored nowhere."""

    key: ApiKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """Figures of one stream; ``watermark_ns`` in Unix nanoseconds, None without rows."""

    name: str
    rows: int
    entities: int
    watermark_ns: int | None
    rows_per_second: float
    sealed_rows: int
    parts: int
    sealed_bytes: int


@dataclass(frozen=True, slots=True)
class MapStatus:
    """Files that are mapped into the server's memory: of the hot environment (log, dictionaries, records), which grows
    to its limit at most, and of parts that are open. What of them lies in memory counts in ``resident_bytes``."""

    hot_limit_bytes: int
    hot_bytes: int
    parts: int
    part_bytes: int


@dataclass(frozen=True, slots=True)
class ResultCacheStatus:
    """Earlier answers, which are given again while their rows are the same: how many, their bytes and the most of these
    (0: none are kept), and since the server began the queries that were answered so, and those of 65,536 rows or more
    that had to be computed."""

    answers: int
    bytes: int
    limit_bytes: int
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class SealingStatus:
    """What is sealed, of all namespaces, and what waits to be; ``lag`` since when the oldest of it is there.
    ``failure_reason`` is empty unless the last seal that was due failed."""

    lag_rows: int
    lag_bytes: int
    lag: timedelta
    parts: int
    sealed_rows: int
    sealed_bytes: int
    seals: int
    footer_bytes: int
    failure_reason: str
    damaged_parts: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of every row: received = stored + rejected + duplicate."""

    received: int
    stored: int
    rejected: Mapping[str, int]
    duplicate: int
    late: int


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """Figures of the running server, sizes in bytes. ``refusal_reason`` says why writes are not accepted."""

    version: str
    start_time: datetime
    now: datetime
    accepting_writes: bool
    refusal_reason: str
    resident_bytes: int
    tail_rows: int
    tail_bytes: int
    tail_limit_bytes: int
    queue_bytes: int
    commits: int
    commit_p50: timedelta
    commit_p99: timedelta
    rows_per_second: float
    bytes_per_second: float
    disk_bytes: int
    disk_free_bytes: int
    ledger: Ledger
    streams: tuple[StreamStatus, ...]
    queries_running: int
    queries_waiting: int
    sealing: SealingStatus
    dictionary_bytes: int
    maps: MapStatus
    result_cache: ResultCacheStatus


@dataclass(frozen=True, slots=True)
class CodecStorage:
    """What the blocks of a codec take; codec ``null`` is of blocks without a value."""

    codec: str
    blocks: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ColumnStorage:
    """What the blocks of a column take, of the parts that hold it; ``rows`` are of these.

    ``layout`` is how values lie: f64, i64 (times too), bool, code (of a dictionary: symbols, labels, entities) or text.
    ``plain_bytes`` is what the rows would take one after the other: 8 bytes a number or time, 4 a code, a bit a
    boolean, of a text its own.
    """

    name: str
    layout: str
    rows: int
    nulls: int
    blocks: int
    bytes: int
    plain_bytes: int
    codecs: tuple[CodecStorage, ...]

    @property
    def ratio(self) -> float:
        """How many times less it takes than plain; infinite where it takes nothing."""
        return self.plain_bytes / self.bytes if self.bytes else float("inf")


@dataclass(frozen=True, slots=True)
class StreamStorage:
    """What a stream takes on the disk: sealed rows in ``parts``, the others in the log, the oldest of them for ``lag``.

    ``sealed_bytes`` are of files: blocks of columns, and what finds, describes and proves them.
    """

    name: str
    sealed_rows: int
    parts: int
    sealed_bytes: int
    lag_rows: int
    lag_bytes: int
    lag: timedelta
    columns: tuple[ColumnStorage, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification has read, all of it sound: records, the log in values, batches, blocks, rows and bytes, and
    the parts in blocks, rows and bytes of files."""

    records: int
    l0_values: int
    batches: int
    blocks: int
    rows: int
    bytes: int
    parts: int
    part_blocks: int
    part_rows: int
    part_bytes: int


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup on the server's machine. One that is not ``complete`` is being made, was left behind or is damaged, and
    has no more than a name. ``commits`` is the last commit of each namespace in it."""

    name: str
    complete: bool
    create_time: datetime | None
    files: int
    size_bytes: int
    commits: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class NewBackup:
    """A backup as it was made: rows in parts and in the log, parts that were copied and those that take no room, since
    its base has them."""

    backup: Backup
    sealed_rows: int
    unsealed_rows: int
    copied_parts: int
    shared_parts: int
    shared_bytes: int
    elapsed: timedelta


def read_namespace(message: pb.Namespace) -> Namespace:
    """A namespace from its message."""
    return Namespace(
        message.name.removeprefix("namespaces/"),
        message.description,
        message.forbid_stream_creation,
        message.create_time.ToDatetime(UTC),
        message.max_rows,
        message.max_bytes,
        message.rows,
        message.bytes,
    )


def read_key(message: pb.ApiKey) -> ApiKey:
    """A key from its message."""

    def when(name: str, time: Timestamp) -> datetime | None:
        return time.ToDatetime(UTC) if message.HasField(name) else None  # type: ignore[arg-type]

    return ApiKey(
        id=message.name.removeprefix("keys/"),
        namespace=message.namespace.removeprefix("namespaces/"),
        display_name=message.display_name,
        scopes=tuple(message.scopes),
        create_time=message.create_time.ToDatetime(UTC),
        expire_time=when("expire_time", message.expire_time),
        revoke_time=when("revoke_time", message.revoke_time),
    )


def read_status(message: pb.ServerStatus) -> ServerStatus:
    """The figures from their message."""
    return ServerStatus(
        version=message.version,
        start_time=message.start_time.ToDatetime(UTC),
        now=message.now.ToDatetime(UTC),
        accepting_writes=message.accepting_writes,
        refusal_reason=message.refusal_reason,
        resident_bytes=message.resident_bytes,
        tail_rows=message.tail_rows,
        tail_bytes=message.tail_bytes,
        tail_limit_bytes=message.tail_limit_bytes,
        queue_bytes=message.queue_bytes,
        commits=message.commits,
        commit_p50=message.commit_latency.p50.ToTimedelta(),
        commit_p99=message.commit_latency.p99.ToTimedelta(),
        rows_per_second=message.rate.rows_per_second,
        bytes_per_second=message.rate.bytes_per_second,
        disk_bytes=message.disk_bytes,
        disk_free_bytes=message.disk_free_bytes,
        ledger=Ledger(
            received=message.ledger.received,
            stored=message.ledger.stored,
            rejected=MappingProxyType({entry.reason: entry.rows for entry in message.ledger.rejected}),
            duplicate=message.ledger.duplicate,
            late=message.ledger.late,
        ),
        streams=tuple(_stream(stream) for stream in message.streams),
        queries_running=message.queries_running,
        queries_waiting=message.queries_waiting,
        sealing=_sealing(message.sealing),
        dictionary_bytes=message.dictionary_bytes,
        maps=MapStatus(
            hot_limit_bytes=message.maps.hot_limit_bytes,
            hot_bytes=message.maps.hot_bytes,
            parts=message.maps.parts,
            part_bytes=message.maps.part_bytes,
        ),
        result_cache=ResultCacheStatus(
            answers=message.result_cache.answers,
            bytes=message.result_cache.bytes,
            limit_bytes=message.result_cache.limit_bytes,
            hits=message.result_cache.hits,
            misses=message.result_cache.misses,
        ),
    )


def _stream(message: pb.StreamStatus) -> StreamStatus:
    return StreamStatus(
        name=message.name.removeprefix("streams/"),
        rows=message.rows,
        entities=message.entities,
        watermark_ns=message.watermark_ns if message.HasField("watermark_ns") else None,
        rows_per_second=message.rows_per_second,
        sealed_rows=message.sealed_rows,
        parts=message.parts,
        sealed_bytes=message.sealed_bytes,
    )


def read_storage(message: pb.StreamStorage) -> StreamStorage:
    """What a stream takes, from its message."""
    return StreamStorage(
        name=message.name.removeprefix("streams/"),
        sealed_rows=message.sealed_rows,
        parts=message.parts,
        sealed_bytes=message.sealed_bytes,
        lag_rows=message.lag_rows,
        lag_bytes=message.lag_bytes,
        lag=message.lag.ToTimedelta(),
        columns=tuple(
            ColumnStorage(
                name=column.name,
                layout=word(pb.ColumnLayout, "COLUMN_LAYOUT_", column.layout),
                rows=column.rows,
                nulls=column.nulls,
                blocks=column.blocks,
                bytes=column.bytes,
                plain_bytes=column.plain_bytes,
                codecs=tuple(CodecStorage(one.codec, one.blocks, one.bytes) for one in column.codecs),
            )
            for column in message.columns
        ),
    )


def read_verified(message: pb.VerifyStoreResponse) -> Verified:
    """What a verification has read, from its message."""
    return Verified(**{part.name: getattr(message, part.name) for part in fields(Verified)})


def read_backup(message: pb.Backup) -> Backup:
    """A backup from its message."""
    return Backup(
        name=message.name.removeprefix("backups/"),
        complete=message.complete,
        create_time=message.create_time.ToDatetime(UTC) if message.HasField("create_time") else None,
        files=message.files,
        size_bytes=message.size_bytes,
        commits=MappingProxyType({one.namespace.removeprefix("namespaces/"): one.commit for one in message.commits}),
    )


def read_new_backup(message: pb.CreateBackupResponse) -> NewBackup:
    """A backup as it was made, from its message."""
    return NewBackup(
        backup=read_backup(message.backup),
        sealed_rows=message.sealed_rows,
        unsealed_rows=message.unsealed_rows,
        copied_parts=message.copied_parts,
        shared_parts=message.shared_parts,
        shared_bytes=message.shared_bytes,
        elapsed=message.elapsed.ToTimedelta(),
    )


def _sealing(message: pb.SealingStatus) -> SealingStatus:
    return SealingStatus(
        lag_rows=message.lag_rows,
        lag_bytes=message.lag_bytes,
        lag=message.lag.ToTimedelta(),
        parts=message.parts,
        sealed_rows=message.sealed_rows,
        sealed_bytes=message.sealed_bytes,
        seals=message.seals,
        footer_bytes=message.footer_bytes,
        failure_reason=message.failure_reason,
        damaged_parts=message.damaged_parts,
    )
