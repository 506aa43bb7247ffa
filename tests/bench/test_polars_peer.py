"""Polars as a peer, beside numpy."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.cpu import START_NS, Cpu
from bench.peers.polars_store import QUESTIONS, Peer
from bench.questions import HOUR_NS
from bench.shapes import SHAPES
from bench.tables import DataSet, cpu_set, visits_set
from bench.visits import Visits


def asked(tmp_path: Path, data: DataSet, shape: str) -> list[list[Any]]:
    path = str(tmp_path / "store")
    Peer().build(path, asdict(data), "speed")
    peer = Peer()
    peer.open(path, asdict(data))
    rows: list[list[Any]] = peer.ask_shape(shape, 2)["rows"]
    peer.close()
    return rows


def test_all_it_is_asked_are_shapes() -> None:
    assert QUESTIONS.keys() <= SHAPES.keys()


def test_means_by_host_and_hour(tmp_path: Path) -> None:
    data = cpu_set(7, 2)
    rows = data.made()
    assert isinstance(rows, Cpu)
    expected = []
    for hour in range(2):
        within = (rows.time - START_NS) // HOUR_NS == hour
        for host in range(7):
            means = rows.metrics[:5, within & (rows.host == host)].mean(axis=1)
            expected.append([START_NS + hour * HOUR_NS, host, *map(pytest.approx, means)])
    assert asked(tmp_path, data, "double-groupby-5") == expected


def test_the_ten_items_with_most_rows(tmp_path: Path) -> None:
    data = visits_set(3_000, 200)
    rows = data.made()
    assert isinstance(rows, Visits)
    counts = np.bincount(rows.item, minlength=200)
    best = np.lexsort((np.arange(200), -counts))[:10]
    assert asked(tmp_path, data, "top-items") == [[item, counts[item]] for item in best]


def test_exact_quantiles_are_values_of_the_lower_rank(tmp_path: Path) -> None:
    data = visits_set(3_000, 200)
    rows = data.made()
    assert isinstance(rows, Visits)
    first = asked(tmp_path, data, "percentiles-country-exact")[0]
    expected = np.quantile(rows.spent[rows.country == 0], (0.5, 0.95, 0.99), method="lower")
    assert first == [0, *expected]
