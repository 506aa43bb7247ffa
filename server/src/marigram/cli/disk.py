"""``marigram storage``: what streams take on the disk."""

import math

from marigram.cli import figures, output
from marigram.cli.options import Shape
from marigram.cli.plain import plain
from marigram_client.admin import ColumnStorage, StreamStorage
from marigram_client.aio import Client


async def show(stream: str, shape: Shape, *, address: str | None, profile: str | None) -> None:
    """One stream, or all of the key's namespace."""
    async with Client(address, profile=profile) as client:
        found = await client.storage(stream)
    if shape is Shape.JSON:
        output.print_json([plain(one) for one in found])
        return
    if not found:
        output.talk().print("no streams yet: `marigram import FILE` makes one")
        return
    names = ("stream", "sealed rows", "parts", "on disk", "not sealed", "in the log", "for")
    output.print_grid(names, map(_row, found), right=(1, 2, 3, 4, 5, 6))
    columns = [(one.name, *_column(column)) for one in found for column in one.columns]
    if columns:
        parts = ("stream", "column", "values", "rows", "nulls", "bytes", "a row", "ratio", "codecs: blocks, bytes")
        output.print_grid(parts, columns, right=(3, 4, 5, 6, 7), title="Sealed columns")


def _row(one: StreamStorage) -> tuple[object, ...]:
    lag = f"{one.lag.total_seconds():,.0f} s" if one.lag_rows else output.NOTHING
    in_log = figures.size(one.lag_bytes)
    return (one.name, one.sealed_rows, one.parts, figures.size(one.sealed_bytes), one.lag_rows, in_log, lag)


def _column(column: ColumnStorage) -> tuple[object, ...]:
    codecs = ", ".join(f"{one.codec}: {one.blocks:,}, {figures.size(one.bytes)}" for one in column.codecs)
    each = column.bytes / column.rows if column.rows else 0.0
    ratio = f"{column.ratio:,.1f}" if math.isfinite(column.ratio) else output.NOTHING
    taken = (figures.size(column.bytes), f"{each:.2f} B", ratio)
    return (column.name, column.layout, column.rows, column.nulls, *taken, codecs)
