"""What the cases of the query engine share: questions of a shape, asked of ours and of the peers' stores, warm.

Ours is asked twice: by its blocks alone (raw: ``hints.no_footers``) and by whatever helps. One of the two is the
figure, the other stands beside it; their answers must agree.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench import driver, messages
from bench.answers import MEAN_TOLERANCE, PLAIN_SUM_TOLERANCE, Replies, disagreements
from bench.cases.stored import SETTINGS, our_directory, peer_store
from bench.child import Child
from bench.harness import OURS, Absent, Case, Contender, Measurement, Size, gathered
from bench.peers import victoria_store
from bench.server import Server
from bench.shapes import SHAPES, Asked, Shape
from bench.shapes.answers import told
from bench.tables import DataSet

WARM_ASKS = 3
PEERS: Mapping[str, str] = {name: f"bench.peers.{name}_store" for name in ("duckdb", "chdb", "polars")}
Counts = Mapping[Size, int]


def request(shape: Shape, stream: str, asked: Asked, *, footers: bool) -> bytes:
    """A question of a shape, encoded."""
    spec = shape.spec(asked)
    spec.stream = stream
    spec.hints.no_footers = not footers
    return messages.query(spec)


def replies(shape: Shape, rows: Sequence[Sequence[Any]]) -> Replies:
    """Rows to compare: sums of many million doubles agree less closely than means of a few."""
    return Replies(rows, MEAN_TOLERANCE if shape.data == "cpu" else PLAIN_SUM_TOLERANCE)


class Ours:
    """A server with a data set in it, all of it sealed.

    Args:
        count: how often a round asks.
        raw: the figure is of the blocks alone.
        directory: one that is there already, with the rows sealed in a stream of the set's name.
    """

    def __init__(self, data: DataSet, shape: Shape, count: int, *, raw: bool, directory: Path | None = None) -> None:
        self._shape = shape
        self._raw = raw
        asked = shape.asked(count, data)
        self._requests = {
            raw: [request(shape, data.name, one, footers=not raw) for one in asked] for raw in (True, False)
        }
        self._server = Server(settings=SETTINGS[True], directory=directory or our_directory(data, True))
        self._server.__enter__()

    def round(self) -> Measurement:
        """Asks."""
        runs: dict[bool, driver.Run] = {}
        rows: dict[bool, Replies] = {}
        ask = partial(driver.ask_each, self._server.address, self._server.metadata, streamed=self._shape.streamed)
        for raw, requests in self._requests.items():
            ask(requests[:WARM_ASKS])
            runs[raw], tables = ask(requests)
            rows[raw] = self._rows(tables)
        other = "with_footers_ms" if self._raw else "raw_ms"
        also = {"p99_ms": runs[self._raw].p99_ms, other: runs[not self._raw].p50_ms}
        wrong = [f"with footers and without: {what}" for what in disagreements(rows[True], rows[False])]
        return Measurement(runs[self._raw].p50_ms, rows[self._raw], also, wrong)

    def _rows(self, tables: Sequence[pa.Table]) -> Replies:
        return replies(self._shape, [row for table in tables[: self._shape.told] for row in told(table)])

    def close(self) -> None:
        """Ends the server; its directory may be wanted by the next case."""
        self._server.__exit__(None, None, None)


class Host:
    """The process of one or more contenders that ask a peer's store, a ``StorePeer``: one may have it open at once.

    Args:
        path: of a store that is there already.
    """

    def __init__(self, module: str, data: DataSet, path: Path | None = None) -> None:
        path = path or peer_store(module, data)
        self.child = Child(module)
        self.child.call("open", path=str(path), data=asdict(data))
        self._open = True

    def close(self) -> None:
        """Ends the process. A second call does nothing."""
        if self._open:
            self._open = False
            try:
                self.child.call("close")
            finally:
                self.child.close()


class Peer:
    """A peer that is asked questions of a shape."""

    def __init__(self, host: Host, shape: Shape, count: int) -> None:
        self._host = host
        self._shape = shape
        self._count = count

    def round(self) -> Measurement:
        """Asks."""
        taken = self._host.child.call("ask_shape", shape=self._shape.name, count=self._count)
        figures = taken["figures"]
        return Measurement(figures["p50_ms"], replies(self._shape, taken["rows"]), {"p99_ms": figures["p99_ms"]})

    def close(self) -> None:
        """Ends the process; the second of those that share it finds it ended."""
        self._host.close()


def peer(name: str, data: DataSet, shape: Shape, count: int) -> Peer:
    """A peer of ``PEERS`` with a process of its own."""
    return Peer(Host(PEERS[name], data), shape, count)


def victoria(data: DataSet, shape: Shape, count: int) -> Contender:
    """VictoriaMetrics, if it is installed."""
    if not victoria_store.is_here():
        return Absent(f"{victoria_store.PROGRAM} is not installed; Debian has it")
    return Peer(Host("bench.peers.victoria_cpu", data), shape, count)


def contenders(
    data: Mapping[Size, DataSet], shape_name: str, counts: Counts, peers: Sequence[str], raw: bool, size: Size
) -> Mapping[str, Contender]:
    """Ours and some of ``PEERS``."""
    shape, count = SHAPES[shape_name], counts[size]
    makers: dict[str, Callable[[], Contender]] = {OURS: lambda: Ours(data[size], shape, count, raw=raw)}
    makers |= {name: partial(peer, name, data[size], shape, count) for name in peers}
    return gathered(makers)


def case(
    name: str,
    shape: str,
    data: Mapping[Size, DataSet],
    counts: Counts,
    *,
    target: float | None,
    peers: Sequence[str] = ("duckdb", "chdb"),
    raw: bool = False,
) -> Case:
    """A case of one shape."""
    return Case(
        name=name,
        unit="ms",
        bigger_is_better=False,
        target=target,
        contenders=partial(contenders, data, shape, counts, peers, raw),
    )
