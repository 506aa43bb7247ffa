"""Polars in process beside the cases that read whole tables.

- A table is an Arrow file without compression, sorted by key and time, read into memory before the clock starts.
- Two threads: it takes as many as the run is pinned to.
- Narrow types as the other peers', and the streaming engine, which was quicker than the in-memory one in each case, up
  to 2 times.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from bench.cpu import METRICS
from bench.peers.store import ROWS, Rows, StorePeer
from bench.questions import Question, What
from bench.shapes import Asked, Shape
from bench.shapes.events import QUANTILES, TOP
from bench.shapes.tsbs import DOUBLE
from bench.tables import KEY

Query = Callable[[pl.LazyFrame], pl.DataFrame]


def _double(metrics: int, rows: pl.LazyFrame) -> pl.DataFrame:
    hour = pl.col("time").dt.truncate("1h").alias("start")
    means = [pl.col(name).mean() for name in METRICS[:metrics]]
    return rows.group_by(hour, "host").agg(means).sort("start", "host").collect(engine="streaming")


def _top(key: str, rows: pl.LazyFrame) -> pl.DataFrame:
    counted = rows.group_by(key).agg(pl.len().alias("rows"))
    return counted.sort("rows", key, descending=[True, False]).limit(TOP).collect(engine="streaming")


def _quantiles(column: str, rows: pl.LazyFrame) -> pl.DataFrame:
    found = [pl.col("spent").quantile(q, interpolation="lower").alias(f"q{q}") for q in QUANTILES]
    return rows.group_by(column).agg(found).sort(column).collect(engine="streaming")


QUESTIONS: Mapping[str, Query] = {
    **{f"double-groupby-{name}": partial(_double, metrics) for name, metrics in DOUBLE.items()},
    **{f"top-{key}s": partial(_top, key) for key in ("user", "item")},
    **{f"percentiles-{column}-exact": partial(_quantiles, column) for column in ("country", "page")},
}


class Peer(StorePeer):
    """A directory with a file a table."""

    def _create(self, codecs: str) -> None:
        Path(self.path).mkdir()

    def _open(self) -> None:
        """Reads the rows."""
        self._rows_read = pl.read_ipc(self._file(ROWS)).rechunk()

    def _shut(self) -> None:
        """There is nothing to close."""

    def _fill(self, table: str, rows: pa.Table) -> None:
        key = KEY[self.data.name]
        frame = pl.DataFrame(pl.from_arrow(rows)).sort(key, "time")
        frame.write_ipc(self._file(table), compression="uncompressed")

    def _fill_names(self, names: pa.Table) -> None:
        raise NotImplementedError("visits have no table of names")

    def _file(self, table: str) -> Path:
        return Path(self.path) / f"{table}.arrow"

    def _ask(self, what: What, table: str, asked: Question | None) -> Any:
        raise NotImplementedError(what)

    def _put(self, shape: Shape, table: str, asked: Asked) -> Any:
        return QUESTIONS[shape.name](self._rows_read.lazy()).to_arrow()

    def _rows(self, what: What, reply: Any) -> Rows:
        raise NotImplementedError(what)
