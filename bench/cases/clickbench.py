"""``clickbench``: seven of the eight shapes that ClickBench's queries come in, on twenty million visits.

The eighth, a text that contains another, is left out: the contract's ``match`` is not served yet. Each must be ahead of
the best peer; ``mean`` is the geometric mean of all seven, against that of the best peer in each.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial

from bench.cases import shaped, visited
from bench.harness import OURS, Case, Contender, Measurement, Size
from bench.shapes.events import CLICKBENCH

PEERS = ("duckdb", "chdb")
Makers = Sequence[Callable[[], Contender]]


class Mean:
    """The geometric mean of several shapes, of each the quickest of some contenders, which are made for their round."""

    def __init__(self, shapes: Sequence[Makers]) -> None:
        self._shapes = shapes

    def round(self) -> Measurement:
        """A round of each."""
        return Measurement(statistics.geometric_mean(min(map(self._taken, makers)) for makers in self._shapes))

    def _taken(self, make: Callable[[], Contender]) -> float:
        with closing(make()) as contender:
            return contender.round().value

    def close(self) -> None:
        """Nothing outlives a round."""


def _mean(size: Size) -> Mapping[str, Contender]:
    data, count = visited.DATA[size], visited.COUNT[size]
    peers = [[partial(shaped.peer, peer, data, shape, count) for peer in PEERS] for shape in CLICKBENCH]
    ours = [[partial(shaped.Ours, data, shape, count, raw=False)] for shape in CLICKBENCH]
    return {OURS: Mean(ours), "best_of_each": Mean(peers)}


CASES = (
    *(
        shaped.case(f"clickbench/{shape.name}", shape.name, visited.DATA, visited.COUNT, target=1.0, peers=PEERS)
        for shape in CLICKBENCH
    ),
    Case(
        name="clickbench/mean",
        unit="ms",
        bigger_is_better=False,
        target=3.0,
        contenders=_mean,
        rounds={"small": 1, "full": 3},
    ),
)
