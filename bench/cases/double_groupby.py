"""``double-groupby``: mean of one, five and all ten of TSBS's metrics by host and hour, over its twelve hours.

The figure is of the blocks alone; ``with_footers_ms`` is what a client gets that does not ask for less.
"""

from collections.abc import Mapping

from bench.cases import shaped
from bench.cases.lastpoint import DATA
from bench.harness import Size

COUNT: Mapping[Size, int] = {"small": 3, "full": 10}
TARGET = {"1": 10.0, "5": 8.0, "all": 5.0}
PEERS = ("duckdb", "chdb", "polars")

CASES = tuple(
    shaped.case(f"double-groupby/{name}", f"double-groupby-{name}", DATA, COUNT, target=target, peers=PEERS, raw=True)
    for name, target in TARGET.items()
)
