"""What the engine tells, as values. Times are Unix nanoseconds; counts are of rows unless a name says otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class StreamKind(IntEnum):
    """What the rows of a stream are."""

    EVENT = 1
    METRIC = 2


class ColumnType(IntEnum):
    """Type of a column."""

    F64 = 1
    I64 = 2
    BOOL = 3
    TIMESTAMP = 4
    SYMBOL = 5
    TEXT = 6
    LABEL = 7
    STATE = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A typed field of a stream; ``unit`` in UCUM."""

    name: str
    type: ColumnType
    description: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of every row: received = stored + rejected + duplicate. Late rows are stored ones."""

    received: int
    stored: int
    rejected: tuple[tuple[str, int], ...]
    duplicate: int
    late: int

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Ledger":
        """From the core's dict."""
        rejected = tuple((reason, rows) for reason, rows in found["rejected"] if rows)
        return cls(found["received"], found["stored"], rejected, found["duplicate"], found["late"])


@dataclass(frozen=True, slots=True)
class Rollup:
    """What sealed rows are rolled up to; ``keep_for_ns`` None keeps it for ever, ``group_by`` nothing is the entity."""

    width_ns: int
    keep_for_ns: int | None
    group_by: tuple[str, ...]
    sketches: bool


@dataclass(frozen=True, slots=True)
class StreamStats:
    """What a stream holds; ``entities`` are users or series, ``commit`` is the one that last changed it."""

    ledger: Ledger
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
    """A stream: schema, settings, counters. ``name`` is its id; ``max_age_ns`` None takes rows of any age,
    ``keep_for_ns`` None keeps them, ``cold_after_ns`` None leaves their codecs as they are."""

    name: str
    kind: StreamKind
    columns: tuple[Column, ...]
    strict: bool
    out_of_orderness_ns: int
    allowed_lateness_ns: int
    idle_after_ns: int
    max_age_ns: int | None
    keep_for_ns: int | None
    cold_after_ns: int | None
    rollups: tuple[Rollup, ...]
    description: str
    created_ns: int
    version: int
    stats: StreamStats

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Stream":
        """From the core's dict."""
        stats = found["stats"]
        return cls(
            name=found["name"],
            kind=StreamKind(found["kind"]),
            columns=tuple(
                Column(column["name"], ColumnType(column["type"]), column["description"], column["unit"])
                for column in found["columns"]
            ),
            strict=found["strict"],
            out_of_orderness_ns=found["out_of_orderness_ns"],
            allowed_lateness_ns=found["allowed_lateness_ns"],
            idle_after_ns=found["idle_after_ns"],
            max_age_ns=found["max_age_ns"],
            keep_for_ns=found["keep_for_ns"],
            cold_after_ns=found["cold_after_ns"],
            rollups=tuple(
                Rollup(rollup["width_ns"], rollup["keep_for_ns"], tuple(rollup["group_by"]), rollup["sketches"])
                for rollup in found["rollups"]
            ),
            description=found["description"],
            created_ns=found["created_ns"],
            version=found["version"],
            stats=StreamStats(
                ledger=Ledger.of(stats),
                entities=stats["entities"],
                max_time_ns=stats["max_time_ns"],
                watermark_ns=stats["watermark_ns"],
                log_bytes=stats["log_bytes"],
                commit=stats["commit"],
                sealed_rows=stats["sealed_rows"],
                sealed_bytes=stats["sealed_bytes"],
                parts=stats["parts"],
            ),
        )


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """A stream in short, for a table of them."""

    name: str
    rows: int
    entities: int
    watermark_ns: int | None
    rows_per_second: float
    sealed_rows: int
    parts: int
    sealed_bytes: int


@dataclass(frozen=True, slots=True)
class Sealing:
    """What is sealed, of the whole engine, and what waits to be; ``lag_ns`` since when the oldest of it is there."""

    lag_rows: int
    lag_bytes: int
    lag_ns: int
    parts: int
    sealed_rows: int
    sealed_bytes: int
    seals: int
    footer_bytes: int
    failure_reason: str
    damaged_parts: int


