"""What parts keep of their rows beside them: ends of entities' rows, and nodes. FORMAT.md, "Parts".

Nothing is read from it; it is compared with the rows, since queries rely on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.inspect import codecs
from marigram.inspect.fields import Fields, demand
from marigram.inspect.records import ENTITY, TIME
from marigram.inspect.values import Physical, Rows

_SUMS, _NULLS, _NANS = 1, 2, 4
_TOLERANCE = 1e-12

Integers = NDArray[np.int64]
Value = Callable[[int, int], Fields]
"""A value of aggregates, by its column and number."""


@dataclass(slots=True)
class _Level:
    """Windows of one width, entity by entity, and by column what is said of each."""

    width: int
    starts: Integers
    windows: Integers
    nodes: dict[int, "_Nodes"] = field(default_factory=dict)


class _Nodes:
    """What is said of a column's values in the nodes of a level, and what its rows come to."""

    def __init__(self, fields: Fields, physical: Physical, level: _Level) -> None:
        count = len(level.windows)
        rows = np.diff(level.starts)
        flags = fields.u8()
        demand(flags < 8, f"there are no flags {flags}")
        self._nulls = codecs.integer_array(fields, count) if flags & _NULLS else np.zeros(count, np.int64)
        self._nans = codecs.integer_array(fields, count) if flags & _NANS else np.zeros(count, np.int64)
        read: Callable[[Fields, int], NDArray[Any]] = codecs.integer_array
        if physical is Physical.F64:
            read = codecs.double_array
        self._least, self._greatest = read(fields, count), read(fields, count)
        self._sums = read(fields, count) if flags & _SUMS else None
        fields.end()
        if physical is not Physical.F64:
            self._greatest = self._greatest + self._least
            if self._sums is not None:
                present = (rows - self._nulls - self._nans).tolist()
                bounds = zip(present, self._least.tolist(), self._greatest.tolist(), strict=True)
                even = [_toward_zero((least + greatest) * n) for n, least, greatest in bounds]
                self._sums = self._sums + np.array([_wrapped(value) for value in even], np.int64)
        dtype = self._least.dtype
        bounds_of = np.finfo(np.float64) if dtype == np.float64 else np.iinfo(np.int64)
        most = np.inf if dtype == np.float64 else bounds_of.max
        fewest = -np.inf if dtype == np.float64 else bounds_of.min
        self._absent = (np.zeros(count, np.int64), np.zeros(count, np.int64))
        self._found = np.full(count, most, dtype), np.full(count, fewest, dtype), np.zeros(count, dtype)
        self._magnitude = np.zeros(count)
        self._ends = most, fewest

    def take(self, level: _Level, first: int, data: NDArray[Any], valid: NDArray[np.bool_]) -> None:
        """Rows from the ``first`` on."""
        low = int(np.searchsorted(level.starts, first, "right")) - 1
        high = int(np.searchsorted(level.starts, first + len(data), "left"))
        cuts = np.maximum(level.starts[low:high] - first, 0)
        nan = valid & np.isnan(data) if data.dtype == np.float64 else np.zeros(len(data), np.bool_)
        present = valid & ~nan
        some = slice(low, high)
        self._absent[0][some] += np.add.reduceat((~valid).astype(np.int64), cuts)
        self._absent[1][some] += np.add.reduceat(nan.astype(np.int64), cuts)
        least, greatest, sums = self._found
        least[some] = np.minimum(least[some], np.minimum.reduceat(np.where(present, data, self._ends[0]), cuts))
        greatest[some] = np.maximum(greatest[some], np.maximum.reduceat(np.where(present, data, self._ends[1]), cuts))
        if self._sums is not None:
            known = np.where(present, data, 0)
            sums[some] += np.add.reduceat(known, cuts)
            self._magnitude[some] += np.add.reduceat(np.abs(known.astype(np.float64)), cuts)

    def check(self) -> None:
        """What is said is what the rows came to."""
        demand(np.array_equal(self._nulls, self._absent[0]), "as many rows of each node are null as it says")
        demand(np.array_equal(self._nans, self._absent[1]), "as many values of each node are NaN as it says")
        least, greatest, sums = self._found
        known = least <= greatest
        bounds = np.array_equal(self._least[known], least[known])
        demand(
            bounds and np.array_equal(self._greatest[known], greatest[known]), "nodes' least and greatest are the rows'"
        )
        if self._sums is None:
            return
        if sums.dtype == np.float64:
            close = np.abs(self._sums - sums) <= self._magnitude * _TOLERANCE
            demand(bool(close[known].all()), "nodes' sums are near the rows'")
        else:
            demand(np.array_equal(self._sums[known], sums[known]), "nodes' sums are the rows'")


