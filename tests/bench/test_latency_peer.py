"""What the peers of the latency cases share, on a store in memory."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from bench.answers import Answers, of_points
from bench.data import Points
from bench.peers.latency import LatencyPeer
from bench.producers import small_batches
from bench.questions import Question


class Memory(LatencyPeer):
    """Keeps points in lists; loses every batch of a producer if told to."""

    def __init__(self, loses: bool = False) -> None:
        super().__init__()
        self.tables: dict[str, list[Points]] = {}
        self._loses = loses

    def _open(self, path: str) -> None:
        self.tables.clear()

    def _shut(self) -> None:
        self.tables.clear()

    def _create(self, table: str) -> None:
        self.tables[table] = []

    def _load(self, table: str, points: Points) -> None:
        self.tables[table].append(points)

    def _ask(self, question: Question) -> Sequence[Sequence[Any]]:
        return [[question.series]]

    def _statement(self, table: str, points: Points) -> tuple[str, Points]:
        return table, points

    def _write(self, statement: tuple[str, Points]) -> None:
        table, points = statement
        self.tables[table].append(points)

    def _beside_statement(self, table: str, points: Points) -> tuple[str, Points]:
        return table, points

    def _write_beside(self, statement: tuple[str, Points]) -> None:
        if not self._loses:
            self._write(statement)

    def _count(self, table: str) -> int:
        return sum(map(len, self.tables[table]))

    def _answers(self, table: str) -> Answers:
        kept = self.tables[table]
        columns = [np.concatenate([getattr(part, name) for part in kept]) for name in ("time", "series", "value")]
        return of_points(Points(*columns))


@pytest.fixture
def peer() -> Iterator[Memory]:
    peer = Memory()
    peer.prepare(20_000)
    yield peer
    peer.close()


def test_each_question_is_answered_once_in_order(peer: Memory) -> None:
    taken = peer.ask("lookup", 30, 0)
    assert len(taken["rows"]) == 30
    assert taken["wrong"] == []
    assert set(taken["figures"]) == {"p50_ms", "p99_ms"}


def test_writes_of_a_round_are_a_table_of_their_own(peer: Memory) -> None:
    first, second = (peer.write(100, 5, 0) for _ in range(2))
    assert first["answers"] == second["answers"]
    assert first["answers"]["count"] == sum(map(len, small_batches(100, 5)))


def test_a_producer_beside_is_counted_and_its_pace_told(peer: Memory) -> None:
    taken = peer.ask("hour", 30, 100)
    assert taken["wrong"] == []
    assert taken["figures"]["behind_ms"] >= 0.0
    assert len(peer.tables["points"]) > 1


def test_rows_of_a_producer_that_are_missing_are_told() -> None:
    peer = Memory(loses=True)
    peer.prepare(20_000)
    taken = peer.ask("lookup", 30, 100)
    peer.close()
    assert taken["wrong"] == ["25000 rows were loaded and produced, 20000 are there"]
