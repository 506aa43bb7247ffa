"""Files as columns of a stream: what each column is taken for, and the rows in pieces."""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv as csv

from marigram_client.errors import InvalidArgument
from marigram_client.kinds import ColumnType

_BLOCK_BYTES = 8 << 20
_PIECE_ROWS = 262_144


@dataclass(frozen=True, slots=True)
class Plan:
    """Which column of a file plays which part."""

    stream: str
    kind: Literal["event", "metric"]
    time: str = "time"
    time_unit: str = "ns"
    entity: str | None = None
    event: str | None = None
    labels: tuple[str, ...] = ()
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    nulls: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True)
class Source:
    """An open file: its columns, its rows in pieces, and how far reading is: (part done, whole or None)."""

    schema: pa.Schema
    pieces: Iterator[pa.RecordBatch]
    position: Callable[[], tuple[float, float | None]]


@contextmanager
def opened(file: str, plan: Plan) -> Iterator[Source]:
    """The file, read as its name says: ``.parquet``, else CSV (compressed if it ends so)."""
    try:
        if file != "-" and Path(file).suffix == ".parquet":
            with _parquet(file) as source:
                yield source
        else:
            with _csv(file, plan) as source:
                yield source
    except pa.ArrowInvalid as error:
        hint = "name types with --type, or what stands for null with --null"
        message = f"the file cannot be read: {str(error).partition(chr(10))[0]}; {hint}"
        raise InvalidArgument(message, reason="FILE_UNREADABLE", field="file") from error


def parts(schema: pa.Schema, plan: Plan) -> dict[str, str]:
    """What each column of the file is taken for.

    Raises:
        InvalidArgument: a column that the plan names is not there, or a part belongs to the other kind of stream.
    """
    for option, name in (("time", plan.time), ("entity", plan.entity), *(("labels", label) for label in plan.labels)):
        if name is not None and name not in schema.names:
            found = ", ".join(schema.names)
            raise InvalidArgument(
                f"{option} {name} must be one of the columns {found}", reason="UNKNOWN_COLUMN", field=option
            )
    wrong = {"metric": ("entity", plan.entity or plan.event), "event": ("labels", plan.labels)}[plan.kind]
    if wrong[1]:
        raise InvalidArgument(
            f"{wrong[0]} does not belong to {plan.kind} streams", reason="KIND_MISMATCH", field=wrong[0]
        )
    roles = {plan.time: "time", **dict.fromkeys(plan.labels, "label")}
    if plan.entity is not None:
        roles[plan.entity] = "user"
    return {
        name: roles.get(name) or plan.types.get(name) or _inferred(schema.field(name).type) for name in schema.names
    }


def columns(piece: pa.RecordBatch, plan: Plan) -> dict[str, object]:
    """A piece of the file as columns of the stream."""
    found: dict[str, object] = {name: piece.column(index) for index, name in enumerate(piece.schema.names)}
    found["time"] = _times(found.pop(plan.time), plan)
    if plan.entity is not None:
        found["user"] = found.pop(plan.entity)
    if plan.event is not None:
        found["event"] = pa.repeat(plan.event, len(piece)).dictionary_encode()
    return found


def writer_name(file: str, plan: Plan) -> str:
    """A name for the writer that is the same for the same file and stream, and no other's."""
    if file == "-":
        import secrets

        return f"import-{secrets.token_hex(8)}"
    stat = Path(file).stat()
    known = f"{Path(file).resolve()} {stat.st_size} {stat.st_mtime_ns} {plan.stream}"
    return f"import-{hashlib.sha256(known.encode()).hexdigest()[:16]}"


@contextmanager
def _parquet(file: str) -> Iterator[Source]:
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(file) as reader:
        read = 0

        def pieces() -> Iterator[pa.RecordBatch]:
            nonlocal read
            for piece in reader.iter_batches(_PIECE_ROWS):
                read += len(piece)
                yield piece

        yield Source(reader.schema_arrow, pieces(), lambda: (read, reader.metadata.num_rows))


@contextmanager
def _csv(file: str, plan: Plan) -> Iterator[Source]:
    types = {"f64": pa.float64(), "i64": pa.int64(), "bool": pa.bool_(), "timestamp": pa.timestamp("ns")}
    options: dict[str, Any] = {
        "read_options": csv.ReadOptions(block_size=_BLOCK_BYTES),
        "convert_options": csv.ConvertOptions(
            column_types={name: types.get(kind, pa.string()) for name, kind in plan.types.items()}
            | dict.fromkeys(plan.labels, pa.string())
            | ({plan.entity: pa.string()} if plan.entity else {}),
            null_values=list(plan.nulls),
            strings_can_be_null=True,
        ),
    }
    if file == "-":
        with csv.open_csv(pa.PythonFile(sys.stdin.buffer, "r"), **options) as reader:
            yield Source(reader.schema, reader, lambda: (0, None))
        return
    size = Path(file).stat().st_size
    with pa.OSFile(file) as raw:
        packed = pa.Codec.detect(file) if Path(file).suffix in (".gz", ".bz2", ".zst", ".lz4") else None
        stream = raw if packed is None else pa.CompressedInputStream(raw, packed.name)
        with csv.open_csv(stream, **options) as reader:
            yield Source(reader.schema, reader, lambda: (raw.tell(), size))


def _times(column: Any, plan: Plan) -> Any:
    if not pa.types.is_integer(column.type):
        return column
    if plan.time_unit not in ("s", "ms", "us", "ns"):
        rule = "time-unit must be s, ms, us or ns"
        raise InvalidArgument(f"{rule}, got {plan.time_unit}", reason="COMMAND_LINE", field="time-unit")
    return column.cast(pa.int64()).cast(pa.timestamp(plan.time_unit))


def _inferred(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "i64"
    if pa.types.is_floating(kind):
        return "f64"
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "timestamp"
    return "nothing, no value seen" if pa.types.is_null(kind) else "symbol"
