"""Filters of the blocks of a column of texts. FORMAT.md, "Parts".

Their shape is compared, not which texts they have: the hash, XXH3, is in no library that is here. Nothing is looked for
in them.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from marigram.inspect.fields import demand

MOST_CELLS = 36
_WORDS = 8
_CELL = 4 * _WORDS
_VALUE = 64 << 10
"""A value has as many whole bands as fit in so many bytes, and one at least."""


def bands(blocks: int, cells: int) -> list[int]:
    """How many bands each value has."""
    most = max(1, _VALUE // (_CELL * blocks))
    return [min(most, cells - first) for first in range(0, cells, most)]


def check(values: Iterable[memoryview], cells: int, texts: NDArray[np.bool_]) -> None:
    """The filters are of blocks some of which have ``texts``.

    Raises:
        FormatError: they are not.
    """
    found = np.zeros(len(texts), np.bool_)
    for value, count in zip(values, bands(len(texts), cells), strict=True):
        demand(len(value) == count * len(texts) * _CELL, "a value of filters has whole bands, of a cell a block")
        words = np.frombuffer(value, "<u4").reshape(count, len(texts), _WORDS) != 0
        some = words.any(axis=2)
        demand(np.array_equal(some, words.all(axis=2)), "a text has a bit in each word of its cell")
        found |= some.any(axis=0)
    demand(np.array_equal(found, texts), "blocks with texts have filters of them, others have not")
