"""Records of the hot environment as values. FORMAT.md, "Records"."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from marigram.inspect.fields import Fields, demand

Record = TypeVar("Record")


class Type(IntEnum):
    """The type of a column."""

    F64 = 1
    I64 = 2
    BOOL = 3
    TIMESTAMP = 4
    SYMBOL = 5
    TEXT = 6
    LABEL = 7


TIME, ENTITY, FIRST = 0, 1, 2
"""Numbers of columns: time, entity, and the first that a schema names."""
ROLLED_ROWS = 1 << 15
"""Number of the column of a rollup that says how many rows a group has."""
KINDS = {1: "event", 2: "metric"}


@dataclass(frozen=True, slots=True)
class Format:
    """What the store is."""

    version: int
    made_at: int
    store: int
    program: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """The last transaction."""

    transaction: int
    group: int
    clean: bool
    next_namespace: int
    next_stream: int
    namespaces: int


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace and its settings."""

    number: int
    name: str
    made_at: int
    writes_make_streams: bool
    most_rows: int | None
    most_bytes: int | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a schema names."""

    number: int
    name: str
    type: Type
    description: str
    unit: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream, its schema and its settings; times in nanoseconds."""

    namespace: int
    number: int
    name: str
    made_at: int
    kind: str
    schema_version: int
    strict: bool
    out_of_orderness: int
    allowed_lateness: int
    idle_after: int
    max_age: int | None
    description: str
    columns: tuple[Column, ...]
    keep_for: int | None
    cold_after: int | None
    rollups: tuple["Declared", ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """A rollup that a stream declares; times in nanoseconds."""

    width: int
    keep_for: int | None
    sketches: bool
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NamespaceCounters:
    """What there is of a namespace."""

    commit: int
    streams: int
    writers: int
    documents: int
    last_document_version: int
    quarantined_bytes: int
    quarantined_without_room: int


@dataclass(frozen=True, slots=True)
class StreamCounters:
    """What there is of a stream, and its ledger."""

    schema_version: int
    first_value: int
    next_value: int
    log_rows: int
    greatest_time: int | None
    last_arrival: int
    watermark: int | None
    quarantine_records: int
    quarantine_bytes: int
    quarantined_without_room: int
    dictionaries: int
    received: int
    stored: int
    duplicate: int
    late: int
    rejects: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What of a stream is sealed."""

    generation: int
    next_part: int
    parts: int
    rows: int
    size_bytes: int
    sealed_through: int
    dropped_parts: int
    dropped_rows: int
    dropped_bytes: int
    rollups: int
    rollup_bytes: int
    dropped_through: int


@dataclass(frozen=True, slots=True)
class PartRecord:
    """A part, and what proves it whole."""

    part: int
    tile_start: int
    tile_width: int
    rows: int
    size_bytes: int
    least_time: int
    greatest_time: int
    least_entity: int
    greatest_entity: int
    first_value: int
    next_value: int
    commit: int
    root_checksum: int
    made_at: int
    is_cold: bool
    rollup: "Rolled | None"


@dataclass(frozen=True, slots=True)
class Rolled:
    """What a rollup is of: a part, which may be gone, its rows and their times, and columns that it tells apart."""

    part: int
    rows: int
    least_time: int
    greatest_time: int
    width: int
    sketches: bool
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch of a writer."""

    digest: int
    commit: int
    stored: int
    late: int
    rejects: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Writer:
    """A writer: the outcomes are those of the sequences just before the next."""

    epoch: int
    next_sequence: int
    last_used: int
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that broke a rule."""

    reason: int
    place: int
    column: str
    found: str
    row: bytes


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Rows that broke a rule, of one batch."""

    at: int
    rows: tuple[Refused, ...]


def read_format(fields: Fields) -> Format:
    """``meta/format``."""
    return _ended(fields, Format(fields.u32(), fields.i64(), fields.u128(), fields.text()))


def read_stamp(fields: Fields) -> Stamp:
    """``meta/stamp``."""
    found = Stamp(fields.u64(), fields.u64(), fields.flag(), fields.u32(), fields.u32(), fields.u32())
    return _ended(fields, found)


def read_namespace(number: int, fields: Fields) -> Namespace:
    """A value of ``namespaces``."""
    creates, made_at, name = fields.flag(), fields.i64(), fields.text()
    quota = (0, 0) if fields.whole() else (fields.varint(), fields.varint())
    return _ended(fields, Namespace(number, name, made_at, creates, quota[0] or None, quota[1] or None))


def read_stream(namespace: int, number: int, fields: Fields) -> Stream:
    """A value of ``streams``."""
    name, made_at, kind = fields.text(), fields.i64(), fields.u8()
    demand(kind in KINDS, f"a stream is of kind 1 or 2, not {kind}")
    version, strict = fields.u64(), fields.flag()
    times = fields.i64(), fields.i64(), fields.i64(), fields.optional_i64()
    description = fields.text()
    columns = tuple(_column(at + FIRST, fields) for at in range(fields.varint()))
    keep_for = None if fields.whole() else fields.optional_i64()
    cold_after = None if fields.whole() else fields.optional_i64()
    rollups = () if fields.whole() else tuple(_declared(fields) for _ in range(fields.varint()))
    found = Stream(
        namespace, number, name, made_at, KINDS[kind], version, strict, *times, description, columns, keep_for,
        cold_after, rollups,
    )  # fmt: skip
    return _ended(fields, found)


def _declared(fields: Fields) -> Declared:
    width, keep_for, sketches = fields.i64(), fields.optional_i64(), fields.flag()
    return Declared(width, keep_for, sketches, tuple(fields.text() for _ in range(fields.varint())))


def _column(number: int, fields: Fields) -> Column:
    kind, name, description, unit = fields.u8(), fields.text(), fields.text(), fields.text()
    demand(kind in set(Type), f"there is no column type {kind}")
    return Column(number, name, Type(kind), description, unit)


def read_plain_page(fields: Fields) -> list[str]:
    """A value of ``dictionaries`` that is not packed: texts."""
    found = []
    while not fields.whole():
        found.append(fields.text())
    return found


def read_namespace_counters(fields: Fields) -> NamespaceCounters:
    """A value of ``counters`` whose key is a namespace."""
    first = fields.u64(), fields.u32(), fields.u32(), fields.u64(), fields.u64(), fields.u64(), fields.u64()
    return _ended(fields, NamespaceCounters(*first))


def read_stream_counters(fields: Fields) -> StreamCounters:
    """A value of ``counters`` whose key is a stream."""
    found = StreamCounters(
        fields.u64(),
        fields.u64(),
        fields.u64(),
        fields.u64(),
        fields.optional_i64(),
        fields.i64(),
        fields.optional_i64(),
        fields.varint(),
        fields.varint(),
        fields.varint(),
        fields.varint(),
        fields.u64(),
        fields.u64(),
        fields.u64(),
        fields.u64(),
        _rejects(fields),
    )
    rejected = sum(found.rejects.values())
    demand(found.received == found.stored + rejected + found.duplicate, "received = stored + rejected + duplicate")
    return _ended(fields, found)


def read_length(fields: Fields) -> int:
    """A value of ``counters`` whose key is a column: codes are below it."""
    return _ended(fields, fields.u32())


def read_manifest(fields: Fields) -> Manifest:
    """A value of ``manifests``."""
    found = Manifest(
        fields.u64(),
        fields.u64(),
        fields.u32(),
        fields.u64(),
        fields.u64(),
        fields.u64(),
        fields.u64(),
        fields.u64(),
        fields.u64(),
        *((0, 0) if fields.whole() else (fields.u32(), fields.u64())),
        0 if fields.whole() else fields.u64(),
    )
    return _ended(fields, found)


def read_part(part: int, fields: Fields) -> PartRecord:
    """A value of ``parts``."""
    fixed = (
        part,
        fields.i64(),
        fields.i64(),
        fields.u64(),
        fields.u64(),
        fields.i64(),
        fields.i64(),
        fields.u32(),
        fields.u32(),
        fields.u64(),
        fields.u64(),
        fields.u64(),
        fields.u32(),
        fields.i64(),
    )
    flags = 0 if fields.whole() else fields.u8()
    demand(flags <= 3, "behind the time of a part stand two flags, or nothing")
    return _ended(fields, PartRecord(*fixed, bool(flags & 1), _rolled(fields) if flags & 2 else None))


def _rolled(fields: Fields) -> Rolled:
    first = fields.u64(), fields.u64(), fields.i64(), fields.i64(), fields.i64(), fields.flag()
    return Rolled(*first, tuple(fields.varint() for _ in range(fields.varint())))


def read_writer(fields: Fields) -> Writer:
    """A value of ``writers``."""
    epoch, next_sequence, last_used, count = fields.u64(), fields.u64(), fields.i64(), fields.u8()
    demand(count <= 64, f"a writer has at most 64 outcomes, not {count}")
    outcomes: list[Outcome] = []
    for _ in range(count):
        digest, step = fields.u128(), fields.varint()
        commit = step + (outcomes[-1].commit if outcomes else 0)
        outcomes.append(Outcome(digest, commit, fields.varint(), fields.varint(), _rejects(fields)))
    return _ended(fields, Writer(epoch, next_sequence, last_used, tuple(outcomes)))


def read_quarantine(fields: Fields) -> Quarantine:
    """A value of ``quarantine``."""
    at, rows = fields.i64(), []
    while not fields.whole():
        rows.append(Refused(fields.u8(), fields.u32(), fields.text(), fields.text(), bytes(fields.sized())))
    return Quarantine(at, tuple(rows))


def read_document(fields: Fields) -> tuple[int, bytes]:
    """A value of ``documents``: its version and its bytes."""
    return fields.u64(), bytes(fields.rest())


def _rejects(fields: Fields) -> dict[int, int]:
    return {fields.u8(): fields.varint() for _ in range(fields.u8())}


def _ended(fields: Fields, record: Record) -> Record:
    fields.end()
    return record
