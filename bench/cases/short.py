"""``short``: TSBS's questions about one host or eight, each of random ones at a random time; ``p99_ms`` beside p50.

``high-cpu-1`` is asked as ``tsbs/high-cpu-all`` is; TSBS does not ask it of VictoriaMetrics. DuckDB has no index on its
sorted table, is shown, and is asked the first hundred only.
"""

from collections.abc import Callable, Mapping
from functools import partial

from bench.cases import shaped
from bench.cases.lastpoint import DATA
from bench.harness import OURS, Case, Contender, Size, gathered
from bench.shapes import SHAPES
from bench.shapes.tsbs import SHORT

COUNT: Mapping[Size, int] = {"small": 10, "full": 1_000}
DUCKDB_COUNT = 100
VICTORIA = 0.83


def _contenders(name: str, size: Size) -> Mapping[str, Contender]:
    data, shape, count = DATA[size], SHAPES[name], COUNT[size]
    makers: dict[str, Callable[[], Contender]] = {
        OURS: lambda: shaped.Ours(data, shape, count, raw=False),
        "duckdb": lambda: shaped.peer("duckdb", data, shape, min(count, DUCKDB_COUNT)),
        "chdb": lambda: shaped.peer("chdb", data, shape, count),
    }
    if shape.victoria:
        makers["victoria_metrics"] = lambda: shaped.victoria(data, shape, count)
    return gathered(makers)


CASES = tuple(
    Case(
        name=f"short/{shape.name.removeprefix('single-groupby-')}",
        unit="ms",
        bigger_is_better=False,
        target=3.0,
        contenders=partial(_contenders, shape.name),
        judged=("chdb",),
        floors={"victoria_metrics": VICTORIA} if shape.victoria else {},
        rounds={"small": 1, "full": 3},
    )
    for shape in SHORT
)
