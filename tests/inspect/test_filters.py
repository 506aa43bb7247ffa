"""Filters of texts: their shape is read, and compared with which blocks have texts."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from marigram.inspect import filters
from marigram.inspect.fields import FormatError
from marigram.inspect.reader import open_copy
from tests.inspect.making import Written, same

Asked = tuple[list[bytes], int, NDArray[np.bool_]]


@pytest.fixture
def asked(traced: Written, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What is checked of a part that the engine made."""
    seen: list[Asked] = []
    check = filters.check

    def noted(values: Iterable[memoryview], cells: int, texts: NDArray[np.bool_]) -> None:
        payloads = list(values)
        seen.append(([bytes(value) for value in payloads], cells, texts))
        check(payloads, cells, texts)

    monkeypatch.setattr(filters, "check", noted)
    with open_copy(traced.directory) as data:
        assert same(data.rows(data.stream("default", "all")), traced.rows["all"])
    monkeypatch.undo()
    assert len(seen) == 1
    return seen[0]


def test_filters_are_there_and_hold(asked: Asked) -> None:
    values, cells, texts = asked
    assert sum(map(len, values)) == cells * len(texts) * 32
    assert texts.tolist() == [True, True, False, False, True, True, True, True, True]


def _cut(value: bytearray) -> None:
    del value[-1:]


def _word(value: bytearray) -> None:
    place = next(at for at in range(0, len(value), 4) if any(value[at : at + 4]))
    value[place : place + 4] = bytes(4)


def _emptied(value: bytearray) -> None:
    value[:] = bytes(len(value))


def _filled(value: bytearray) -> None:
    value[:] = b"\1" * len(value)


@pytest.mark.parametrize(
    ("change", "rule"),
    [(_cut, "whole bands"), (_word, "each word"), (_emptied, "others have not"), (_filled, "others have not")],
)
def test_another_shape_is_noticed(asked: Asked, change: Callable[[bytearray], None], rule: str) -> None:
    values, cells, texts = asked
    changed = [bytearray(value) for value in values]
    change(changed[0])
    with pytest.raises(FormatError, match=rule):
        filters.check([memoryview(value) for value in changed], cells, texts)


def test_values_have_whole_bands_and_one_at_least() -> None:
    assert filters.bands(9, 36) == [36]
    assert filters.bands(100, 36) == [20, 16]
    assert filters.bands(4_096, 3) == [1, 1, 1]
