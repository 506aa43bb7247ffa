"""``tail-scan``: mean and greatest of one metric by the minute, over a morning of TSBS of which nothing is sealed yet.
A report.

DuckDB's table holds the rows in order of arrival, which is what it has as long as nobody sorts; chdb's is sorted within
what came by one insert, as it always is.
"""

from collections.abc import Mapping

from bench.cases import stored
from bench.cases.lastpoint import DATA
from bench.harness import OURS, Case, Contender, Size, gathered

COUNT: Mapping[Size, int] = {"small": 3, "full": 10}


def _contenders(size: Size) -> Mapping[str, Contender]:
    data, count = DATA[size], COUNT[size]
    return gathered(
        {
            OURS: lambda: stored.Ours(data, "minutes", count, sealed=False),
            "duckdb": lambda: stored.Peer("bench.peers.duckdb_arrived", data, "minutes", count),
            "chdb": lambda: stored.Peer("bench.peers.chdb_arrived", data, "minutes", count),
        }
    )


CASES = (Case(name="tail-scan/minutes", unit="ms", bigger_is_better=False, target=None, contenders=_contenders),)
