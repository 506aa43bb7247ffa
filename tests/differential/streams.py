"""Random streams: rows late, twice, null, NaN, negative and extreme, partly sealed; and the same as a table."""

import math
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

from marigram.engine import ColumnType, StreamKind
from marigram_client import batches
from tests.differential import literals
from tests.differential.store import Store
from tests.differential.windows import LEAST, MOST, hours

COLUMNS = [
    ("f", ColumnType.F64, pa.float64()),
    ("g", ColumnType.F64, pa.float64()),
    ("counter", ColumnType.F64, pa.float64()),
    ("i", ColumnType.I64, pa.int64()),
    ("j", ColumnType.I64, pa.int64()),
    ("b", ColumnType.BOOL, pa.bool_()),
    ("t", ColumnType.TIMESTAMP, pa.int64()),
    ("s", ColumnType.SYMBOL, pa.string()),
    ("x", ColumnType.TEXT, pa.string()),
]
TEXTS = ["", "a", "b", "ab", "é", "z", "*", "it's", 'say "x"', "\\", "日本", "line\tbreak"]
WILD = [math.inf, -math.inf, 1e300, -1e300, 5e-324, -2.5e-310, 1e-300, 9007199254740993.0, 0.1]
EXTREME = [MOST, LEAST, MOST - 1, LEAST + 1, 1 << 53, -(1 << 53) - 1]
FIRST_YEAR, LAST_YEAR = 2023, 2025
"""Of rows that calendars cut: with a leap year, in which the year of a row may begin or end before or after."""


@dataclass(frozen=True)
class Stream:
    """A stream as it was written. Columns of the table: ``seq`` (order of arrival), ``time``, ``code`` (entities by
    first arrival, 0: none), ``entity`` or labels, and those of `COLUMNS`."""

    name: str
    is_metric: bool
    times: str
    table: pa.Table

    @property
    def entity(self) -> list[str]:
        """The keys that together are the entity."""
        return ["host", "zone"] if self.is_metric else ["entity"]

    @property
    def keys(self) -> list[str]:
        """What it has to group and filter by."""
        return [*self.entity, *(name for name, _, _ in COLUMNS)]


def made(seed: int, store: Store) -> Stream:
    """The stream of a seed, stored under its name."""
    dice = Random(f"stream {seed}")
    is_metric = dice.random() < 0.35
    times = dice.choice(["dense", "days", "days", "year", "year", "extreme"])
    rows = dice.choice([1, 20, 100, 200, 200, 600, 2_500])
    columns = _columns(dice, rows, times, is_metric)
    stream = Stream(f"rows_{seed}", is_metric, times, _table(columns, is_metric))
    kind = StreamKind.METRIC if is_metric else StreamKind.EVENT
    store.create(stream.name, kind, [(name, type_) for name, type_, _ in COLUMNS])
    cuts = sorted(dice.sample(range(1, rows), min(rows - 1, dice.randint(0, 5))))
    for start, end in zip([0, *cuts], [*cuts, rows], strict=True):
        store.write(stream.name, _batch(columns, start, end, is_metric))
        if dice.random() < 0.4:
            store.seal(stream.name)
    return stream


