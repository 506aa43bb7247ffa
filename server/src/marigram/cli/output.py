"""Answers on standard output, talk on standard error."""

import json
import math
import sys
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.table import Table
from rich.text import Text

from marigram.cli.words import Format

WIDE = 10_000
"""Characters of a line that goes to a file or a pipe: nothing is cut there."""


def talk() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def put(table: pa.Table, form: Format) -> None:
    """Print an answer."""
    if form is Format.TABLE:
        show(table)
    elif form is Format.JSON:
        json.dump([_plain(row) for row in _rows(table)], sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        sys.stdout.flush()
        _put_bytes(table, form)
        sys.stdout.buffer.flush()


def show(table: pa.Table, title: str | None = None) -> None:
    """Print an answer as a table for people."""
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=WIDE)
    grid = Table()
    for field in table.schema:
        numeric = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        grid.add_column(Text(printable(field.name)), justify="right" if numeric else "left")
    for row in _rows(table):
        grid.add_row(*(Text(_cell(value)) for value in row.values()))
    if title is not None:
        console.print(Text(title, "bold"))
    console.print(grid)


def printable(text: str) -> str:
    """The text without what a terminal would obey: control characters and marks of direction are written out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _put_bytes(table: pa.Table, form: Format) -> None:
    if form is Format.CSV:
        import pyarrow.csv as csv

        csv.write_csv(table, sys.stdout.buffer)
    elif form is Format.PARQUET:
        import pyarrow.parquet as parquet

        parquet.write_table(table, sys.stdout.buffer)
    else:
        with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as writer:
            writer.write_table(table)


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows with times as text, since Python's datetimes end at microseconds."""
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, _times(table.column(index)))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _times(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times as ISO 8601, no more digits than the column needs."""
    import pyarrow.compute as pc

    plain = column.cast(pa.timestamp("ns"))
    unit = next(
        unit
        for unit in ("s", "ms", "us", "ns")
        if plain.cast(pa.timestamp(unit), safe=False).cast(plain.type).equals(plain)
    )
    return pc.binary_join_element_wise(pc.strftime(plain.cast(pa.timestamp(unit)), "%Y-%m-%dT%H:%M:%S"), "Z", "")


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else printable(str(value))
