"""``growth``: mean and greatest of each series by the hour over all there is, as that grows tenfold again and again.

Up to a hundred million points it is a report. A billion are those of ``startup/1g``, which are kept: without
them the case is skipped, since making them takes minutes and 20 GB. chdb's has codecs for size there.
"""

from collections.abc import Mapping
from pathlib import Path

from bench import cache
from bench.cases import shaped, startup_large
from bench.harness import OURS, Case, Contender, Size, Skipped, gathered
from bench.shapes import SHAPES
from bench.tables import DataSet, points_set

COUNT: Mapping[Size, int] = {"small": 3, "full": 5}
SETS: Mapping[str, Mapping[Size, DataSet]] = {
    "1m": {"small": points_set(10_000), "full": points_set(1_000_000)},
    "10m": {"small": points_set(50_000), "full": points_set(10_000_000)},
    "100m": {"small": points_set(200_000), "full": points_set(100_000_000)},
}
BILLION: Mapping[Size, DataSet] = {"small": points_set(300_000), "full": points_set(1_000_000_000)}
SHAPE = "series-hours"


def _kept(name: str) -> Path:
    place = cache.folder() / name
    if not place.exists():
        raise Skipped(f"{place} is not there: startup/1g at full size makes and keeps it")
    return place


def _billion(size: Size) -> Mapping[str, Contender]:
    data, shape, count = BILLION[size], SHAPES[SHAPE], COUNT[size]
    ours, chdb = None, None
    if size == "full":
        ours, chdb = _kept(startup_large.our_name(size)), _kept(startup_large.chdb_name(size)) / "store"
    return gathered(
        {
            OURS: lambda: shaped.Ours(data, shape, count, raw=False, directory=ours),
            "chdb": lambda: shaped.Peer(shaped.Host(shaped.PEERS["chdb"], data, chdb), shape, count),
        }
    )


CASES = (
    *(shaped.case(f"growth/{name}", SHAPE, data, COUNT, target=None) for name, data in SETS.items()),
    Case(
        name="growth/1g",
        unit="ms",
        bigger_is_better=False,
        target=30.0,
        contenders=_billion,
        rounds={"small": 1, "full": 3},
    ),
)
