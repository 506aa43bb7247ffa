"""Memory of a process that does nothing but hold an open DuckDB: imports that a user would not need are left out."""

import shutil
from pathlib import Path

import duckdb

from bench.workspace import new_directory


class Peer:
    """An open, empty database."""

    def __init__(self) -> None:
        self._directory = new_directory("duckdb")
        self._connection = duckdb.connect(str(self._directory / "points.db"))
        self._connection.execute("SET threads=2")
        self._connection.execute("CREATE TABLE points(time TIMESTAMP_NS, series USMALLINT, value DOUBLE)")

    def use(self) -> None:
        """A hundred commits of 1,000 rows and three questions, as our side does them."""
        for number in range(100):
            self._connection.execute(
                "INSERT INTO points SELECT make_timestamp_ns((1700000000 + ?)::BIGINT * 1000000000), i, i / 100.0"
                " FROM range(1000) AS t(i)",
                [number],
            )
        for question in (
            "SELECT count(*), sum(value), min(value), max(value) FROM points",
            "SELECT series, count(*) FROM points GROUP BY series",
            "SELECT epoch_ns(time) // 60000000000 AS minute, count(*) FROM points GROUP BY minute ORDER BY minute",
        ):
            self._connection.execute(question).fetchall()

    def resident_mb(self) -> float:
        """Resident memory now, in MB of 10^6 bytes."""
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError("the system does not say")

    def close(self) -> None:
        """Closes and removes the database."""
        self._connection.close()
        shutil.rmtree(self._directory, ignore_errors=True)
