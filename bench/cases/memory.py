"""``memory``: resident memory of a process that has just started, and of one that has been used a little."""

from collections.abc import Mapping
from functools import partial

from bench import driver, messages
from bench.child import Child
from bench.data import SERIES, narrow_points
from bench.harness import OURS, Case, Contender, Measurement, Size
from bench.producers import split
from bench.server import Server

BOUND_MB = 150.0
BATCHES = 100


class _Ours:
    """A server; if ``used``, after a hundred writes of 1,000 rows and three queries."""

    def __init__(self, used: bool) -> None:
        self._used = used

    def round(self) -> Measurement:
        with Server() as server:
            if self._used:
                driver.open_writers(server.address, server.metadata, ["memory"])
                [batches] = split(narrow_points(BATCHES * SERIES), 1, SERIES)
                requests = [
                    messages.write_request(batch, writer="memory", sequence=number)
                    for number, batch in enumerate(batches, start=1)
                ]
                driver.write_each(server.address, server.metadata, requests)
                driver.ask(server.address, server.metadata)
            return Measurement(server.resident_mb())

    def close(self) -> None:
        """Nothing outlives a round."""


class _DuckDb:
    """A Python process with DuckDB imported and a database open; if ``used``, after the same work."""

    def __init__(self, used: bool) -> None:
        self._used = used

    def round(self) -> Measurement:
        child = Child("bench.peers.duckdb_resident")
        try:
            if self._used:
                child.call("use")
            value = child.call("resident_mb")
            child.call("close")
        finally:
            child.close()
        return Measurement(value)

    def close(self) -> None:
        """Nothing outlives a round."""


def _contenders(used: bool, size: Size) -> Mapping[str, Contender]:
    return {OURS: _Ours(used), "duckdb": _DuckDb(used)}


def _case(detail: str, used: bool) -> Case:
    return Case(
        name=f"memory/{detail}",
        unit="MB",
        bigger_is_better=False,
        target=None,
        bound=BOUND_MB,
        contenders=partial(_contenders, used),
        rounds={"small": 1, "full": 3},
    )


CASES = (_case("idle", used=False), _case("used", used=True))
