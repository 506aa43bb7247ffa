"""``scan``: one column of 100 M rows added up, with and without footers, and one entity's hour; warm."""

from collections.abc import Callable, Mapping
from functools import partial

from bench.cases import stored
from bench.harness import OURS, Case, Contender, Size, gathered
from bench.questions import What
from bench.tables import points_set

ROWS: Mapping[Size, int] = {"small": 200_000, "full": 100_000_000}
COUNT: Mapping[What, Mapping[Size, int]] = {"sum": {"small": 3, "full": 5}, "hour": {"small": 10, "full": 200}}


def _contenders(what: What, footers: bool, size: Size) -> Mapping[str, Contender]:
    data, count = points_set(ROWS[size]), COUNT[what][size]
    makers: dict[str, Callable[[], Contender]] = {
        OURS: lambda: stored.Ours(data, what, count, footers=footers),
        "duckdb": lambda: stored.Peer("bench.peers.duckdb_store", data, what, count),
        "chdb": lambda: stored.Peer("bench.peers.chdb_store", data, what, count),
    }
    if what == "hour":
        makers["victoria_metrics"] = lambda: stored.victoria(data, what, count)
    return gathered(makers)


def _case(detail: str, what: What, footers: bool) -> Case:
    return Case(
        name=f"scan/{detail}",
        unit="ms",
        bigger_is_better=False,
        target=3.0,
        contenders=partial(_contenders, what, footers),
        judged=("duckdb", "chdb"),
    )


CASES = (
    _case("sum-raw", "sum", footers=False),
    _case("sum", "sum", footers=True),
    _case("hour", "hour", footers=True),
)
