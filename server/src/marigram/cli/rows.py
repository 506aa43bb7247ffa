"""A piece of a file as columns of a stream, and the name of the writer that takes them."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marigram.cli.options import FileFormat
from marigram.cli.plan import Plan
from marigram.cli.reading import CUT, Piece
from marigram_client.streams import Stream

NO_TIME = -(1 << 63)
"""Stands for no time, by the contract; the server quarantines such a row."""
_UNIT_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def columns(piece: Piece, plan: Plan) -> dict[str, object]:
    """The rows as columns of the stream. A faulty row is sent without a time, so that the server counts it among those
    it quarantines."""
    rows = piece.rows
    found: dict[str, object] = {name: rows.column(index) for index, name in enumerate(rows.schema.names)}
    times = _nanoseconds(found.pop(plan.time), plan.time_unit)
    if piece.faults:
        faulty = pc.is_in(pa.array(range(len(rows)), pa.int64()), pa.array(list(piece.faults), pa.int64()))
        times = pc.if_else(faulty, NO_TIME, times)
    found["time"] = times
    if plan.entity is not None:
        found["user"] = found.pop(plan.entity)
    if plan.event is not None:
        found["event"] = pa.repeat(plan.event, len(rows)).dictionary_encode()
    return found


def writer_name(file: str, form: FileFormat, stream: str, there: Stream | None) -> str:
    """A name that is the same for the same file and stream, and no other's. A stream that was deleted and made again is
    another one. Standard input is never the same."""
    if file == "-":
        import secrets

        return f"import-{secrets.token_hex(8)}"
    stat = Path(file).stat()
    born = "" if there is None else there.create_time.isoformat()
    known = f"{CUT} {form} {Path(file).resolve()} {stat.st_size} {stat.st_mtime_ns} {stream} {born}"
    return f"import-{hashlib.sha256(known.encode(errors='surrogateescape')).hexdigest()[:16]}"


def _nanoseconds(column: Any, unit: str) -> Any:
    """Times as integers since 1970; null and NaN are no time, and so is what 64 bits do not hold."""
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        unit = kind.unit if pa.types.is_timestamp(kind) else "s"
        column = column.cast(pa.timestamp(unit, kind.tz if pa.types.is_timestamp(kind) else None)).cast(pa.int64())
    step = _UNIT_NS[unit]
    most = (2**63 - 1) // step
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, None)
        whole = pc.floor(column)
        part = pc.round(pc.multiply(pc.subtract(column, whole), float(step))).cast(pa.int64())
        column = pc.if_else(pc.less(pc.abs(whole), float(most)), whole, None).cast(pa.int64())
        return pc.add(_scaled(column, step, most), part).fill_null(NO_TIME)
    return _scaled(column.cast(pa.int64()), step, most).fill_null(NO_TIME)


def _scaled(column: Any, step: int, most: int) -> Any:
    return pc.multiply(pc.if_else(pc.and_(pc.less(column, most), pc.greater(column, -most)), column, None), step)
