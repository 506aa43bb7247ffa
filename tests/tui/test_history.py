"""The last minutes of a figure."""

import math

import pytest

from marigram_tui.history import History


def test_a_column_is_the_greatest_of_its_span() -> None:
    history = History(60)
    for second, value in enumerate((1.0, 5.0, 2.0, 3.0)):
        history.put(second, value)
    assert history.columns(2, 2, 3) == [5.0, 3.0]


def test_columns_move_as_a_whole() -> None:
    history = History(60)
    for second in range(10):
        history.put(second, float(second))
    before = history.columns(4, 2, 8)
    history.put(10, 0.0)
    assert history.columns(4, 2, 10) == [*before[1:], 0.0]


def test_a_missed_second_is_filled_and_a_long_hole_is_not() -> None:
    history = History(60)
    history.put(0, 1.0)
    history.put(2, 3.0)
    history.put(12, 4.0)
    columns = history.columns(13, 1, 12)
    assert columns[:3] == [1.0, 3.0, 3.0]
    assert all(math.isnan(value) for value in columns[3:12])
    assert columns[12] == 4.0


def test_what_is_older_than_the_ring_is_gone() -> None:
    history = History(5)
    for second in range(20):
        history.put(second, float(second))
    columns = history.columns(10, 1, 19)
    assert all(math.isnan(value) for value in columns[:5])
    assert columns[5:] == [15.0, 16.0, 17.0, 18.0, 19.0]


@pytest.mark.parametrize(("now", "last"), [(10, 1.0), (13, 1.0), (14, math.nan)])
def test_figures_on_their_way_are_no_hole(now: int, last: float) -> None:
    history = History(60)
    history.put(10, 1.0)
    assert history.columns(1, 1, now) == pytest.approx([last], nan_ok=True)


def test_without_figures_all_is_a_hole() -> None:
    assert all(math.isnan(value) for value in History().columns(5, 2, 100))
