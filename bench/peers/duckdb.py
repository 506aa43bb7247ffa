"""DuckDB in process, as a user who knows it would set it up for this work.

- ``threads=2``: as many as there are cores for everybody here. A batch of 1,000 rows gains nothing from a second one,
  so small commits are measured with ``threads=1`` too, and the better figure counts.
- A database file on disk, made anew for each round. ``fsync_mode`` stays STANDARD: each commit syncs the write-ahead
  log, a bulk load its database file too (seen with strace: one fdatasync a small commit, from any number of threads).
- Arrow tables are built before the clock and scanned where they lie (replacement scan); ``INSERT INTO … FROM``.
- Narrow types: ``TIMESTAMP_NS``, ``USMALLINT``, ``DOUBLE``. The series is a number, so that no string is ever interned.
- Rows in order of arrival, in record batches of 122,880 rows, which is a row group; one transaction for a bulk load.
  ``bulk_sorted`` lets DuckDB sort them on their way in, in memory, by the same statement; its checkpoint is timed too.
- Small commits: one record batch a statement, which is quicker than a table of one; ``checkpoint_threshold='1GB'``, so
  that no checkpoint falls into the measured time; one connection, or one cursor a thread.
- No index, no primary key.
"""

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from bench.answers import MINUTE_NS, Answers
from bench.data import SERIES, Points, narrow_points
from bench.producers import split
from bench.workspace import new_directory

ROW_GROUP = 122_880
INSERT = "INSERT INTO points FROM batch"  # `batch` is the local variable of that name
INSERT_SORTED = f"{INSERT} ORDER BY series, time"


class Peer:
    """A DuckDB and the rows it is to take."""

    def __init__(self) -> None:
        self._directory = new_directory("duckdb")
        self._table: pa.Table | None = None
        self._producers: list[list[pa.RecordBatch]] = []

    def use_directory(self, path: str) -> None:
        """Puts the databases below ``path``, which exists."""
        shutil.rmtree(self._directory)
        self._directory = Path(path)

    def version(self) -> str:
        """DuckDB's version."""
        return str(duckdb.__version__)

    def prepare_bulk(self, rows: int) -> None:
        """Builds the Arrow table of a bulk load."""
        self._table = arrow(narrow_points(rows), ROW_GROUP)

    def prepare_small(self, rows: int, producers: int, batch_rows: int) -> None:
        """Builds the record batches of small commits, those of each producer apart."""
        parts = split(narrow_points(rows), producers, batch_rows)
        self._producers = [[arrow(batch, batch_rows).to_batches()[0] for batch in part] for part in parts]

    def bulk(self, compression: str) -> dict[str, Any]:
        """Loads the prepared table by one statement into a new database.

        ``compression`` is a value of ``force_compression``, ``auto`` by default; it is a debugging setting.
        """
        batch = self._table
        if batch is None:
            raise ValueError("nothing is prepared")
        with self._database(2) as connection:
            connection.execute(f"SET force_compression='{compression}'")
            _warm(connection)
            began = time.perf_counter()
            connection.execute(INSERT)
            seconds = time.perf_counter() - began
            answers = read_answers(connection, "points")
        return {"seconds": seconds, "answers": answers.to_json(), "bytes": self._bytes_on_disk()}

    def bulk_sorted(self) -> dict[str, Any]:
        """Loads the prepared table sorted by series and time, and writes the database file to its end."""
        batch = self._table
        if batch is None:
            raise ValueError("nothing is prepared")
        with self._database(2) as connection:
            _warm(connection)
            began = time.perf_counter()
            connection.execute(INSERT_SORTED)
            connection.execute("CHECKPOINT")
            seconds = time.perf_counter() - began
            answers = read_answers(connection, "points")
        return {"seconds": seconds, "answers": answers.to_json(), "bytes": self._bytes_on_disk()}

    def small(self, connections: int, threads: int) -> dict[str, Any]:
        """Commits each prepared batch by itself into a new database.

        ``connections`` take turns in the batches of all producers; ``threads`` is DuckDB's setting.
        """
        batches = [batch for part in self._producers for batch in part]
        taken: list[list[float]] = [[] for _ in range(connections)]
        with self._database(threads) as connection:
            connection.execute("SET checkpoint_threshold='1GB'")
            _warm(connection)
            cursors = [connection.cursor() for _ in range(connections)]
            workers = [
                threading.Thread(target=_commit_each, args=(cursors[k], batches[k::connections], taken[k]))
                for k in range(connections)
            ]
            began = time.perf_counter()
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            seconds = time.perf_counter() - began
            answers = read_answers(connection, "points")
        p99_ms = float(np.quantile(np.concatenate([np.array(part) for part in taken]), 0.99)) * 1e3
        return {"seconds": seconds, "answers": answers.to_json(), "p99_ms": p99_ms}

    def close(self) -> None:
        """Removes the databases."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _database(self, threads: int) -> duckdb.DuckDBPyConnection:
        for old in self._directory.glob("points.db*"):
            old.unlink()
        connection = duckdb.connect(str(self._directory / "points.db"))
        connection.execute(f"SET threads={threads}")
        connection.execute("CREATE TABLE points(time TIMESTAMP_NS, series USMALLINT, value DOUBLE)")
        return connection

    def _bytes_on_disk(self) -> int:
        return sum(path.stat().st_size for path in self._directory.glob("points.db*"))


def arrow(points: Points, batch_rows: int) -> pa.Table:
    """The points in record batches of ``batch_rows``."""
    columns = {
        "time": pa.array(points.time, pa.timestamp("ns")),
        "series": pa.array(points.series),
        "value": pa.array(points.value),
    }
    return pa.Table.from_batches(pa.table(columns).to_batches(max_chunksize=batch_rows))


def _warm(connection: duckdb.DuckDBPyConnection) -> None:
    """The first statement of its kind pays for planning and imports: that one is not measured."""
    batch = arrow(narrow_points(SERIES), SERIES)  # noqa: F841 — read by the statements
    connection.execute("CREATE TABLE warm AS SELECT * FROM batch")
    connection.execute("INSERT INTO warm SELECT * FROM batch")
    connection.execute("DROP TABLE warm")


def _commit_each(cursor: duckdb.DuckDBPyConnection, batches: list[pa.RecordBatch], seconds: list[float]) -> None:
    for batch in batches:  # noqa: B007 — read by the statement
        began = time.perf_counter()
        cursor.execute(INSERT)
        seconds.append(time.perf_counter() - began)


def read_answers(connection: duckdb.DuckDBPyConnection, table: str) -> Answers:
    """What DuckDB answers about the points in a table."""
    columns = "count(*), fsum(value), min(value), max(value), fsum(abs(value))"
    whole = connection.execute(f"SELECT {columns} FROM {table}")
    count, total, least, greatest, magnitude = whole.fetchall()[0]
    by_series = [0] * SERIES
    for series, rows in connection.execute(f"SELECT series, count(*) FROM {table} GROUP BY series").fetchall():
        by_series[series] = rows
    minute = f"epoch_ns(time) // {MINUTE_NS} * {MINUTE_NS}"
    minutes = connection.execute(f"SELECT {minute} AS m, count(*) FROM {table} GROUP BY m ORDER BY m").fetchall()
    return Answers(
        count=count,
        total=total,
        least=least,
        greatest=greatest,
        magnitude=magnitude,
        by_series=by_series,
        by_minute=[rows for _, rows in minutes],
        minutes=[start for start, _ in minutes],
    )