class _Ends:
    """What is said of a column's first and last value of each entity, and what its rows have."""

    def __init__(self, fields: Fields, physical: Physical, lengths: Integers) -> None:
        count = len(lengths)
        read: Callable[[Fields, int], NDArray[Any]] = codecs.integer_array
        if physical is Physical.F64:
            read = codecs.double_array
        self._before, self._first = codecs.integer_array(fields, count), read(fields, count)
        self._behind, self._last = codecs.integer_array(fields, count), read(fields, count)
        fields.end()
        self._lengths = lengths
        self._found = lengths.copy(), self._first.copy(), lengths.copy(), self._last.copy()

    def take(self, begins: Integers, first: int, data: NDArray[Any], present: NDArray[np.bool_]) -> None:
        """Rows from the ``first`` on."""
        rows = np.flatnonzero(present)
        before, first_values, behind, last_values = self._found
        runs, places = np.unique(np.searchsorted(begins, rows + first, "right") - 1, return_index=True)
        new = before[runs] == self._lengths[runs]
        runs_new, rows_new = runs[new], rows[places[new]]
        before[runs_new], first_values[runs_new] = rows_new + first - begins[runs_new], data[rows_new]
        last_rows = rows[np.append(places[1:], len(rows)) - 1] if len(runs) else rows
        behind[runs] = begins[runs] + self._lengths[runs] - 1 - (last_rows + first)
        last_values[runs] = data[last_rows]

    def check(self) -> None:
        """What is said is what the rows have."""
        before, first_values, behind, last_values = self._found
        demand(np.array_equal(self._before, before), "the first value of each entity is where it says")
        demand(np.array_equal(self._behind, behind), "the last value of each entity is where it says")
        same = np.array_equal(self._first, first_values) and np.array_equal(self._last, last_values)
        demand(same, "first and last values of each entity are the rows'")


class Aggregates:
    """Aggregates of a part, compared with its rows as they are read.

    Args:
        value: reads one; of the column of entities number 0 holds the times of ends, each other a level.
        counts: how many values each column has.
        physical: of those columns.
        lengths: rows of each entity.
    """

    def __init__(
        self, value: Value, counts: Mapping[int, int], physical: Mapping[int, Physical], lengths: Integers
    ) -> None:
        self._lengths = lengths
        self._begins = np.cumsum(lengths) - lengths
        rows = int(lengths.sum())
        fields = value(ENTITY, 0)
        widths = [fields.varint() for _ in range(fields.varint())]
        self._first = codecs.integer_array(fields, len(lengths))
        self._last = codecs.integer_array(fields, len(lengths))
        fields.end()
        demand(len(widths) + 1 == counts[ENTITY], "there is a level of each width")
        self._levels = [_level(value(ENTITY, number), rows) for number in range(1, counts[ENTITY])]
        demand([level.width for level in self._levels] == widths, "levels are of the widths that are named")
        self._ends: dict[int, _Ends] = {}
        for column, count in counts.items():
            if column == ENTITY:
                continue
            demand(count == counts[ENTITY], "a column has ends and all levels")
            self._ends[column] = _Ends(value(column, 0), physical[column], lengths)
            for number, level in enumerate(self._levels, start=1):
                level.nodes[column] = _Nodes(value(column, number), physical[column], level)

    @property
    def level_count(self) -> int:
        """How many widths windows have."""
        return len(self._levels)

    def take(self, rows: Rows, first: int) -> None:
        """Rows from the ``first`` on."""
        times = rows.columns[TIME][1].data
        if TIME not in rows.lost:
            begins, ends = self._begins - first, self._begins + self._lengths - 1 - first
            for places, said in ((begins, self._first), (ends, self._last)):
                here = (places >= 0) & (places < rows.count)
                demand(np.array_equal(times[places[here]], said[here]), "times of ends are the rows'")
            for level in self._levels:
                lengths = np.minimum(level.starts[1:], first + rows.count) - np.maximum(level.starts[:-1], first)
                windows = np.repeat(level.windows, np.clip(lengths, 0, None))
                demand(np.array_equal(times // level.width, windows), "rows of a node are of its window")
        for column in list(self._ends):
            if column in rows.lost:
                del self._ends[column]
                for level in self._levels:
                    del level.nodes[column]
                continue
            values = rows.columns[column][1]
            data = values.data.astype(np.int64) if values.data.dtype == np.bool_ else values.data
            valid = np.ones(rows.count, np.bool_) if values.valid is None else values.valid
            present = valid & ~np.isnan(data) if data.dtype == np.float64 else valid
            self._ends[column].take(self._begins, first, data, present)
            for level in self._levels:
                level.nodes[column].take(level, first, data, valid)

    def check(self) -> None:
        """All rows were taken: what is said of columns none of whose rows are lost is so."""
        for ends in self._ends.values():
            ends.check()
        for level in self._levels:
            demand(bool(np.isin(self._begins, level.starts).all()), "a node has rows of one entity")
            for nodes in level.nodes.values():
                nodes.check()


def _level(fields: Fields, rows: int) -> _Level:
    width, count = fields.varint(), fields.varint()
    demand(width > 0, "a width is positive")
    lengths = codecs.integer_array(fields, count)
    windows = codecs.integer_array(fields, count)
    fields.end()
    demand(bool((lengths > 0).all()) and int(lengths.sum()) == rows, "nodes have all rows")
    return _Level(width, np.concatenate([[0], np.cumsum(lengths)]), windows)


def _toward_zero(twice: int) -> int:
    return twice // 2 if twice >= 0 else -(-twice // 2)


def _wrapped(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)
