"""Axes on round numbers and times, and lines that break where there is nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram_tui.widgets.plot import NumberAxis, TimeAxis, limits, nice, segments

NOON = 1_357_214_400.0  # 2013-01-03 12:00 UTC


def time_labels(first: float, last: float, most: int = 6) -> list[str]:
    axis = TimeAxis()
    axis.most = most
    return axis.get_labels_for_ticks(axis.get_ticks(first, last))


@pytest.mark.parametrize(
    ("first", "seconds", "labels"),
    [
        (NOON, 60, ["12:00:00", "12:00:10", "12:00:20", "12:00:30", "12:00:40", "12:00:50", "12:01:00"]),
        (NOON, 900, ["12:00", "12:05", "12:10", "12:15"]),
        (NOON, 86_400, ["12:00", "18:00", "01-04", "06:00", "12:00"]),
        (NOON, 5 * 86_400, ["01-04", "01-05", "01-06", "01-07", "01-08"]),
        (NOON, 100 * 86_400, ["2013-02", "2013-03", "2013-04"]),
        (NOON, 1_820 * 86_400, ["2014", "2015", "2016", "2017"]),
        (NOON, 3_640 * 86_400, ["2014", "2016", "2018", "2020", "2022"]),
    ],
)
def test_times_are_labelled_on_clock_and_calendar(first: float, seconds: int, labels: list[str]) -> None:
    assert time_labels(first, first + seconds) == labels


@given(st.floats(-2e9, 4e9), st.floats(1, 3e8), st.integers(2, 8))
def test_there_are_never_more_times_than_room(first: float, seconds: float, most: int) -> None:
    axis = TimeAxis()
    axis.most = most
    ticks = axis.get_ticks(first, first + seconds)
    assert len(ticks) <= most + 1
    assert all(first <= tick <= first + seconds for tick in ticks)
    assert len(axis.get_labels_for_ticks(ticks)) == len(ticks)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 60, ["0", "10", "20", "30", "40", "50", "60"]),
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 50_000, ["0 k", "10 k", "20 k", "30 k", "40 k", "50 k"]),
        (-1, 1, ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
    ],
)
def test_numbers_are_labelled_in_round_steps(low: float, high: float, labels: list[str]) -> None:
    axis = NumberAxis()
    assert axis.get_labels_for_ticks(axis.get_ticks(low, high)) == labels


@given(st.floats(1e-12, 1e12))
def test_a_nice_step_is_at_least_as_long_and_not_much_longer(step: float) -> None:
    assert step * (1 - 1e-6) <= nice(step) <= step * 2.5 * (1 + 1e-6)


@pytest.mark.parametrize("values", [[], [math.nan], [5.0, 5.0], [0.0], [-1e300, 1e300], [1e-300], [math.inf, 1.0]])
def test_limits_are_apart_whatever_the_values(values: list[float]) -> None:
    for from_zero in (False, True):
        low, high = limits([np.array(values)], from_zero=from_zero)
        assert low < high
        assert math.isfinite(low)
        assert math.isfinite(high)


def test_counts_begin_at_zero() -> None:
    assert limits([np.array([90.0, 110.0])], from_zero=True) == (0.0, 120.0)


def test_a_line_breaks_at_holes_and_at_what_is_no_number() -> None:
    x = np.array([0.0, 1, 2, 3, 20, 21, 22, 23])
    y = np.array([1.0, 2, 3, 4, 5, math.nan, 7, 8])
    pieces = [list(part) for part, _ in segments(x, y)]
    assert pieces == [[0, 1, 2, 3], [20, 22, 23]]


def test_nothing_makes_no_line() -> None:
    assert list(segments(np.array([1.0]), np.array([math.nan]))) == []
