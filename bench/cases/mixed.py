"""``mixed``: how much longer small questions take while a million points a second arrive and are sealed.

The figure is the 99th percentile of the questions beside the producer over that of the same questions asked of the same
store just before, with nothing else going on; ``idle_ms`` and ``p99_ms`` are the two. Lookups and hours come in turn,
of points that were there before. ``behind_ms`` tells whether the rate was held.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from bench import driver, messages, sealing
from bench.answers import Replies
from bench.cases import stored
from bench.child import Child
from bench.harness import OURS, Case, Contender, Measurement, Size, gathered
from bench.peers.latency import WARM
from bench.producers import BESIDE_SECONDS
from bench.questions import mixed_questions
from bench.server import Server
from bench.tables import points_set

ROWS: Mapping[Size, int] = {"small": 100_000, "full": 10_000_000}
COUNT: Mapping[Size, int] = {"small": 40, "full": 500}
IDLE_SECONDS: Mapping[Size, float] = {"small": 0.2, "full": 5.0}
SECONDS: Mapping[Size, float] = {"small": 0.5, "full": 20.0}
BATCH_ROWS = 50_000  # one each BESIDE_SECONDS: a million rows a second
SPARE_SECONDS = 15.0  # of batches, for a round whose last question is slow
BOUND = 1.5
STREAM = messages.STREAM


class _Ours:
    """A server with sealed rows in it, and a producer in a process of its own."""

    def __init__(self, size: Size) -> None:
        self._size: Size = size
        self._rows = ROWS[size]
        self._produced = 0
        self._requests = [messages.question(asked) for asked in mixed_questions(COUNT[size], self._rows)]
        with ExitStack() as opened:
            self._server = opened.enter_context(Server())
            stored.load(self._server, points_set(self._rows), STREAM)
            sealing.seal(self._server.address, self._server.metadata, STREAM)
            self._producer = Child("bench.clients.producer")
            opened.callback(self._producer.close)
            self._open = opened.pop_all()

    def round(self) -> Measurement:
        """Asks alone, then beside the producer; counts all rows."""
        address, metadata = self._server.address, self._server.metadata
        driver.ask_each(address, metadata, self._requests[:WARM])
        alone, _ = driver.ask_for(address, metadata, self._requests, IDLE_SECONDS[self._size])
        before = sealing.status(address, metadata)
        self._producer.call(
            "start",
            address=address,
            metadata=metadata,
            after_rows=self._rows,
            first=self._produced,
            count=_batches(self._size),
            batch_rows=BATCH_ROWS,
        )
        run, tables = driver.ask_for(address, metadata, self._requests, SECONDS[self._size])
        after = sealing.status(address, metadata)
        produced = self._producer.call("stop")
        self._produced += produced["sent"]
        found, expected = driver.ask(address, metadata).count, self._rows + self._produced * BATCH_ROWS
        return Measurement(
            run.p99_ms / alone.p99_ms,
            Replies([row for table in tables for row in driver.plain_rows(table)]),
            {
                "idle_ms": alone.p99_ms,
                "p99_ms": run.p99_ms,
                "behind_ms": produced["behind_ms"],
                "sealed_mrows": (after.sealed_rows - before.sealed_rows) / 1e6,
                "lag_mrows": after.lag_rows / 1e6,
            },
            [] if found == expected else [f"{expected} rows were loaded and produced, {found} are there"],
        )

    def close(self) -> None:
        """Ends server and producer."""
        self._open.close()


class _Peer:
    """A peer with the rows in order of arrival, a ``LatencyPeer``; its producer is a thread of its process."""

    def __init__(self, module: str, size: Size) -> None:
        self._arguments: dict[str, Any] = {
            "count": COUNT[size],
            "idle": IDLE_SECONDS[size],
            "seconds": SECONDS[size],
            "beside": _batches(size),
            "batch_rows": BATCH_ROWS,
        }
        self._child = Child(module)
        try:
            self._child.call("prepare", rows=ROWS[size])
        except BaseException:
            self._child.close()
            raise

    def round(self) -> Measurement:
        """The same."""
        taken = self._child.call("ask_mixed", **self._arguments)
        figures = taken["figures"]
        return Measurement(figures["p99_ms"] / figures["idle_ms"], Replies(taken["rows"]), figures, taken["wrong"])

    def close(self) -> None:
        """Removes the store and ends the process."""
        try:
            self._child.call("close")
        finally:
            self._child.close()


def _batches(size: Size) -> int:
    return round((SECONDS[size] + SPARE_SECONDS) / BESIDE_SECONDS)


def _contenders(size: Size) -> Mapping[str, Contender]:
    return gathered({OURS: lambda: _Ours(size), "duckdb": lambda: _Peer("bench.peers.duckdb_latency", size)})


CASES = (
    Case(
        name="mixed/questions",
        unit="x idle",
        bigger_is_better=False,
        target=None,
        bound=BOUND,
        contenders=_contenders,
        rounds={"small": 1, "full": 3},
    ),
)
