"""What the cases of the sealed store share: stores that are filled once a run, ours and the peers', warm or cold."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench import disk, driver, sealing, specs, tables
from bench.answers import MEAN_TOLERANCE, PLAIN_SUM_TOLERANCE, Replies
from bench.child import Child
from bench.harness import Absent, Contender, Measurement
from bench.peers import victoria_store
from bench.peers.store import WARM, WARM_ROWS
from bench.questions import What, hours
from bench.server import Server
from bench.tables import DataSet
from bench.workspace import new_directory
from marigram_client import Client

PIECE_ROWS = 500_000
WARM_ASKS = 3
BUILD_SECONDS = 3_600.0
SETTINGS: Mapping[bool, Mapping[str, str]] = {True: {}, False: sealing.WITHOUT}


def load(server: Server, data: DataSet, stream: str, rows: int | None = None) -> None:
    """Writes a data set, or its first rows, by the Python client's writer.

    Raises:
        RuntimeError: not all of them were stored.
    """
    wanted = data.rows if rows is None else min(rows, data.rows)
    with Client(server.address, server.key) as client, client.writer(f"load-{stream}") as writer:
        for columns, arguments in tables.pieces(data, PIECE_ROWS if rows is None else wanted):
            writer.write(stream, columns, **arguments)
            if rows is not None:
                break
        totals = writer.flush()
    if totals.stored != wanted:
        raise RuntimeError(f"{wanted} rows of {data.name} were written, {totals.stored} stored")


@cache
def our_directory(data: DataSet, sealed: bool) -> Path:
    """A server's directory with the rows in a stream of the set's name and the first again in ``warm``. Made once a
    run, and removed with what else the run makes."""
    directory = new_directory("stored")
    try:
        with Server(settings=SETTINGS[sealed], directory=directory) as server:
            for stream, rows in ((data.name, None), (WARM, WARM_ROWS)):
                load(server, data, stream, rows)
                if sealed:
                    sealing.seal(server.address, server.metadata, stream)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return directory


@cache
def peer_store(module: str, data: DataSet) -> Path:
    """A peer's store, likewise."""
    path = new_directory("peer") / "store"
    build(module, path, data, "speed")
    return path


def build(module: str, path: Path, data: DataSet, codecs: str) -> dict[str, float]:
    """Fills a peer's new store in a process of its own; what that took."""
    child = Child(module)
    try:
        taken: dict[str, float] = child.call(
            "build", timeout=BUILD_SECONDS, path=str(path), data=asdict(data), codecs=codecs
        )
        return taken
    finally:
        child.close()


def replies(what: What, rows: Sequence[Sequence[Any]]) -> Replies:
    """Rows to compare: a plain sum of many doubles agrees less closely than means of a few."""
    return Replies(rows, PLAIN_SUM_TOLERANCE if what == "sum" else MEAN_TOLERANCE)


def our_rows(what: What, answers: Sequence[pa.Table]) -> Replies:
    """Our answers as the peers give theirs: codes in place of names; of questions that are all the same, the last."""
    told = answers if what == "hour" else answers[-1:]
    rows = [row for table in told for row in driver.plain_rows(table)]
    if what in ("check", "lastpoint"):
        rows = [[tables.code_of(row[0]), *row[1:]] for row in rows]
    return replies(what, rows)


class Ours:
    """A server with a data set in it.

    Args:
        count: how often a round asks, or how many hours it asks for.
        footers: whether what parts hold beside their rows may be used.
        sealed: all rows are in parts; else none is, and none will be.
        cold: each round has a server of its own, whose files are not in the system's cache when it is asked.
    """

    def __init__(
        self, data: DataSet, what: What, count: int, *, footers: bool = True, sealed: bool = True, cold: bool = False
    ) -> None:
        self._what = what
        asked = hours(count, data.rows) if what == "hour" else [None] * count
        self._requests, self._warming = (
            [specs.request(what, data.name, stream, one, footers=footers) for one in some]
            for stream, some in ((data.name, asked), (WARM, asked[:1]))
        )
        self._directory = our_directory(data, sealed)
        self._server = Server(settings=SETTINGS[sealed], directory=self._directory)
        self._cold = cold
        if not cold:
            self._server.__enter__()

    def round(self) -> Measurement:
        """Asks."""
        if not self._cold:
            driver.ask_each(self._server.address, self._server.metadata, self._requests[:WARM_ASKS])
            return self._asked({})
        data = self._directory / "data"
        with self._server:
            driver.ask_each(self._server.address, self._server.metadata, self._warming)
            disk.evict(data)
            return self._asked({"resident_mb": disk.resident(data) / 1e6})

    def _asked(self, also: Mapping[str, float]) -> Measurement:
        run, answers = driver.ask_each(self._server.address, self._server.metadata, self._requests)
        return Measurement(run.p50_ms, our_rows(self._what, answers), {"p99_ms": run.p99_ms, **also})

    def close(self) -> None:
        """Ends the server; its directory may be wanted by the next case."""
        if not self._cold:
            self._server.__exit__(None, None, None)


class Peer:
    """A peer's store of the same rows, a ``StorePeer``; arguments as of ``Ours``."""

    def __init__(self, module: str, data: DataSet, what: What, count: int, *, cold: bool = False) -> None:
        self._module = module
        self._what = what
        self._count = count
        self._path = peer_store(module, data)
        self._place: dict[str, Any] = {"path": str(self._path), "data": asdict(data)}
        self._child: Child | None = None
        if not cold:
            self._child = Child(module)
            self._child.call("open", **self._place)

    def round(self) -> Measurement:
        """Asks; cold in a process of its own, that has opened the store and asked of its small table."""
        if self._child is not None:
            return self._measured(self._child.call("ask", what=self._what, count=self._count), {})
        child = Child(self._module)
        try:
            child.call("open", **self._place)
            child.call("warm", what=self._what)
            disk.evict(self._path)
            also = {"resident_mb": disk.resident(self._path) / 1e6}
            measured = self._measured(child.call("ask_once", what=self._what, count=self._count), also)
            child.call("close")
            return measured
        finally:
            child.close()

    def _measured(self, taken: dict[str, Any], also: Mapping[str, float]) -> Measurement:
        figures = taken["figures"]
        answers = replies(self._what, taken["rows"])
        return Measurement(figures["p50_ms"], answers, {"p99_ms": figures["p99_ms"], **also})

    def close(self) -> None:
        """Ends the process."""
        if self._child is not None:
            try:
                self._child.call("close")
            finally:
                self._child.close()


def victoria(data: DataSet, what: What, count: int) -> Contender:
    """VictoriaMetrics, if it is installed."""
    if not victoria_store.is_here():
        return Absent(f"{victoria_store.PROGRAM} is not installed; Debian has it")
    return Peer("bench.peers.victoria_store", data, what, count)


def ask_store(module: str, path: Path, data: DataSet, what: What) -> Replies:
    """What a peer's store answers, asked once by a process of its own."""
    child = Child(module)
    try:
        child.call("open", path=str(path), data=asdict(data))
        taken = child.call("ask_once", what=what, count=1)
        child.call("close")
    finally:
        child.close()
    return replies(what, taken["rows"])
