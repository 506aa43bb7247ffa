"""What the DuckDB side of the ingest cases shares."""

import shutil
from typing import Any

from bench.answers import Answers
from bench.child import Child
from bench.harness import Measurement
from bench.shim import delayed_syncs
from bench.workspace import new_directory


class DuckDb:
    """A contender that is one method of ``bench.peers.duckdb.Peer``; several may share a process.

    Args:
        host: the process.
        rows: rows that a round writes.
        method, arguments: what is called for a round.
    """

    def __init__(self, host: "DuckDbHost", rows: int, method: str, **arguments: Any) -> None:
        self._host = host
        self._rows = rows
        self._method = method
        self._arguments = arguments

    def round(self) -> Measurement:
        """Makes a new database, measures, asks."""
        taken = self._host.child.call(self._method, **self._arguments)
        also = {"p99_ms": taken["p99_ms"]} if "p99_ms" in taken else {}
        return Measurement(self._rows / taken["seconds"] / 1e6, Answers.from_json(taken["answers"]), also)

    def close(self) -> None:
        """Ends the process; the second of those that share it finds it ended."""
        self._host.close()


class DuckDbHost:
    """The process of one or more DuckDB contenders, with a directory of its own.

    Args:
        sync_delay_us: how much longer each sync takes.
    """

    def __init__(self, sync_delay_us: int = 0) -> None:
        self._directory = new_directory("duckdb")
        try:
            self.child = Child("bench.peers.duckdb", delayed_syncs(self._directory, sync_delay_us))
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        self.child.call("use_directory", path=str(self._directory))

    def close(self) -> None:
        """Ends the process and removes its directory. A second call does nothing."""
        if self._directory.exists():
            self.child.close()
            shutil.rmtree(self._directory, ignore_errors=True)