def _times(dice: Random, rows: int, kind: str) -> list[int]:
    if kind == "dense":
        return [dice.randint(-40, 60) for _ in range(rows)]
    if kind == "extreme":
        ends = [LEAST + 1, LEAST + 2, 1_700_000_000 * 10**9, 0, -1]
        return [dice.choice(ends) if dice.random() < 0.1 else dice.randint(-100, 100) for _ in range(rows)]
    # From the 20th of October 2023, over clocks set back, or from the 20th of February 2024, over a leap day.
    begin = dice.choice([1_697_760_000, 1_708_387_200]) * 10**9
    length = hours(24 * 12) if kind == "days" else hours(24 * 400)
    found = sorted(begin + dice.randrange(length) for _ in range(rows))
    if dice.random() < 0.5:
        found = [time // 10**9 * 10**9 for time in found]
    for _ in range(rows // 5):
        at, to = dice.randrange(rows), dice.randrange(rows)
        found[at], found[to] = found[to], found[at]
    return found


def _columns(dice: Random, rows: int, times: str, is_metric: bool) -> dict[str, list[Any]]:
    entities = [f"u{number}" for number in range(dice.choice([1, 3, 12, 200]))]
    entity = ["" if dice.random() < 0.1 else dice.choice(entities) for _ in range(rows)]
    floats = dice.choice(["steps", "steps", "reals", "wild"])
    wild_integers = dice.random() < 0.3
    nulls = dice.choice([0.0, 0.1, 0.5])

    def column(draw: Any) -> list[Any]:
        return [None if dice.random() < nulls else draw() for _ in range(rows)]

    def double() -> float:
        if dice.random() < 0.08:
            return math.nan
        if dice.random() < 0.05:
            return -0.0
        if floats == "wild" and dice.random() < 0.2:
            return dice.choice(WILD)
        return dice.randint(-20, 20) / 4 if floats == "steps" else dice.lognormvariate(3, 1.5) - 5

    def integer() -> int:
        return dice.choice(EXTREME) if wild_integers and dice.random() < 0.05 else dice.randint(-5, 5)

    columns: dict[str, list[Any]] = {
        "time": _times(dice, rows, times),
        "f": column(double),
        "g": column(lambda: dice.randint(0, 4) / 2),
        "counter": _counters(dice, entity, nulls),
        "i": column(integer),
        "j": column(lambda: dice.randint(0, 2_000)),
        "b": column(lambda: dice.random() < 0.5),
        "t": column(lambda: dice.randint(-2, 2)),
        "s": column(lambda: dice.choice(TEXTS)),
        "x": column(lambda: dice.choice(TEXTS) if dice.random() < 0.7 else f"id{dice.randrange(2 * rows)}"),
    }
    if is_metric:
        zones = ["", "a", "b"]
        columns |= {"host": ["u0", *entity[1:]], "zone": ["a", *(dice.choice(zones) for _ in entity[1:])]}
    else:
        columns["entity"] = entity
    for _ in range(rows // 20):  # the same row twice
        at, to = dice.randrange(rows), dice.randrange(rows)
        for values in columns.values():
            values[to] = values[at]
    return columns


def _counters(dice: Random, entity: list[str], nulls: float) -> list[float | None]:
    totals: dict[str, float] = {}
    found: list[float | None] = []
    for name in entity:
        total = 0.0 if dice.random() < 0.03 else totals.get(name, 0.0)
        totals[name] = total + dice.randint(0, 9) / 2
        found.append(None if dice.random() < nulls else totals[name])
    return found


def _table(columns: dict[str, list[Any]], is_metric: bool) -> pa.Table:
    names = ["host", "zone"] if is_metric else ["entity"]
    codes: dict[Any, int] = {}
    entities = list(zip(*(columns[name] for name in names), strict=True))
    code = [0 if entity == ("",) else codes.setdefault(entity, len(codes) + 1) for entity in entities]
    table = {"seq": pa.array(range(len(code)), pa.int64()), "time": pa.array(columns["time"], pa.int64())}
    table["code"] = pa.array(code, pa.int64())
    table |= {name: pa.array([text or None for text in columns[name]], pa.string()) for name in names}
    table |= {name: pa.array(columns[name], kind, from_pandas=False) for name, _, kind in COLUMNS}
    return pa.table(table)


def _batch(columns: dict[str, list[Any]], start: int, end: int, is_metric: bool) -> batches.Rows:
    given: dict[str, Any] = {"time": np.array(columns["time"][start:end])}
    for name, _, kind in COLUMNS:
        given[name] = pa.array(columns[name][start:end], kind, from_pandas=False)
    types: Any = {name: literals.TYPES[name] for name, _, _ in COLUMNS}
    if is_metric:
        given |= {name: columns[name][start:end] for name in ("host", "zone")}
        return batches.read(given, labels=["host", "zone"], types=types)
    given |= {"user": columns["entity"][start:end], "event": ["seen"] * (end - start)}
    return batches.read(given, types=types)
