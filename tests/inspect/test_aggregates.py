"""What parts keep beside their rows is compared with the rows: one value that is another is noticed."""

from dataclasses import replace

import numpy as np
import pytest

from marigram.inspect.aggregates import Aggregates
from marigram.inspect.reader import open_copy
from marigram.inspect.records import TIME
from marigram.inspect.values import Physical, Rows, Values
from tests.inspect.making import Written


def _rules(written: Written) -> list[str]:
    with open_copy(written.directory, salvage=True) as data:
        data.rows(data.stream("default", "all"))
        return [damage.rule for damage in data.damage]


def test_aggregates_are_there_and_hold(regular: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    levels: list[int] = []
    check = Aggregates.check

    def counted(self: Aggregates) -> None:
        levels.append(self.level_count)
        check(self)

    monkeypatch.setattr(Aggregates, "check", counted)
    assert _rules(regular) == []
    assert len(levels) == 1
    assert levels[0] >= 1


@pytest.mark.parametrize("physical", [Physical.F64, Physical.I64, Physical.BOOL])
@pytest.mark.parametrize("change", ["value", "null"])
def test_another_value_is_noticed(
    regular: Written, monkeypatch: pytest.MonkeyPatch, physical: Physical, change: str
) -> None:
    take = Aggregates.take

    def altered(self: Aggregates, rows: Rows, first: int) -> None:
        columns = dict(rows.columns)
        for number, (found, values) in rows.columns.items():
            if found is physical and number != TIME:
                columns[number] = found, _changed(values, change)
        take(self, replace(rows, columns=columns), first)

    monkeypatch.setattr(Aggregates, "take", altered)
    rules = _rules(regular)
    assert rules
    assert any("node" in rule or "each entity" in rule for rule in rules)


def _changed(values: Values, change: str) -> Values:
    """The values with the first that is there another one, or a null."""
    data = values.data.copy()
    valid = np.ones(len(data), np.bool_) if values.valid is None else values.valid.copy()
    there = valid & ~np.isnan(data) if data.dtype == np.float64 else valid
    row = int(np.flatnonzero(there)[0])
    if change == "null":
        valid[row] = False
    elif data.dtype == np.bool_:
        data[row] = not data[row]
    else:
        data[row] = data[row] + 1 if data[row] < 1e15 else data[row] / 2
    return Values(data, valid)
