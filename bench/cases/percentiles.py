"""``percentiles``: p50, p95 and p99 of the seconds that visits lasted, by 200 countries and by 4,000 pages.

Ours and some of the peers' functions are not exact, so answers are not compared with each other but each with the
exact ones, found by sorting: ``error_pct`` is the greatest relative error. Ours must be within the bound that it
promises of the rank that it promises, floor(q (n - 1)); a peer may be anywhere from there to the next rank, since each
has its own.

Functions: DuckDB's ``approx_quantile`` (a t-digest) and ``quantile_disc``; ClickHouse's ``quantilesDD``, told our
bound, ``quantilesTDigest`` and ``quantilesExact``; Polars' exact quantiles. The ratio is against the quickest of all,
whatever its error.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.answers import Replies
from bench.cases import shaped, visited
from bench.harness import OURS, Case, Contender, Measurement, Size, gathered
from bench.shapes import SHAPES
from bench.shapes.events import QUANTILES, RELATIVE_ERROR
from bench.tables import DataSet
from bench.visits import Visits

GROUPS = {"countries": "country", "pages": "page"}
FUNCTIONS = {
    "duckdb": ("duckdb", "approximate"),
    "duckdb_exact": ("duckdb", "exact"),
    "chdb_dd": ("chdb", "dd"),
    "chdb_tdigest": ("chdb", "tdigest"),
    "chdb_exact": ("chdb", "exact-chdb"),
    "polars": ("polars", "exact"),
}
TARGET = 4.0


@dataclass(frozen=True)
class Exact:
    """The exact answer.

    Attributes:
        groups: their codes.
        lower: of each group the three values of the rank floor(q (n - 1)).
        upper: those of the rank after, if there is one.
    """

    groups: NDArray[np.int64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    def error(self, rows: Sequence[Sequence[Any]], *, of_rank: bool) -> float:
        """The greatest relative error of an answer: from the rank itself, or from what lies between both. Infinite
        where groups are missing."""
        if [row[0] for row in rows] != self.groups.tolist():
            return math.inf
        values = np.array([_flat(row[1:]) for row in rows])
        nearest = np.clip(values, self.lower, self.lower if of_rank else self.upper)
        return float(np.max(np.abs(values - nearest) / nearest))


def exact(codes: NDArray[Any], spent: NDArray[np.float64]) -> Exact:
    """By sorting."""
    order = np.lexsort((spent, codes))
    groups, first, counts = np.unique(codes[order], return_index=True, return_counts=True)
    ranks = np.floor(np.asarray(QUANTILES) * (counts[:, None] - 1)).astype(np.int64)
    after = np.minimum(ranks + 1, counts[:, None] - 1)
    lower, upper = (spent[order][first[:, None] + places] for places in (ranks, after))
    return Exact(groups.astype(np.int64), lower, upper)


@cache
def _expected(data: DataSet, column: str) -> Exact:
    rows = data.made()
    if not isinstance(rows, Visits):
        raise TypeError(f"percentiles are of visits, got {data.name}")
    return exact(getattr(rows, column), rows.spent)


def _flat(values: Any) -> Any:
    """The three values of a row: peers tell them as a list."""
    return values[0] if len(values) == 1 else values


class Judged:
    """A contender whose answers are held against the exact ones.

    Args:
        bound: of its relative error from the rank that is meant; None where none is promised.
    """

    def __init__(self, contender: Contender, expected: Exact, bound: float | None) -> None:
        self._contender = contender
        self._expected = expected
        self._bound = bound

    def round(self) -> Measurement:
        """Asks, and compares."""
        taken = self._contender.round()
        if not isinstance(taken.answers, Replies):
            raise TypeError("a shape is answered with rows")
        error = self._expected.error(taken.answers.rows, of_rank=self._bound is not None)
        wrong = list(taken.wrong)
        if self._bound is not None and not error <= self._bound:
            wrong.append(f"relative error: {error:.4g}, above {self._bound:g}")
        elif math.isinf(error):
            wrong.append("groups are missing")
        return Measurement(taken.value, None, {**taken.also, "error_pct": error * 100.0}, wrong)

    def close(self) -> None:
        """Closes the contender."""
        self._contender.close()


def _contenders(column: str, size: Size) -> Mapping[str, Contender]:
    data, count = visited.DATA[size], visited.COUNT[size]
    expected = _expected(data, column)
    ours = SHAPES[f"percentiles-{column}-exact"]

    @cache
    def host(system: str) -> shaped.Host:
        return shaped.Host(shaped.PEERS[system], data)

    def peer(system: str, function: str) -> Contender:
        shape = SHAPES[f"percentiles-{column}-{function}"]
        return Judged(shaped.Peer(host(system), shape, count), expected, None)

    makers: dict[str, Callable[[], Contender]] = {
        OURS: lambda: Judged(shaped.Ours(data, ours, count, raw=False), expected, RELATIVE_ERROR)
    }
    makers |= {name: partial(peer, *function) for name, function in FUNCTIONS.items()}
    return gathered(makers)


def _cases() -> Iterator[Case]:
    for name, column in GROUPS.items():
        yield Case(
            name=f"percentiles/{name}",
            unit="ms",
            bigger_is_better=False,
            target=TARGET,
            contenders=partial(_contenders, column),
        )


CASES = tuple(_cases())
