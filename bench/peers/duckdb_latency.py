"""DuckDB in process beside the latency cases.

- Set up as in ``duckdb.py``: ``threads=2``, a file on disk, each commit synced, no checkpoint in the measured time, the
  series a small number, rows in order of arrival: nothing sorts a table that is being written to.
- A question is SQL with parameters, its answer fetched as Python values, which for so few rows is quicker than Arrow.
  ``PREPARE`` and ``EXECUTE`` take as long (0.57 against 0.61 ms), so planning is not what a question costs.
- A write is ``INSERT … FROM`` a record batch, of one row too: as quick as ``VALUES`` with parameters (0.62 ms each).
- The producer beside has a cursor and a thread of its own; DuckDB lets the interpreter go while it works.
"""

from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from bench.answers import MINUTE_NS, Answers
from bench.data import Points
from bench.peers.duckdb import arrow, read_answers
from bench.peers.latency import LatencyPeer
from bench.questions import Question

WHERE = "FROM points WHERE series = $1 AND time >= make_timestamp_ns($2) AND time < make_timestamp_ns($3)"
LOOKUP = f"SELECT count(*), min(value), max(value), arg_max(value, time) {WHERE}"
BY_MINUTE = (
    f"SELECT epoch_ns(time) // {MINUTE_NS} * {MINUTE_NS} AS minute, count(*), min(value), max(value), avg(value)"
    f" {WHERE} GROUP BY minute ORDER BY minute"
)
Statement = tuple[str, pa.RecordBatch]


class Peer(LatencyPeer):
    """A DuckDB."""

    def _open(self, path: str) -> None:
        self._connection = duckdb.connect(path)
        self._connection.execute("SET threads=2")
        self._connection.execute("SET checkpoint_threshold='1GB'")
        self._cursor = self._connection.cursor()

    def _shut(self) -> None:
        self._connection.close()

    def _create(self, table: str) -> None:
        self._connection.execute(f"CREATE TABLE {table}(time TIMESTAMP_NS, series USMALLINT, value DOUBLE)")

    def _load(self, table: str, points: Points) -> None:
        batch = arrow(points, len(points))  # noqa: F841 — read by the statement
        self._connection.execute(f"INSERT INTO {table} FROM batch")

    def _ask(self, question: Question) -> Sequence[Sequence[Any]]:
        asked = BY_MINUTE if question.by_minute else LOOKUP
        parameters = [question.series, question.start_ns, question.end_ns]
        rows: list[tuple[Any, ...]] = self._connection.execute(asked, parameters).fetchall()
        return rows

    def _statement(self, table: str, points: Points) -> Statement:
        return f"INSERT INTO {table} FROM _batch", arrow(points, len(points)).to_batches()[0]

    def _write(self, statement: Statement) -> None:
        insert, _batch = statement  # the statement reads it by this name
        self._connection.execute(insert)

    def _beside_statement(self, table: str, points: Points) -> Statement:
        return self._statement(table, points)

    def _write_beside(self, statement: Statement) -> None:
        insert, _batch = statement  # the statement reads it by this name
        self._cursor.execute(insert)

    def _count(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])

    def _answers(self, table: str) -> Answers:
        return read_answers(self._connection, table)
