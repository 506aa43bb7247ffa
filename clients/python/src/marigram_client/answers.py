"""Answers as Arrow tables that say where their numbers come from."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from marigram_client import kinds
from marigram_client._pb.marigram.v1 import queries_pb2 as pb

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = b"marigram.provenance"


@dataclass(frozen=True, slots=True)
class MeasureProvenance:
    """How one measure was made: exact, or with this bound of the relative error. ``rank_error`` is that of a rank, as a
    share of the number of values, for 997 answers of 1,000; 0 where there is none."""

    name: str
    exact: bool
    relative_error: float
    rank_error: float = 0.0


@dataclass(frozen=True, slots=True)
class Provenance:
    """How an answer was made. ``watermark_ns`` is in Unix nanoseconds, None for a stream without rows; ``complete``
    says that the watermark had passed the end of the range, so that no more rows are expected in it.

    An answer of tier ``cache`` was computed ``cache_age`` ago, from ``cached_tier``, of the same rows as there are now;
    what was scanned, matched and skipped is as it was then. Else these are None and ``unspecified``."""

    commit: int
    watermark_ns: int | None
    definition_version: int
    tier: str
    rows_scanned: int
    rows_matched: int
    rows_unavailable: int
    nan_skipped: int
    complete: bool
    measures: tuple[MeasureProvenance, ...]
    elapsed: timedelta
    cache_age: timedelta | None
    cached_tier: str


def provenance(table: "pa.Table") -> Provenance:
    """Where the numbers of an answer come from. It rides in the table's schema, so that slices and selections keep it.

    Raises:
        KeyError: the table is no answer of a query.
    """
    fields: dict[str, Any] = json.loads((table.schema.metadata or {})[_KEY])
    fields["measures"] = tuple(MeasureProvenance(**measure) for measure in fields["measures"])
    for name in ("elapsed", "cache_age"):
        fields[name] = None if fields[name] is None else timedelta(seconds=fields[name])
    return Provenance(**fields)


def table(frames: Sequence[bytes], how: pb.Provenance) -> "pa.Table":
    """The table of an Arrow IPC stream that arrived in these pieces."""
    import pyarrow as pa

    whole = frames[0] if len(frames) == 1 else b"".join(frames)
    with pa.ipc.open_stream(pa.py_buffer(whole)) as reader:
        read = reader.read_all()
    said = made(how)
    age = None if said.cache_age is None else said.cache_age.total_seconds()
    fields = asdict(said) | {"elapsed": said.elapsed.total_seconds(), "cache_age": age}
    return read.replace_schema_metadata({**(read.schema.metadata or {}), _KEY: json.dumps(fields).encode()})


def made(message: pb.Provenance) -> Provenance:
    """How an answer was made."""
    return Provenance(
        commit=message.commit,
        watermark_ns=message.watermark_ns if message.HasField("watermark_ns") else None,
        definition_version=message.definition_version,
        tier=kinds.word(pb.Tier, "TIER_", message.tier),
        rows_scanned=message.rows_scanned,
        rows_matched=message.rows_matched,
        rows_unavailable=message.rows_unavailable,
        nan_skipped=message.nan_skipped,
        complete=message.complete,
        measures=tuple(MeasureProvenance(m.name, m.exact, m.relative_error, m.rank_error) for m in message.measures),
        elapsed=message.elapsed.ToTimedelta(),
        cache_age=message.cache_age.ToTimedelta() if message.HasField("cache_age") else None,
        cached_tier=kinds.word(pb.Tier, "TIER_", message.cached_tier),
    )
