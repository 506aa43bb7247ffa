"""The answer of a query as the explorer shows it: rows of a table, and lines or bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from marigram_tui import formats
from marigram_tui.explore.form import Query

if TYPE_CHECKING:
    from datetime import timedelta

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

MOST_ROWS = 1_000
"""Of a table on the screen; a line says how many there are."""
NULL = "∅"


@dataclass(frozen=True, slots=True)
class Made:
    """How the numbers were made. ``relative_error`` None: a bound is not known; 0: exact, or known by ``rank_error``, a
    share of the number of values. ``rows_unavailable`` are gone, and nothing stands for them."""

    tier: str
    rows_scanned: int
    commit: int
    relative_error: float | None
    elapsed: "timedelta"
    complete: bool
    watermark_ns: int | None
    rank_error: float = 0.0
    rows_unavailable: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """An answer: its first rows as text, and of each row its window's start (None without windows), the label of its
    group and its numbers. Names, labels and cells are foreign text."""

    query: Query
    bounds: tuple["int | str | None", "int | str | None"]
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    rows: int
    starts_ns: "NDArray[np.int64] | None"
    labels: tuple[str, ...] = field(repr=False)
    values: "Mapping[str, NDArray[np.float64]]" = field(repr=False)
    made: Made


def of(table: "pa.Table", query: Query, bounds: tuple["int | str | None", "int | str | None"], made: Made) -> Found:
    """What a table has to show."""
    import numpy as np
    import pyarrow as pa

    numeric = {
        name: table[name].cast("float64", safe=False).to_numpy().astype(np.float64)
        for name in table.column_names
        if name not in query.group and (pa.types.is_integer(table[name].type) or pa.types.is_floating(table[name].type))
    }
    windowed = "start" in table.column_names and pa.types.is_timestamp(table["start"].type)
    keys = [
        [_cell(value, time=_is_time(table, name)) for value in _plain(table[name])]
        for name in query.group
        if name in table.column_names
    ]
    labels = tuple(" · ".join(parts) for parts in zip(*keys, strict=True)) if keys else ("",) * table.num_rows
    first = table.slice(0, MOST_ROWS)
    columns = [
        [_cell(value, time=_is_time(first, name)) for value in _plain(first[name])] for name in first.column_names
    ]
    return Found(
        query,
        bounds,
        tuple(table.column_names),
        tuple(zip(*columns, strict=True)),
        table.num_rows,
        table["start"].cast("int64").to_numpy() if windowed else None,
        labels,
        numeric,
        made,
    )


def made(provenance: Any) -> Made:
    """What the client says of how an answer was made, the loosest bound of its measures for all."""
    ranked = [measure.rank_error for measure in provenance.measures if measure.rank_error]
    estimated = [measure for measure in provenance.measures if not (measure.exact or measure.rank_error)]
    errors = [measure.relative_error for measure in estimated]
    worst = max(errors, default=0.0)
    known = not errors or 0.0 < worst < float("inf")
    return Made(
        formats.source(provenance),
        provenance.rows_scanned,
        provenance.commit,
        worst if known else None,
        provenance.elapsed,
        provenance.complete,
        provenance.watermark_ns,
        max(ranked, default=0.0),
        provenance.rows_unavailable,
    )


def _is_time(table: "pa.Table", name: str) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_timestamp(table[name].type))


def _plain(column: "pa.ChunkedArray") -> Sequence[object]:
    """Python's values; times as Unix nanoseconds, since Python's own are coarser."""
    import pyarrow as pa

    return list((column.cast("int64") if pa.types.is_timestamp(column.type) else column).to_pylist())


def _cell(value: object, *, time: bool = False) -> str:
    if value is None:
        return NULL
    if time and isinstance(value, int):
        return formats.moment(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    if isinstance(value, dict):
        return " ".join(f"{name} {_cell(part)}" for name, part in value.items())
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
