"""``latency``: a small question and a small write, one after the other, alone and beside a producer. A report.

The store holds an hour of a thousand series; the producer writes 100,000 rows a second to it.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from bench import driver, messages
from bench.answers import Answers, Replies
from bench.child import Child
from bench.data import narrow_points
from bench.driver import Run
from bench.harness import OURS, Case, Contender, Measurement, Size
from bench.peers.latency import WARM
from bench.producers import BESIDE_ROWS, BESIDE_SECONDS, small_batches, split
from bench.questions import Kind, questions
from bench.server import Server

ROWS: Mapping[Size, int] = {"small": 100_000, "full": 3_600_000}
COUNT: Mapping[str, Mapping[Size, int]] = {
    "lookup": {"small": 20, "full": 500},
    "hour": {"small": 20, "full": 200},
    "write1": {"small": 20, "full": 300},
    "write100": {"small": 20, "full": 300},
}
BATCH_ROWS = {"write1": 1, "write100": 100}
KINDS: Mapping[str, Kind] = {"lookup": "lookup", "hour": "hour"}
MESSAGE_ROWS = 65_536
# Batches for more than the longest round.
BESIDE: Mapping[Size, int] = {"small": round(10 / BESIDE_SECONDS), "full": round(40 / BESIDE_SECONDS)}


class _Ours:
    """A server with the rows in it, and a producer in a process of its own.

    Args:
        rows: of the store.
        count: questions or writes of a round.
        beside: batches that the producer has for a round; 0: there is none.
    """

    def __init__(self, rows: int, count: int, beside: int) -> None:
        self._rows = rows
        self._count = count
        self._batches_beside = beside
        self._produced = 0
        self._rounds = 0
        self._open = ExitStack()
        try:
            self._server = self._open.enter_context(Server())
            self._address, self._metadata = self._server.address, self._server.metadata
            self._load()
            if beside:
                self._producer = Child("bench.clients.producer")
                self._open.callback(self._producer.close)
        except BaseException:
            self._open.close()
            raise

    def _load(self) -> None:
        [batches] = split(narrow_points(self._rows), 1, MESSAGE_ROWS)
        driver.open_writers(self._address, self._metadata, ["load"])
        requests = messages.stream_requests(batches, writer="load")
        driver.write_streams(self._address, self._metadata, [requests], in_flight=4)

    def close(self) -> None:
        """Ends server and producer."""
        self._open.close()

    def _begin(self) -> None:
        if self._batches_beside:
            self._producer.call(
                "start",
                address=self._address,
                metadata=self._metadata,
                after_rows=self._rows,
                first=self._produced,
                count=self._batches_beside,
            )

    def _end(self, run: Run, answers: Answers | Replies) -> Measurement:
        also = {"p99_ms": run.p99_ms}
        if self._batches_beside:
            produced = self._producer.call("stop")
            self._produced += produced["sent"]
            also["behind_ms"] = produced["behind_ms"]
        found = driver.ask(self._address, self._metadata).count
        expected = self._rows + self._produced * BESIDE_ROWS
        wrong = [] if found == expected else [f"{expected} rows were loaded and produced, {found} are there"]
        return Measurement(run.p50_ms, answers, also, wrong)


class _Asking(_Ours):
    """Asks questions of a kind."""

    def __init__(self, kind: Kind, rows: int, count: int, beside: int) -> None:
        super().__init__(rows, count, beside)
        self._requests = [messages.question(asked) for asked in questions(kind, count, rows)]

    def round(self) -> Measurement:
        """Asks each question once."""
        driver.ask_each(self._address, self._metadata, self._requests[:WARM])
        self._begin()
        run, tables = driver.ask_each(self._address, self._metadata, self._requests)
        return self._end(run, Replies([row for table in tables for row in driver.plain_rows(table)]))


class _Writing(_Ours):
    """Writes batches of some rows."""

    def __init__(self, batch_rows: int, rows: int, count: int, beside: int) -> None:
        super().__init__(rows, count, beside)
        self._batches = small_batches(batch_rows, count)

    def round(self) -> Measurement:
        """Writes each batch once, to a new stream."""
        self._rounds += 1
        self._write(f"warm_{self._rounds}", WARM)
        self._begin()
        stream = f"writes_{self._rounds}"
        run = self._write(stream, self._count)
        return self._end(run, driver.ask(self._address, self._metadata, stream))

    def _write(self, stream: str, count: int) -> Run:
        driver.open_writers(self._address, self._metadata, [stream])
        requests = [
            messages.write_request(batch, stream=stream, writer=stream, sequence=sequence)
            for sequence, batch in enumerate(self._batches[:count], start=1)
        ]
        return driver.write_each(self._address, self._metadata, requests)


class _Peer:
    """A peer of ``bench.peers`` on a store of its own.

    Args:
        module: of the peer, a ``LatencyPeer``.
        method, arguments: what is called for a round.
    """

    def __init__(self, module: str, rows: int, method: str, **arguments: Any) -> None:
        self._method = method
        self._arguments = arguments
        self._child = Child(module)
        try:
            self._child.call("prepare", rows=rows)
        except BaseException:
            self._child.close()
            raise

    def round(self) -> Measurement:
        """Calls the method."""
        taken = self._child.call(self._method, **self._arguments)
        figures = taken["figures"]
        answers = Answers.from_json(taken["answers"]) if "answers" in taken else Replies(taken["rows"])
        return Measurement(figures.pop("p50_ms"), answers, figures, taken["wrong"])

    def close(self) -> None:
        """Removes the store and ends the process."""
        try:
            self._child.call("close")
        finally:
            self._child.close()


def _contenders(what: str, beside: bool, size: Size) -> Mapping[str, Contender]:
    writes = what in BATCH_ROWS
    rows = ROWS["small" if writes else size]  # a write takes no longer on a store with more in it
    count, batches = COUNT[what][size], BESIDE[size] if beside else 0
    made: dict[str, Contender] = {}
    try:
        if writes:
            made[OURS] = _Writing(BATCH_ROWS[what], rows, count, batches)
            asked: dict[str, Any] = {"method": "write", "batch_rows": BATCH_ROWS[what]}
        else:
            made[OURS] = _Asking(KINDS[what], rows, count, batches)
            asked = {"method": "ask", "kind": what}
        for name in ("duckdb", "chdb"):
            made[name] = _Peer(f"bench.peers.{name}_latency", rows, count=count, beside=batches, **asked)
    except BaseException:
        for contender in made.values():
            contender.close()
        raise
    return made


CASES = tuple(
    Case(
        name=f"latency/{what}{'-beside' if beside else ''}",
        unit="ms",
        bigger_is_better=False,
        target=None,
        contenders=partial(_contenders, what, beside),
        rounds={"small": 1, "full": 3},
    )
    for what in COUNT
    for beside in (False, True)
)
