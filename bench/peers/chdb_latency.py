"""ClickHouse in process (chdb) beside the latency cases.

- A ``MergeTree`` ordered by (series, time), which is how its users keep points; narrow types; ``max_threads = 2``.
- Durability: by default chdb syncs nothing on an insert; what is acknowledged can be lost with the power. Here
  ``fsync_after_insert`` and ``fsync_part_directory`` are set, so that each insert syncs the files of its part and their
  directory before it returns (seen with strace: 13 fdatasync an insert, none without), as the others sync.
- A write is ``INSERT … VALUES`` as text that is made before the clock: for 1 and for 100 rows quicker than an Arrow
  table (3.0 against 3.8 ms). The producer beside, whose batches are large, hands Arrow tables over (``Python(…)``).
- Questions are SQL text, their answers Arrow.
- Small inserts are not what MergeTree is for; a server would gather them (``async_insert``): no shorter a wait.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from chdb.session import Session

from bench.answers import MINUTE_NS, Answers
from bench.data import SERIES, Points
from bench.peers.latency import LatencyPeer
from bench.questions import Question

SETTINGS = "SETTINGS max_threads = 2"
NS = 1_000_000_000
MINUTE = f"intDiv(toUnixTimestamp64Nano(time), {MINUTE_NS}) * {MINUTE_NS}"


class Peer(LatencyPeer):
    """A chdb session; there can be one a process."""

    def _open(self, path: str) -> None:
        self._session = Session(path)
        self._session.query("CREATE DATABASE bench ENGINE = Atomic")

    def _shut(self) -> None:
        self._session.close()

    def _create(self, table: str) -> None:
        self._session.query(
            f"CREATE TABLE bench.{table} (time DateTime64(9, 'UTC'), series UInt16, value Float64) ENGINE = MergeTree"
            " ORDER BY (series, time) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
        )

    def _load(self, table: str, points: Points) -> None:
        self._write_beside(self._beside_statement(table, points))

    def _ask(self, question: Question) -> Sequence[Sequence[Any]]:
        last = "avg(value)" if question.by_minute else "argMax(value, time)"
        where = (
            f"FROM bench.points WHERE series = {question.series}"
            f" AND time >= fromUnixTimestamp64Nano({question.start_ns}, 'UTC')"
            f" AND time < fromUnixTimestamp64Nano({question.end_ns}, 'UTC')"
        )
        columns = f"toInt64(count()), min(value), max(value), {last}"
        if question.by_minute:
            return self._fetch(
                f"SELECT {MINUTE} AS minute, {columns} {where} GROUP BY minute ORDER BY minute {SETTINGS}"
            )
        return self._fetch(f"SELECT {columns} {where} {SETTINGS}")

    def _statement(self, table: str, points: Points) -> str:
        rows = zip(points.time.tolist(), points.series.tolist(), points.value.tolist(), strict=True)
        values = ",".join(f"('{time // NS}.{time % NS:09}',{series},{value!r})" for time, series, value in rows)
        return f"INSERT INTO bench.{table} VALUES {values}"

    def _write(self, statement: str) -> None:
        self._session.query(statement)

    def _beside_statement(self, table: str, points: Points) -> tuple[str, pa.Table]:
        columns = {
            "time": pa.array(points.time, pa.timestamp("ns", "UTC")),
            "series": pa.array(points.series),
            "value": pa.array(points.value),
        }
        return table, pa.table(columns)

    def _write_beside(self, statement: tuple[str, pa.Table]) -> None:
        table, _rows = statement  # the statement reads it by this name
        self._session.query(f"INSERT INTO bench.{table} SELECT * FROM Python(_rows)")

    def _count(self, table: str) -> int:
        return int(self._fetch(f"SELECT toInt64(count()) FROM bench.{table}")[0][0])

    def _answers(self, table: str) -> Answers:
        places = f"FROM bench.{table}"
        [(count, total, least, greatest, magnitude)] = self._fetch(
            f"SELECT toInt64(count()), sumKahan(value), min(value), max(value), sumKahan(abs(value)) {places}"
        )
        by_series = [0] * SERIES
        for series, rows in self._fetch(f"SELECT toInt64(series) AS s, toInt64(count()) {places} GROUP BY s"):
            by_series[series] = rows
        minutes = self._fetch(f"SELECT {MINUTE} AS m, toInt64(count()) {places} GROUP BY m ORDER BY m")
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

    def _fetch(self, asked: str) -> list[tuple[Any, ...]]:
        answer = pa.ipc.open_file(self._session.query(asked, "Arrow").bytes()).read_all()
        return list(zip(*(column.to_pylist() for column in answer.columns), strict=True))
