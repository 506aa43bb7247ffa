"""How figures become a ratio, a verdict and a line."""

import json
from collections.abc import Mapping

import pytest

from bench.answers import Answers
from bench.harness import OURS, Absent, Case, Contender, Measurement, Result, Size, gathered, measure, ratio


class Scripted:
    """A contender whose rounds are known, and that notes when it runs and closes."""

    def __init__(
        self,
        name: str,
        values: list[float],
        diary: list[str],
        answers: Answers | None = None,
        wrong: tuple[str, ...] = (),
    ) -> None:
        self._name = name
        self._values = iter(values)
        self._diary = diary
        self._answers = answers
        self._wrong = wrong

    def round(self) -> Measurement:
        self._diary.append(self._name)
        return Measurement(next(self._values), self._answers, {"p99_ms": 2.0}, self._wrong)

    def close(self) -> None:
        self._diary.append(f"{self._name} closed")


def answers(count: int = 3, total: float = 6.0) -> Answers:
    return Answers(
        count=count, total=total, least=1.0, greatest=3.0, magnitude=6.0, by_series=[3], by_minute=[3], minutes=[0]
    )


def nobody(_: Size) -> Mapping[str, Contender]:
    return {}


def case(contenders: Mapping[str, Contender], *, bigger_is_better: bool = True, target: float | None = 1.5) -> Case:
    return Case(
        name="group/detail",
        unit="rows/s" if bigger_is_better else "s",
        bigger_is_better=bigger_is_better,
        target=target,
        contenders=lambda _: contenders,
        rounds={"small": 2, "full": 2},
    )


def result(ours: float, peer: float, *, size: Size = "full", bound: float | None = None, better: bool = True) -> Result:
    asked = Case("g/d", "u", better, 2.0, nobody, bound)
    figures = {OURS: ours, "peer": peer}
    return Result(asked, size, best=figures, median=figures, also={}, wrong=())


def test_of_rates_the_greater_one_is_better() -> None:
    assert ratio(30.0, [10.0, 15.0], bigger_is_better=True) == 2.0


def test_of_times_the_smaller_one_is_better() -> None:
    assert ratio(5.0, [20.0, 10.0], bigger_is_better=False) == 2.0


def test_a_figure_of_zero_has_no_ratio() -> None:
    with pytest.raises(ValueError, match="positive"):
        ratio(0.0, [1.0], bigger_is_better=True)


def test_contenders_run_in_turn_and_the_best_round_of_each_counts() -> None:
    diary: list[str] = []
    contenders = {OURS: Scripted("a", [8.0, 9.0], diary), "peer": Scripted("b", [3.0, 2.0], diary)}
    measured = measure(case(contenders), "full")
    assert diary == ["a", "b", "a", "b", "a closed", "b closed"]
    assert measured.ratio == 3.0
    assert measured.median_ratio == 8.5 / 2.5


def test_the_line_is_one_of_json_with_the_agreed_fields() -> None:
    diary: list[str] = []
    contenders = {OURS: Scripted("a", [8.0, 9.0], diary), "peer": Scripted("b", [3.0, 2.0], diary)}
    line = json.loads(json.dumps(measure(case(contenders), "full").to_json()))
    assert line == {
        "case": "group/detail",
        "ours": 9.0,
        "peers": {"peer": 3.0},
        "unit": "rows/s",
        "median": {"ours": 8.5, "peer": 2.5},
        "ratio": 3.0,
        "target": 1.5,
        "ok": True,
        "also": {"ours": {"p99_ms": 2.0}, "peer": {"p99_ms": 2.0}},
    }


def test_answers_that_differ_are_not_ok_at_any_size() -> None:
    diary: list[str] = []
    contenders = {
        OURS: Scripted("a", [8.0, 9.0], diary, answers(count=3)),
        "peer": Scripted("b", [3.0, 2.0], diary, answers(count=4)),
    }
    measured = measure(case(contenders), "small")
    assert not measured.ok
    assert measured.wrong == ["round 1, peer: count: 3 against 4", "round 2, peer: count: 3 against 4"]


