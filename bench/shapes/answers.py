"""Answers of a shape as plain rows, ours and the peers': starts of windows in Unix nanoseconds, codes for names."""

from typing import Any

import pyarrow as pa

from bench.tables import code_of

START = "start"
NS = 1_000_000_000
Rows = list[list[Any]]


def told(table: pa.Table) -> Rows:
    """The rows; of a window its start, but not its end. A start that is a plain number counts seconds."""
    columns = [_plain(name, table.column(name)) for name in table.column_names if name != "end"]
    return [list(row) for row in zip(*columns, strict=True)]


def _plain(name: str, column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        plain: list[Any] = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()).to_pylist()
        return plain
    values = column.to_pylist()
    if name == START:
        return [int(second) * NS for second in values]
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_dictionary(column.type):
        return [code_of(value) for value in values]
    return list(values)