@dataclass(frozen=True, slots=True)
class Maps:
    """Files that are mapped into the process's memory: the hot environment's, which grows to its limit at most, and
    those of open parts."""

    hot_limit_bytes: int
    hot_bytes: int
    parts: int
    part_bytes: int


@dataclass(frozen=True, slots=True)
class ResultCache:
    """Earlier answers that are kept, and how often they helped."""

    answers: int
    bytes: int
    limit_bytes: int
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """What sealing came to."""

    rows: int
    parts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Recoded:
    """What recoding came to: parts written anew, bytes of their files before and of those that took their place."""

    parts: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True, slots=True)
class Retention:
    """What retention took, or would take; ``before_ns`` None: the stream keeps rows of any age."""

    parts: int
    rows: int
    bytes: int
    before_ns: int | None


class Layout(IntEnum):
    """How values of a column lie."""

    F64 = 1
    I64 = 2
    BOOL = 3
    CODE = 4
    TEXT = 5


@dataclass(frozen=True, slots=True)
class CodecStorage:
    """What the blocks of a codec take."""

    codec: str
    blocks: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ColumnStorage:
    """What the blocks of a column take, of the parts that hold it; ``rows`` are of these.

    ``plain_bytes`` is what the rows would take one after the other: 8 bytes a number or time, 4 a code, a bit a
    boolean, of a text its own.
    """

    name: str
    layout: Layout
    rows: int
    nulls: int
    blocks: int
    bytes: int
    plain_bytes: int
    codecs: tuple[CodecStorage, ...]


@dataclass(frozen=True, slots=True)
class StreamStorage:
    """What a stream takes on the disk. ``sealed_bytes`` are of files, so more than those of columns together."""

    name: str
    sealed_rows: int
    parts: int
    sealed_bytes: int
    lag_rows: int
    lag_bytes: int
    lag_ns: int
    columns: tuple[ColumnStorage, ...]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "StreamStorage":
        """From the core's dict."""
        columns = tuple(
            ColumnStorage(
                **column
                | {
                    "layout": Layout(column["layout"]),
                    "codecs": tuple(CodecStorage(*codec) for codec in column["codecs"]),
                }
            )
            for column in found["columns"]
        )
        return cls(**{**found, "columns": columns})


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
class Status:
    """Figures of the engine now. Rates are over the last 10 s, commit times over the last 1,024 groups.

    ``refusal_reason`` is empty while writes are taken. ``ledger`` and ``streams`` are those of one namespace, the
    streams the first 1,000 by name; everything else is of the whole engine.
    """

    accepting: bool
    refusal_reason: str
    tail_rows: int
    tail_bytes: int
    tail_limit_bytes: int
    queue_bytes: int
    dictionary_bytes: int
    commits: int
    commit_p50_ns: int
    commit_p99_ns: int
    rows_per_second: float
    bytes_per_second: float
    disk_bytes: int
    disk_free_bytes: int
    queries_running: int
    queries_waiting: int
    ledger: Ledger
    sealing: Sealing
    maps: Maps
    result_cache: ResultCache
    streams: tuple[StreamFigures, ...]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Status":
        """From the core's dict."""
        parts = ("ledger", "sealing", "maps", "result_cache", "streams")
        plain = {name: found[name] for name in cls.__slots__ if name not in parts}
        streams = tuple(
            StreamFigures(**{name: stream[name] for name in StreamFigures.__slots__}) for stream in found["streams"]
        )
        return cls(
            **plain,
            ledger=Ledger.of(found["ledger"]),
            sealing=Sealing(**found["sealing"]),
            maps=Maps(**found["maps"]),
            result_cache=ResultCache(**found["result_cache"]),
            streams=streams,
        )
