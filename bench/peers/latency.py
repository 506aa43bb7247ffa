"""What the peers of the latency cases share: a store with rows, and small questions and writes timed one by one."""

import gc
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

import numpy as np

from bench.answers import Answers
from bench.data import Points, narrow_points
from bench.pace import Producer, p99_ms, timed_for
from bench.producers import BESIDE_ROWS, BESIDE_SECONDS, beside_batches, small_batches
from bench.questions import Kind, Question, mixed_questions, questions
from bench.workspace import new_directory

POINTS = "points"
WARM = 20
Work = TypeVar("Work")


class LatencyPeer(ABC):
    """A store of narrow points in a table ``points``. Subclasses say how their system is spoken to."""

    def __init__(self) -> None:
        self._directory = new_directory("peer")
        self._rows = 0
        self._beside = 0
        self._rounds = 0

    def prepare(self, rows: int) -> None:
        """Opens a new store and loads ``rows`` narrow points."""
        self._rows = rows
        self._open(str(self._directory / "store"))
        self._create(POINTS)
        self._load(POINTS, narrow_points(rows))

    def ask(self, kind: Kind, count: int, beside: int) -> dict[str, Any]:
        """Times ``count`` questions. ``beside`` is how many batches a producer has for the time; 0: there is none."""
        asked = questions(kind, count, self._rows)
        for question in asked[:WARM]:
            self._ask(question)
        taken, replies = self._timed(self._ask, asked, beside)
        return {**taken, "rows": [row for reply in replies for row in reply]}

    def ask_mixed(self, count: int, idle: float, seconds: float, beside: int, batch_rows: int) -> dict[str, Any]:
        """Asks ``count`` lookups and hours in turn, again and again for ``idle`` seconds, then for ``seconds`` while a
        producer with ``beside`` batches of ``batch_rows`` is at work."""
        asked = mixed_questions(count, self._rows)
        for question in asked[:WARM]:
            self._ask(question)
        alone, _ = timed_for(self._ask, asked, idle)
        batches = beside_batches(self._rows, self._beside, beside, batch_rows)
        statements = [self._beside_statement(POINTS, batch) for batch in batches]
        gc.collect()
        with Producer(statements, self._write_beside, BESIDE_SECONDS) as producer:
            waits, replies = timed_for(self._ask, asked, seconds)
        self._beside += producer.sent
        found, expected = self._count(POINTS), self._rows + self._beside * batch_rows
        figures = {"idle_ms": p99_ms(alone), "p99_ms": p99_ms(waits), "behind_ms": producer.behind_ms}
        wrong = [] if found == expected else [f"{expected} rows were loaded and produced, {found} are there"]
        return {"figures": figures, "wrong": wrong, "rows": [row for reply in replies for row in reply]}

    def write(self, batch_rows: int, count: int, beside: int) -> dict[str, Any]:
        """Times ``count`` writes of ``batch_rows`` rows into a new table, each durable by itself."""
        self._rounds += 1
        for table in (warm := f"warm_{self._rounds}", measured := f"writes_{self._rounds}"):
            self._create(table)
        batches = small_batches(batch_rows, count)
        for batch in batches[:WARM]:
            self._write(self._statement(warm, batch))
        taken, _ = self._timed(self._write, [self._statement(measured, batch) for batch in batches], beside)
        return {**taken, "answers": self._answers(measured).to_json()}

    def close(self) -> None:
        """Closes and removes the store."""
        self._shut()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _timed(
        self, do: Callable[[Work], Any], works: Sequence[Work], beside: int
    ) -> tuple[dict[str, Any], list[Sequence[Sequence[Any]]]]:
        waits: list[float] = []
        replies: list[Any] = []
        batches = beside_batches(self._rows, self._beside, beside)
        producer = Producer(
            [self._beside_statement(POINTS, batch) for batch in batches], self._write_beside, BESIDE_SECONDS
        )
        gc.collect()
        with ExitStack() as stack:
            if beside:
                stack.enter_context(producer)
            for work in works:
                began = time.perf_counter()
                replies.append(do(work))
                waits.append(time.perf_counter() - began)
        self._beside += producer.sent
        found, expected = self._count(POINTS), self._rows + self._beside * BESIDE_ROWS
        p50, p99 = np.quantile(np.asarray(waits), (0.5, 0.99)) * 1e3
        taken = {"p50_ms": float(p50), "p99_ms": float(p99)}
        if beside:
            taken["behind_ms"] = producer.behind_ms
        wrong = [] if found == expected else [f"{expected} rows were loaded and produced, {found} are there"]
        return {"figures": taken, "wrong": wrong}, replies

    @abstractmethod
    def _open(self, path: str) -> None: ...

    @abstractmethod
    def _shut(self) -> None: ...

    @abstractmethod
    def _create(self, table: str) -> None: ...

    @abstractmethod
    def _load(self, table: str, points: Points) -> None: ...

    @abstractmethod
    def _ask(self, question: Question) -> Sequence[Sequence[Any]]:
        """The rows of the answer, as Python values."""

    @abstractmethod
    def _statement(self, table: str, points: Points) -> Any:
        """Whatever ``_write`` takes to write the points, made before the clock."""

    @abstractmethod
    def _write(self, statement: Any) -> None: ...

    @abstractmethod
    def _beside_statement(self, table: str, points: Points) -> Any: ...

    @abstractmethod
    def _write_beside(self, statement: Any) -> None:
        """Called from another thread than all else."""

    @abstractmethod
    def _count(self, table: str) -> int: ...

    @abstractmethod
    def _answers(self, table: str) -> Answers: ...
