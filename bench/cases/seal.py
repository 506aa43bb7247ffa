"""``seal``: what sealing costs, in seconds of processor time for ten million narrow points.

Ours is the server's time, all threads and the system's share, from asking for it until it answers, with nothing else to
do; ``load_core_s`` is what taking the rows cost it before. A peer's time is of loading and sorting together, since it
does both at once: it is a report.
"""

import shutil
from collections.abc import Mapping

from bench import driver, sealing, specs
from bench.cases import stored
from bench.harness import OURS, Case, Contender, Measurement, Size
from bench.process import core_seconds
from bench.server import Server
from bench.tables import DataSet, points_set
from bench.workspace import new_directory

ROWS: Mapping[Size, int] = {"small": 200_000, "full": 10_000_000}
PER_ROWS = 10_000_000
BOUND = 1.0


class _Ours:
    """A server that seals only when it is asked to."""

    def __init__(self, data: DataSet) -> None:
        self._data = data

    def round(self) -> Measurement:
        """Writes, seals, asks."""
        name, share = self._data.name, PER_ROWS / self._data.rows
        with Server(settings=sealing.WITHOUT) as server:
            before = core_seconds(server.pid)
            stored.load(server, self._data, name)
            loaded = core_seconds(server.pid)
            sealed = sealing.seal(server.address, server.metadata, name)
            taken = core_seconds(server.pid) - loaded
            _, answers = driver.ask_each(server.address, server.metadata, [specs.request("check", name, name)])
        wrong = [] if sealed.rows == self._data.rows else [f"{self._data.rows} rows were written, {sealed.rows} sealed"]
        also = {"load_core_s": (loaded - before) * share, "parts": float(sealed.parts)}
        return Measurement(taken * share, stored.our_rows("check", answers), also, wrong)

    def close(self) -> None:
        """Nothing outlives a round."""


class _Peer:
    """A peer that loads and sorts, a ``StorePeer``."""

    def __init__(self, module: str, data: DataSet) -> None:
        self._module = module
        self._data = data

    def round(self) -> Measurement:
        """Fills a new store, asks."""
        directory = new_directory("seal")
        try:
            taken = stored.build(self._module, directory / "store", self._data, "speed")
            answers = stored.ask_store(self._module, directory / "store", self._data, "check")
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        return Measurement(taken["core_seconds"] * PER_ROWS / self._data.rows, answers, {"seconds": taken["seconds"]})

    def close(self) -> None:
        """Nothing outlives a round."""


def _contenders(size: Size) -> Mapping[str, Contender]:
    data = points_set(ROWS[size])
    return {OURS: _Ours(data)} | {
        name: _Peer(f"bench.peers.{name}_store", data) for name in ("duckdb", "chdb", "parquet")
    }


CASES = (
    Case(
        name="seal/points",
        unit="core-s for 10 M rows",
        bigger_is_better=False,
        target=None,
        bound=BOUND,
        contenders=_contenders,
        rounds={"small": 1, "full": 3},
    ),
)
