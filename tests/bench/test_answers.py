"""When two contenders say the same."""

from dataclasses import replace

from bench.answers import Answers, disagreements

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
