"""The rows that everybody measures with."""

import hashlib
from typing import Literal

import numpy as np
import pytest

from bench.data import SERIES, START_NS, STEP_NS, narrow_points
from bench.producers import BESIDE_ROWS, beside_batches, small_batches, split
from bench.questions import LOOKUP_NS, hours, mixed_questions, questions


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


def test_small_batches_are_the_first_points_in_order() -> None:
    batches = small_batches(300, 5)
    assert [len(batch) for batch in batches] == [300] * 5
    assert np.concatenate([batch.series for batch in batches]).tolist() == [n % SERIES for n in range(1_500)]


def test_batches_beside_are_later_than_all_points_and_than_each_other() -> None:
    newest = narrow_points(3_000).time.max()
    for batch in beside_batches(3_000, 2, 3):
        assert len(batch) == BESIDE_ROWS
        assert batch.time.min() > newest
        newest = batch.time.max()


@pytest.mark.parametrize("kind", ["lookup", "hour"])
def test_no_question_reaches_rows_that_a_producer_writes(kind: Literal["lookup", "hour"]) -> None:
    first = min(batch.time.min() for batch in beside_batches(60_000, 0, 1))
    assert max(question.end_ns for question in questions(kind, 200, 60_000)) <= first


def test_a_lookup_covers_ten_seconds_that_hold_ten_rows() -> None:
    points = narrow_points(60_000)
    for question in questions("lookup", 50, 60_000):
        assert question.end_ns - question.start_ns == LOOKUP_NS
        times = points.time[points.series == question.series]
        assert 9 <= ((times >= question.start_ns) & (times < question.end_ns)).sum() <= 11


def test_hours_lie_anywhere_within_the_rows() -> None:
    points = narrow_points(8_000_000)
    asked = hours(20, 8_000_000)
    assert len({question.start_ns for question in asked}) == 20
    for question in asked[:3]:
        times = points.time[points.series == question.series]
        assert ((times >= question.start_ns) & (times < question.end_ns)).sum() == 3_600


def test_hours_of_less_than_an_hour_are_all_there_is() -> None:
    points = narrow_points(60_000)
    for question in hours(5, 60_000):
        times = points.time[points.series == question.series]
        assert ((times >= question.start_ns) & (times < question.end_ns)).all()


def test_mixed_questions_are_lookups_and_hours_in_turn() -> None:
    assert [question.by_minute for question in mixed_questions(4, 60_000)] == [False, True, False, True]


def test_larger_batches_beside_hold_more_seconds_and_follow_each_other() -> None:
    first, second = beside_batches(3_000, 0, 2, rows=20_000)
    assert len(first) == 20_000
    assert second.time.min() > first.time.max()
    assert np.array_equal(second.time - first.time, np.full(20_000, 20 * STEP_NS))
