"""What a shape is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.data import SEED
from bench.tables import UNIT, DataSet, Name
from marigram_client._pb.marigram.v1 import common_pb2, queries_pb2

Dialect = Literal["duckdb", "chdb"]
NS = 1_000_000_000
# Words of a statement that dialects differ in, such as {hour}: the start of a row's hour. Each is the quickest of what
# was tried: time_bucket and whole numbers are slower in DuckDB, whole numbers in ClickHouse.
WORDS: dict[Dialect, dict[str, str]] = {
    "duckdb": {
        "minute": "date_trunc('minute', time)",
        "hour": "date_trunc('hour', time)",
        "day": "date_trunc('day', time)",
        "seconds": "make_timestamp({0}000000)::TIMESTAMP_S",
    },
    "chdb": {
        "minute": "toStartOfMinute(time)",
        "hour": "toStartOfHour(time)",
        "day": "toStartOfDay(time)",
        "seconds": "toDateTime({0}, 'UTC')",
    },
}


@dataclass(frozen=True)
class Asked:
    """What questions of a shape differ in.

    Attributes:
        keys: codes of hosts; empty: all.
        start_ns, end_ns: Unix nanoseconds, half-open; both 0: all times.
    """

    keys: tuple[int, ...] = ()
    start_ns: int = 0
    end_ns: int = 0

    def range(self) -> common_pb2.TimeRange | None:
        """The times for a query of ours."""
        return common_pb2.TimeRange(start_ns=self.start_ns, end_ns=self.end_ns) if self.end_ns else None


Draw = Callable[[np.random.Generator, DataSet], Asked]


def always(_: np.random.Generator, __: DataSet) -> Asked:
    """The same question every time."""
    return Asked()


@dataclass(frozen=True)
class Shape:
    """A question.

    Attributes:
        name: of the shape; peers in processes of their own find it by this.
        data: whose rows it is about.
        spec: ours, without its stream.
        sql: theirs, over ``{table}``, where ``{within}`` stands for the hosts and times that were asked for.
        chdb: theirs where ClickHouse's is another.
        draw: what to ask next.
        told: how many of a round's replies are compared.
        streamed: ours is larger than one message may be at full size, and comes by StreamQuery.
        in_order: ClickHouse had better aggregate in order of its key.
        victoria: as MetricsQL, over ``{table}`` and ``{keys}``; empty where it is not asked.
        step_s: width of the windows VictoriaMetrics is asked for.
    """

    name: str
    data: Name
    spec: Callable[[Asked], queries_pb2.QuerySpec]
    sql: str
    chdb: str = ""
    draw: Draw = always
    told: int = 1
    streamed: bool = False
    in_order: bool = False
    victoria: str = ""
    step_s: int = 60

    def asked(self, count: int, data: DataSet) -> Sequence[Asked]:
        """``count`` questions, the same ones in the same order for everybody."""
        random = np.random.default_rng(SEED)
        return [self.draw(random, data) for _ in range(count)]

    def statement(self, dialect: Dialect, table: str, asked: Asked) -> str:
        """One of them in SQL."""
        words = {word: text for word, text in WORDS[dialect].items() if word != "seconds"}
        sql = self.chdb if dialect == "chdb" and self.chdb else self.sql
        return sql.format(table=table, within=self._within(dialect, asked), **words)

    def _within(self, dialect: Dialect, asked: Asked) -> str:
        conditions = []
        if asked.keys:
            keys = ", ".join(map(str, asked.keys))
            conditions.append(f"host IN ({keys})" if len(asked.keys) > 1 else f"host = {keys}")
        if asked.end_ns and UNIT[self.data] == "s":
            start, end = (WORDS[dialect]["seconds"].format(at // NS) for at in (asked.start_ns, asked.end_ns))
            conditions.append(f"time >= {start} AND time < {end}")
        return " AND ".join(conditions) or "true"
