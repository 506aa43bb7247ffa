"""``lastpoint``: the newest row of each of TSBS's hosts, all ten metrics."""

from collections.abc import Mapping

from bench.cases import stored
from bench.harness import OURS, Case, Contender, Size, gathered
from bench.tables import DataSet, cpu_set

DATA: Mapping[Size, DataSet] = {"small": cpu_set(50, 1), "full": cpu_set(4_000, 12)}
COUNT: Mapping[Size, int] = {"small": 3, "full": 20}


def _contenders(size: Size) -> Mapping[str, Contender]:
    data, count = DATA[size], COUNT[size]
    return gathered(
        {
            OURS: lambda: stored.Ours(data, "lastpoint", count),
            "duckdb": lambda: stored.Peer("bench.peers.duckdb_store", data, "lastpoint", count),
            "chdb": lambda: stored.Peer("bench.peers.chdb_store", data, "lastpoint", count),
        }
    )


CASES = (Case(name="lastpoint/hosts", unit="ms", bigger_is_better=False, target=50.0, contenders=_contenders),)
