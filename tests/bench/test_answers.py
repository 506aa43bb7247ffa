"""When two contenders say the same."""

from dataclasses import replace

import numpy as np

from bench.answers import Answers, Replies, disagreements, of_points
from bench.data import SERIES, Points

OURS = Answers(
    count=4,
    total=0.5,
    least=-1.0,
    greatest=1.0,
    magnitude=2.5,
    by_series=[2, 2],
    by_minute=[3, 1],
    minutes=[0, 60],
)


def test_equal_answers_agree_also_after_a_pipe() -> None:
    assert disagreements(OURS, Answers.from_json(OURS.to_json())) == []


def test_sums_may_differ_by_the_order_of_addition_but_no_more() -> None:
    assert disagreements(OURS, replace(OURS, total=0.5 + 2.0**-50)) == []
    assert len(disagreements(OURS, replace(OURS, total=0.5 + 2.0**-46))) == 1


def test_a_sum_that_is_no_number_agrees_with_nothing() -> None:
    assert len(disagreements(OURS, replace(OURS, total=float("nan")))) == 1


def test_extremes_are_compared_exactly() -> None:
    assert disagreements(OURS, replace(OURS, least=-1.0000000000000002)) == ["least: -1.0 against -1.0000000000000002"]


def test_the_first_series_and_minute_that_differ_are_named() -> None:
    theirs = replace(OURS, by_series=[2, 3], by_minute=[3], minutes=[0])
    assert disagreements(OURS, theirs) == [
        "by_series[1]: 2 against 3",
        "minutes: 2 entries against 1",
        "by_minute: 2 entries against 1",
    ]


def test_floats_of_replies_may_differ_in_their_last_bits_but_no_more() -> None:
    ours = Replies([[60, 20.0, 0.1 + 0.2]])
    assert disagreements(ours, Replies([(60, 20.0, 0.3)])) == []
    assert disagreements(ours, Replies([[60, 20.0, 0.3000001]])) == [
        "rows[0]: [60, 20.0, 0.30000000000000004] against [60, 20.0, 0.3000001]"
    ]


def test_integers_of_replies_are_compared_exactly_and_are_no_floats() -> None:
    ours = Replies([[1_700_000_000_000_000_000]])
    assert len(disagreements(ours, Replies([[1_700_000_000_000_000_001]]))) == 1
    assert len(disagreements(ours, Replies([[1.7e18]]))) == 1


def test_replies_of_which_rows_are_missing_agree_with_nothing() -> None:
    assert disagreements(Replies([[1], [2]]), Replies([[1]])) == ["rows: 2 against 1"]
    assert disagreements(Replies([[1, 2]]), Replies([[1]])) == ["rows[0]: [1, 2] against [1]"]


def test_replies_and_answers_about_points_are_not_compared() -> None:
    assert disagreements(OURS, Replies([])) == ["answers: Answers against Replies"]


def test_what_must_be_answered_about_points_is_counted_from_them() -> None:
    minute = 60_000_000_000
    times = np.array([0, 1, minute, minute + 1, 3 * minute])
    points = Points(times, np.array([2, 2, 0, 2, 999], dtype=np.uint16), np.array([1.0, -2.0, 0.5, 0.25, 0.25]))
    expected = of_points(points)
    assert (expected.count, expected.total, expected.least, expected.greatest, expected.magnitude) == (
        (5, 0.0, -2.0, 1.0, 4.0)
    )
    assert expected.by_series == [1, 0, 3, *[0] * (SERIES - 4), 1]
    assert (expected.minutes, expected.by_minute) == ([0, minute, 3 * minute], [2, 2, 1])


def test_the_wider_tolerance_of_two_replies_counts() -> None:
    plain = Replies([[1e9 + 1e-3]], tolerance=1e-11)
    assert disagreements(Replies([[1e9]]), plain) == []
    assert disagreements(Replies([[1e9]]), Replies([[1e9 + 1e-2]])) == [
        "rows[0]: [1000000000.0] against [1000000000.01]"
    ]
