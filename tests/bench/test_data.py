"""The rows that everybody measures with."""

import hashlib

import numpy as np
import pytest

from bench.data import SERIES, START_NS, STEP_NS, narrow_points
from bench.producers import split


def test_the_same_rows_come_every_time() -> None:
    once, again = narrow_points(5_000), narrow_points(5_000)
    for column in ("time", "series", "value"):
        assert getattr(once, column).tobytes() == getattr(again, column).tobytes()


def test_the_rows_are_those_of_the_published_figures() -> None:
    points = narrow_points(3_000)
    whole = points.time.tobytes() + points.series.tobytes() + np.round(points.value * 100).astype(np.int64).tobytes()
    assert hashlib.sha256(whole).hexdigest()[:16] == "dd75dd5481a9a80b"


def test_all_series_report_each_second_in_turn_within_three_milliseconds() -> None:
    points = narrow_points(4_000)
    assert points.series.tolist() == list(range(SERIES)) * 4
    jitter = points.time.reshape(4, SERIES) - (START_NS + np.arange(4) * STEP_NS)[:, None]
    assert set(np.unique(jitter)) == {n * 1_000_000 for n in range(-3, 4)}


def test_values_have_two_decimals_and_walk() -> None:
    value = narrow_points(100_000).value
    assert np.array_equal(value, np.round(value, 2))
    steps = np.diff(value.reshape(-1, SERIES), axis=0)
    assert 0.07 < steps.std() < 0.09


def test_a_part_of_a_second_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 1000, got 1500"):
        narrow_points(1_500)


def test_producers_own_their_series_and_no_row_is_lost() -> None:
    points = narrow_points(10_000)
    parts = split(points, 3, 1_000)
    for producer, batches in enumerate(parts):
        assert {int(code) % 3 for batch in batches for code in batch.series} == {producer}
        assert [len(batch) for batch in batches[:-1]] == [1_000] * (len(batches) - 1)
    times = np.concatenate([batch.time for batches in parts for batch in batches])
    assert np.array_equal(np.sort(times), np.sort(points.time))