def test_what_a_contender_finds_wrong_itself_is_told_and_not_ok() -> None:
    diary: list[str] = []
    contenders = {OURS: Scripted("a", [8.0, 9.0], diary, wrong=("rows are missing",))}
    measured = measure(case(contenders, target=None), "small")
    assert not measured.ok
    assert measured.to_json()["wrong"] == ["round 1, ours: rows are missing", "round 2, ours: rows are missing"]


def test_a_contender_that_fails_does_not_keep_the_others_open() -> None:
    diary: list[str] = []
    contenders = {OURS: Scripted("a", [], diary), "peer": Scripted("b", [3.0], diary)}
    with pytest.raises(StopIteration):
        measure(case(contenders), "full")
    assert diary == ["a", "a closed", "b closed"]


class Lost(Scripted):
    """A contender whose process has ended: it cannot be closed either."""

    def close(self) -> None:
        raise BrokenPipeError


def test_of_several_failures_the_first_is_told() -> None:
    with pytest.raises(StopIteration):
        measure(case({OURS: Lost("a", [], [])}), "full")
    with pytest.raises(BrokenPipeError):
        measure(case({OURS: Lost("a", [8.0, 9.0], [])}), "full")


def test_a_missed_target_counts_at_full_size_only() -> None:
    assert not result(15.0, 10.0).ok
    assert result(15.0, 10.0, size="small").ok
    assert result(20.0, 10.0).ok


def test_a_bound_is_a_second_condition() -> None:
    assert not result(200.0, 500.0, bound=150.0, better=False).ok
    assert result(150.0, 500.0, bound=150.0, better=False).ok
    assert not result(20.0, 5.0, bound=30.0).ok


def test_only_judged_peers_make_the_ratio() -> None:
    asked = Case("g/d", "u", True, None, nobody, judged=("tuned",))
    figures = {OURS: 30.0, "tuned": 10.0, "shown": 60.0}
    measured = Result(asked, "full", best=figures, median=figures, also={}, wrong=())
    assert measured.ratio == 3.0
    assert measured.to_json()["peers"] == {"tuned": 10.0, "shown": 60.0}


def test_a_floor_against_one_peer_is_a_condition_beside_the_ratio() -> None:
    asked = Case("g/d", "ms", False, 2.0, nobody, judged=("tuned",), floors={"quick": 0.8})
    figures = {OURS: 1.0, "tuned": 3.0, "quick": 0.7}
    measured = Result(asked, "full", best=figures, median=figures, also={}, wrong=())
    assert not measured.ok
    assert measured.to_json()["floors"] == {"quick": {"ratio": 0.7, "target": 0.8}}
    assert Result(asked, "full", {**figures, "quick": 0.8}, figures, {}, ()).ok


def test_a_floor_against_a_peer_that_is_absent_is_none() -> None:
    asked = Case("g/d", "ms", False, 2.0, nobody, judged=("tuned",), floors={"quick": 0.8})
    figures = {OURS: 1.0, "tuned": 3.0}
    measured = Result(asked, "full", best=figures, median=figures, also={}, wrong=())
    assert measured.ok
    assert measured.to_json()["floors"] == {"quick": {"ratio": None, "target": 0.8}}


def test_a_peer_that_is_not_installed_is_named_and_not_measured() -> None:
    contenders: dict[str, Contender] = {
        OURS: Scripted("a", [8.0, 9.0], []),
        "peer": Scripted("b", [3.0, 2.0], []),
        "gone": Absent("no such"),
    }
    line = measure(case(contenders), "full").to_json()
    assert line["absent"] == {"gone": "no such"}
    assert line["peers"] == {"peer": 3.0}
    assert line["ratio"] == 3.0


def test_contenders_that_were_made_are_closed_when_a_later_one_cannot_be() -> None:
    diary: list[str] = []

    def fail() -> Contender:
        raise RuntimeError("no room")

    with pytest.raises(RuntimeError, match="no room"):
        gathered({OURS: lambda: Scripted("a", [], diary), "peer": fail})
    assert diary == ["a closed"]
