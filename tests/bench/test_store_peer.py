"""What the peers of the sealed store share, on a store in memory."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from bench.peers.store import ROWS, Rows, StorePeer
from bench.questions import Question, What
from bench.shapes import SHAPES, Asked, Shape
from bench.tables import cpu_set, events_set, points_set


class Memory(StorePeer):
    """Keeps tables in a dictionary that outlives a peer, and notes what it is asked."""

    kept: ClassVar[dict[str, dict[str, pa.Table]]] = {}

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def _create(self, codecs: str) -> None:
        self.kept[self.path] = {}
        Path(self.path).write_bytes(b"12345")

    def _open(self) -> None:
        self.tables = self.kept[self.path]

    def _shut(self) -> None:
        self.asked.clear()

    def _fill(self, table: str, rows: pa.Table) -> None:
        self.kept[self.path][table] = rows

    def _fill_names(self, names: pa.Table) -> None:
        self.kept[self.path]["names"] = names

    def _ask(self, what: What, table: str, asked: Question | None) -> Any:
        self.asked.append((table, -1 if asked is None else asked.series))
        return len(self.tables[table])

    def _rows(self, what: What, reply: Any) -> Rows:
        return [[reply]]

    def _put(self, shape: Shape, table: str, asked: Asked) -> Any:
        self.asked.append((table, asked.keys[0] if asked.keys else -1))
        return pa.table({"rows": [len(self.tables[table])]})


def test_a_store_for_speed_has_a_small_table_to_warm_up_on(tmp_path: Path) -> None:
    path, data = str(tmp_path / "store"), asdict(points_set(5_000))
    taken = Memory().build(path, data, "speed")
    assert taken["bytes"] == 5.0
    assert taken["seconds"] > 0.0
    peer = Memory()
    peer.open(path, data)
    peer.warm("sum")
    assert peer.asked == [("warm", -1)]
    assert {name: len(table) for name, table in peer.tables.items()} == {"warm": 1_000, "data": 5_000}


def test_a_store_for_size_has_its_rows_and_what_their_codes_mean_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    Memory().build(path, asdict(events_set(2_000)), "size")
    assert set(Memory.kept[path]) == {"data", "names"}


def test_each_hour_is_asked_for_once_after_the_warm_up(tmp_path: Path) -> None:
    path, data = str(tmp_path / "store"), asdict(points_set(5_000))
    Memory().build(path, data, "speed")
    peer = Memory()
    peer.open(path, data)
    taken = peer.ask("hour", 10)
    assert len(peer.asked) == peer.many + 10
    assert taken["rows"] == [[5_000]] * 10
    assert set(taken["figures"]) == {"p50_ms", "p99_ms"}


def test_of_a_question_that_is_always_the_same_one_answer_is_told(tmp_path: Path) -> None:
    path, data = str(tmp_path / "store"), asdict(points_set(5_000))
    Memory().build(path, data, "speed")
    peer = Memory()
    peer.open(path, data)
    assert peer.ask_once("sum", 4)["rows"] == [[5_000]]
    assert peer.asked == [("data", -1)] * 4


def test_of_questions_of_a_shape_that_differ_the_first_replies_are_told(tmp_path: Path) -> None:
    path, data = str(tmp_path / "store"), asdict(cpu_set(50, 1))
    Memory().build(path, data, "speed")
    peer = Memory()
    peer.open(path, data)
    taken = peer.ask_shape("single-groupby-1-1-1", 30)
    drawn = [(ROWS, asked.keys[0]) for asked in SHAPES["single-groupby-1-1-1"].asked(30, peer.data)]
    assert peer.asked == [*drawn[: peer.many], *drawn]
    assert taken["rows"] == [[18_000]] * 20
    assert peer.ask_shape("double-groupby-1", 3)["rows"] == [[18_000]]
