"""Columns of rows as they are stored: by number, with physical types, nulls beside them, codes not yet looked up."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.inspect.codecs import BLOCK


class Physical(IntEnum):
    """How values are stored."""

    F64 = 1
    I64 = 2
    BOOL = 3
    CODE = 4
    TEXT = 5


DTYPES = {Physical.F64: np.float64, Physical.I64: np.int64, Physical.BOOL: np.bool_, Physical.CODE: np.uint32}


@dataclass(frozen=True, slots=True)
class Values:
    """Values of rows: an array of numpy or, of texts, one of Arrow. ``valid`` is None if none is null; what stands at a
    null means nothing. A code 0 is null by itself."""

    data: NDArray[Any] | pa.LargeStringArray
    valid: NDArray[np.bool_] | None = None

    @classmethod
    def null(cls, physical: Physical, rows: int) -> "Values":
        """Nothing but nulls."""
        data = pa.nulls(rows, pa.large_string()) if physical is Physical.TEXT else np.zeros(rows, DTYPES[physical])
        return cls(data, np.zeros(rows, np.bool_))


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows. Where the blocks of a column could not be read, its values are null and ``lost`` names the blocks."""

    count: int
    columns: dict[int, tuple[Physical, Values]]
    lost: dict[int, list[int]]


def joined(physical: Physical, blocks: Sequence[Values]) -> Values:
    """Values of blocks one behind the other."""
    data: Any = (
        pa.concat_arrays([block.data for block in blocks])
        if physical is Physical.TEXT
        else np.concatenate([block.data for block in blocks])
    )
    if all(block.valid is None for block in blocks):
        return Values(data)
    valid = [np.ones(len(block.data), np.bool_) if block.valid is None else block.valid for block in blocks]
    return Values(data, np.concatenate(valid))


def block_rows(rows: int, block: int) -> int:
    """How many rows a block has."""
    return min(BLOCK, rows - block * BLOCK)
