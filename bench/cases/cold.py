"""``cold``: the questions of ``scan`` and ``lastpoint`` with nobody's files in the system's cache.

Each round has a process of its own, ours and the peers': it has opened its store and answered the same question about a
small table; then the files are synced and evicted; then the clock starts. What a process has mapped and touched while
it opened stays, which ``resident_mb`` tells, as does what lies in caches below this system.
"""

from collections.abc import Mapping
from functools import partial

from bench.cases import stored
from bench.cases.lastpoint import DATA
from bench.cases.scan import ROWS
from bench.harness import OURS, Case, Contender, Size, gathered
from bench.questions import What
from bench.tables import points_set

COUNT: Mapping[What, int] = {"sum": 1, "hour": 20, "lastpoint": 1}  # no place is asked for twice
DETAILS: Mapping[str, tuple[What, bool]] = {
    "sum-raw": ("sum", False),
    "sum": ("sum", True),
    "hour": ("hour", True),
    "lastpoint": ("lastpoint", True),
}


def _contenders(what: What, footers: bool, size: Size) -> Mapping[str, Contender]:
    data, count = DATA[size] if what == "lastpoint" else points_set(ROWS[size]), COUNT[what]
    return gathered(
        {
            OURS: lambda: stored.Ours(data, what, count, footers=footers, cold=True),
            "duckdb": lambda: stored.Peer("bench.peers.duckdb_store", data, what, count, cold=True),
            "chdb": lambda: stored.Peer("bench.peers.chdb_store", data, what, count, cold=True),
        }
    )


CASES = tuple(
    Case(
        name=f"cold/{detail}",
        unit="ms",
        bigger_is_better=False,
        target=3.0,
        contenders=partial(_contenders, what, footers),
    )
    for detail, (what, footers) in DETAILS.items()
)
