"""``growth``: mean and greatest of each series by the hour over all there is, as that grows tenfold and tenfold again.

A report of ratios at each size: the target that the design has, 30 times, is for a billion points.
"""

from collections.abc import Mapping

from bench.cases import shaped
from bench.harness import Size
from bench.tables import DataSet, points_set

COUNT: Mapping[Size, int] = {"small": 3, "full": 5}
SETS: Mapping[str, Mapping[Size, DataSet]] = {
    "1m": {"small": points_set(10_000), "full": points_set(1_000_000)},
    "10m": {"small": points_set(50_000), "full": points_set(10_000_000)},
    "100m": {"small": points_set(200_000), "full": points_set(100_000_000)},
}
PEERS = ("duckdb", "chdb")

CASES = tuple(
    shaped.case(f"growth/{name}", "series-hours", data, COUNT, target=None, peers=PEERS) for name, data in SETS.items()
)
