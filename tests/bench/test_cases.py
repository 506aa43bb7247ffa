"""What the cases have in common."""

import pytest

from bench.cases import CASES
from bench.cases.clickbench import Mean
from bench.harness import Measurement


class Takes:
    """A contender whose rounds take so long, and that notes when it is there."""

    def __init__(self, value: float, diary: list[str]) -> None:
        self._value = value
        self._diary = diary
        diary.append(f"{value:g} made")

    def round(self) -> Measurement:
        return Measurement(self._value)

    def close(self) -> None:
        self._diary.append(f"{self._value:g} closed")


def test_no_two_cases_have_the_same_name() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_a_peer_with_a_floor_is_not_judged_as_well() -> None:
    assert [case.name for case in CASES if set(case.floors) & set(case.judged or ())] == []


def test_the_quickest_of_each_shape_makes_the_geometric_mean() -> None:
    diary: list[str] = []
    slow, quick, alone = (lambda value=value: Takes(value, diary) for value in (9.0, 4.0, 16.0))
    assert Mean([[slow, quick], [alone]]).round().value == pytest.approx(8.0)
    assert diary == ["9 made", "9 closed", "4 made", "4 closed", "16 made", "16 closed"]
