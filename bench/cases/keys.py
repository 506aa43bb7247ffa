"""``keys``: the ten of a million keys, and of ten million, that have most rows.

``users`` is on the order of the stores: ours keeps a user's rows together, a peer's table is sorted by user. ``items``
is off it: an item's rows lie anywhere. Keys are texts in ours and codes of four bytes in the peers'.
"""

from collections.abc import Iterator, Mapping

from bench.cases import shaped, visited
from bench.harness import Case, Size
from bench.tables import DataSet, visits_set

MANY: Mapping[Size, DataSet] = {"small": visits_set(50_000, 25_000), "full": visits_set(40_000_000, 10_000_000)}
SETS = {"1m": visited.DATA, "10m": MANY}
TARGET = {"users": 2.0, "items": 4.0}
PEERS = ("duckdb", "chdb", "polars")


def _cases() -> Iterator[Case]:
    for size, data in SETS.items():
        for name, target in TARGET.items():
            yield shaped.case(f"keys/{name}-{size}", f"top-{name}", data, visited.COUNT, target=target, peers=PEERS)


CASES = tuple(_cases())
