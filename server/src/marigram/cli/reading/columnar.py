"""Parquet: columns that say their types themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from marigram.cli.plan import Plan, checked
from marigram.cli.reading import Piece, Seen, Source, cut
from marigram.cli.reading.types import named


@contextmanager
def opened(file: str, plan: Plan) -> Iterator[Source]:
    """A Parquet file."""
    with parquet.ParquetFile(file, pre_buffer=False) as reader:
        schema = reader.schema_arrow
        plan = checked(plan, schema.names)
        kept = [name for name in schema.names if name not in plan.skip]
        first = next(reader.iter_batches(1_024), pa.RecordBatch.from_pylist([], schema))
        seen = {name: Seen(named(schema.field(name).type), _example(first.column(name))) for name in kept}
        read = 0

        def pieces() -> Iterator[Piece]:
            nonlocal read
            for batch in reader.iter_batches(cut.ROWS):
                plain = _plain(batch)
                for start, stop in cut.spans(len(plain), partial(_weight, plain)):
                    yield Piece(read + start + 1, plain.slice(start, stop - start).select(kept))
                read += len(batch)

        yield Source(plan, seen, pieces(), lambda: (read, reader.metadata.num_rows))


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows without dictionaries, of which each slice would hold the whole."""
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _weight(batch: pa.RecordBatch, start: int, stop: int) -> float:
    rows = batch.slice(start, stop - start)
    texts = sum(column.nbytes for column in rows.columns if not pa.types.is_primitive(column.type))
    return float(len(rows) * cut.width(rows.num_columns) + texts)


def _example(values: Any) -> str:
    found = values.drop_null()
    return str(found[0]) if len(found) else ""
