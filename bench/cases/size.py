"""``size``: bytes a row on disk, everything counted: of ours with the codecs it has by default, of each peer with the
best that was found for it.

Ours is all files of the data directory after sealing and a clean stop, but for the reserve file: parts, and the pages
in use of the hot environment, which keeps pages that are free for its next rows; ``directory_b`` counts those too. Of a
peer what it would keep: DuckDB's file, chdb's active parts, VictoriaMetrics' ``data`` and ``indexdb``, Parquet's files.
``…-cold`` is after our pass with heavier codecs, and Parquet is at its highest level.
"""

import shutil
from collections.abc import Callable, Mapping
from functools import partial

from bench import disk, driver, sealing, specs
from bench.cases import stored
from bench.harness import OURS, Absent, Case, Contender, Measurement, Size, gathered
from bench.peers import victoria_store
from bench.server import Server
from bench.tables import DataSet, cpu_set, events_set, points_set
from bench.workspace import new_directory

DATA: Mapping[str, Mapping[Size, DataSet]] = {
    "tsbs": {"small": cpu_set(50, 1), "full": cpu_set(4_000, 12)},
    "points": {"small": points_set(200_000), "full": points_set(10_000_000)},
    "events": {"small": events_set(50_000), "full": events_set(20_000_000)},
}
TARGET = {"tsbs": 1.25, "points": 1.67, "events": 1.43, "tsbs-cold": 1.67}
COUNTED = "ours: parts and the pages in use of the hot environment, without the reserve file"


class _Ours:
    """A server that takes the rows, seals them and stops."""

    def __init__(self, data: DataSet, cold: bool) -> None:
        self._data = data
        self._cold = cold

    def round(self) -> Measurement:
        """Writes, seals, asks, stops, weighs."""
        name, rows = self._data.name, self._data.rows
        directory = new_directory("size")
        try:
            with Server(directory=directory) as server:
                stored.load(server, self._data, name)
                sealed = sealing.seal(server.address, server.metadata, name)
                if self._cold:
                    sealing.recode(server.address, server.metadata, name)
                of_parts = sealing.status(server.address, server.metadata).sealed_bytes
                request = specs.request("check", name, name)
                _, answers = driver.ask_each(server.address, server.metadata, [request])
            found = disk.footprint(directory / "data")
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        return Measurement(
            found.used / rows,
            stored.our_rows("check", answers),
            {
                "parts_b": of_parts / rows,
                "hot_b": found.hot / rows,
                "directory_b": found.directory / rows,
                "parts": sealed.parts,
            },
            [] if sealed.rows == rows else [f"{rows} rows were to be sealed, {sealed.rows} are"],
            COUNTED,
        )

    def close(self) -> None:
        """Nothing outlives a round."""


class _Peer:
    """A peer that takes the rows in its smallest form, a ``StorePeer``."""

    def __init__(self, module: str, data: DataSet, codecs: str) -> None:
        self._module = module
        self._data = data
        self._codecs = codecs

    def round(self) -> Measurement:
        """Fills a new store, weighs it, asks."""
        directory = new_directory("size")
        try:
            taken = stored.build(self._module, directory / "store", self._data, self._codecs)
            answers = stored.ask_store(self._module, directory / "store", self._data, "check")
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        return Measurement(taken["bytes"] / self._data.rows, answers)

    def close(self) -> None:
        """Nothing outlives a round."""


def _victoria(data: DataSet) -> Contender:
    if not victoria_store.is_here():
        return Absent(f"{victoria_store.PROGRAM} is not installed; Debian has it")
    return _Peer("bench.peers.victoria_store", data, "size")


def _contenders(name: str, cold: bool, size: Size) -> Mapping[str, Contender]:
    data, codecs = DATA[name][size], "cold" if cold else "size"
    makers: dict[str, Callable[[], Contender]] = {OURS: lambda: _Ours(data, cold)}
    for peer in ("duckdb", "chdb", "parquet"):
        makers[peer] = partial(_Peer, f"bench.peers.{peer}_store", data, codecs)
    if name != "events":  # which are no series
        makers["victoria_metrics"] = lambda: _victoria(data)
    return gathered(makers)


def _case(name: str, cold: bool) -> Case:
    detail = f"{name}-cold" if cold else name
    return Case(
        name=f"size/{detail}",
        unit="B/row",
        bigger_is_better=False,
        target=TARGET.get(detail),
        contenders=partial(_contenders, name, cold),
        rounds={"small": 1, "full": 1},
    )


CASES = (*(_case(name, cold=False) for name in DATA), *(_case(name, cold=True) for name in DATA))
