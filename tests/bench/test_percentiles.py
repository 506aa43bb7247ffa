"""How far an answer of percentiles is from the exact one."""

import math

import numpy as np
import pytest

from bench.answers import Replies
from bench.cases.percentiles import Exact, Judged, exact
from bench.harness import Measurement

CODES = np.repeat([4, 9], 101)
SPENT = np.concatenate([np.arange(100.0, 201.0)[::-1], np.arange(1.0, 102.0)])


def expected() -> Exact:
    return exact(CODES, SPENT)


def test_the_exact_answer_is_by_group_and_rank() -> None:
    assert expected().groups.tolist() == [4, 9]
    assert expected().lower.tolist() == [[150.0, 195.0, 199.0], [51.0, 96.0, 100.0]]
    assert expected().upper.tolist() == [[151.0, 196.0, 200.0], [52.0, 97.0, 101.0]]


def test_the_rank_that_is_promised_is_held_to() -> None:
    rows = [[4, 150.0, 195.0, 199.0], [9, 51.0, 96.0, 101.0]]
    assert expected().error(rows, of_rank=True) == pytest.approx(0.01)
    assert expected().error(rows, of_rank=False) == 0.0


def test_a_list_of_values_is_told_as_they_are_alone() -> None:
    rows = [[4, [150.0, 195.0, 200.5]], [9, [51.0, 96.0, 100.0]]]
    assert expected().error(rows, of_rank=False) == pytest.approx(0.0025)


def test_groups_that_are_missing_are_no_answer() -> None:
    assert math.isinf(expected().error([[4, 150.0, 195.0, 199.0]], of_rank=False))


class Says:
    """A contender with one answer."""

    def __init__(self, rows: list[list[float]]) -> None:
        self._rows = rows

    def round(self) -> Measurement:
        return Measurement(2.0, Replies(self._rows), {"p99_ms": 3.0})

    def close(self) -> None:
        pass


def test_an_error_above_what_is_promised_is_wrong() -> None:
    rows = [[4, 150.0, 195.0, 199.0], [9, 51.0, 96.0, 101.0]]
    assert Judged(Says(rows), expected(), 0.00542).round().wrong == ["relative error: 0.01, above 0.00542"]
    kept = Judged(Says(rows), expected(), 0.01).round()
    assert kept.wrong == []
    assert kept.also == {"p99_ms": 3.0, "error_pct": pytest.approx(1.0)}


def test_of_a_peer_nothing_is_promised_but_that_it_has_all_groups() -> None:
    rows = [[4, 1.0, 1.0, 1.0], [9, 51.0, 96.0, 101.0]]
    assert Judged(Says(rows), expected(), None).round().wrong == []
    assert Judged(Says(rows[:1]), expected(), None).round().wrong == ["groups are missing"]
