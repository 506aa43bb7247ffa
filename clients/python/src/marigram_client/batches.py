"""Batches: columns of equal length with their times and series, cut to messages of a bounded size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram_client import columns as packing
from marigram_client._pb.marigram.v1 import common_pb2
from marigram_client._pb.marigram.v1 import ingest_pb2 as pb
from marigram_client.arrays import table_columns
from marigram_client.columns import Column
from marigram_client.errors import InvalidArgument
from marigram_client.kinds import ColumnType

MOST_ROWS = 1 << 20
"""Rows a batch may have, by the contract."""

Labels = Sequence[str] | Mapping[str, object]
"""Which columns are labels, or labels by name: a text for all rows, or one a row."""

SeriesOfRows = tuple[Sequence[Mapping[str, str]], object]
"""Distinct series, each a mapping of labels, and the index of its series for each row."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as columns, checked."""

    time: NDArray[np.int64]
    columns: tuple[Column, ...]
    series: tuple[pb.Series, ...] | None = None
    index: NDArray[np.uint32] | None = None

    def __len__(self) -> int:
        return len(self.time)

    def batches(self, size_bytes: int) -> Iterator[pb.Batch]:
        """The rows in order as messages of about ``size_bytes``, none of them above twice that but for a single row."""
        row_bytes = 12 + sum(column.size_bytes for column in self.columns) / max(1, len(self))
        step = int(min(MOST_ROWS, max(1, size_bytes // row_bytes)))
        for start in range(0, len(self), step):
            yield from self._within(start, min(start + step, len(self)), 2 * size_bytes)

    def batch(self, start: int, stop: int) -> pb.Batch:
        """Rows ``[start, stop)`` as one message."""
        message = pb.Batch(rows=stop - start, time=np.ascontiguousarray(self.time[start:stop], "<i8").tobytes())
        message.columns.extend(column.cut(start, stop).packed() for column in self.columns)
        if self.series is not None and self.index is not None:
            self._put_series(message, self.series, self.index[start:stop])
        return message

    def _within(self, start: int, stop: int, most_bytes: int) -> Iterator[pb.Batch]:
        message = self.batch(start, stop)
        if message.ByteSize() <= most_bytes or stop - start == 1:
            yield message
            return
        middle = (start + stop) // 2
        yield from self._within(start, middle, most_bytes)
        yield from self._within(middle, stop, most_bytes)

    def _put_series(self, message: pb.Batch, series: tuple[pb.Series, ...], index: NDArray[np.uint32]) -> None:
        used, places = packing.used_codes(index, len(series))
        message.series.series.extend(series[number] for number in used)
        message.series.index, message.series.index_width = packing.packed_codes(places, len(used))


def read(
    table: object,
    *,
    labels: Labels | None = None,
    series: SeriesOfRows | None = None,
    types: Mapping[str, ColumnType] | None = None,
) -> Rows:
    """Rows from a mapping of columns or a data frame; one of its columns is ``time``.

    Raises:
        InvalidArgument: no ``time``, no rows, columns of unequal length, or values that no column type holds.
    """
    given = dict(table_columns(table))
    if "time" not in given:
        found = ", ".join(map(str, given)) or "none"
        raise _refused("NO_TIME", "columns", f"a column time is needed, found {found}")
    time = packing.read_times(given.pop("time"))
    if not len(time):
        raise _refused("NO_ROWS", "columns", "at least one row is needed, got 0")
    wanted: dict[str, ColumnType] = dict(types or {})
    constants: list[Column] = []
    if isinstance(labels, Mapping):
        for name, value in labels.items():
            if name in given:
                raise _refused("DUPLICATE_COLUMN", f"labels[{name}]", f"label {name} is among the columns already")
            if isinstance(value, str):
                constants.append(packing.constant(name, value, len(time)))
            else:
                given[name] = value
    for name in labels or ():
        if name not in given and not any(name == column.name for column in constants):
            raise _refused("UNKNOWN_COLUMN", f"labels[{name}]", f"label {name} must be one of the columns")
        wanted[name] = "label"
    read_in = [packing.read(str(name), data, wanted.get(name)) for name, data in given.items()]
    columns = [column for column in read_in if column is not None]
    for column in columns:
        if len(column) != len(time):
            rule = f"columns must be as long as time, which has {len(time)} rows"
            raise _refused("UNEQUAL_LENGTHS", f"columns[{column.name}]", f"{rule}; {column.name} has {len(column)}")
    return Rows(time, (*columns, *constants), *_series(series, len(time)))


def _series(given: SeriesOfRows | None, rows: int) -> tuple[tuple[pb.Series, ...] | None, NDArray[np.uint32] | None]:
    if given is None:
        return None, None
    series = tuple(_labelled(place, labels) for place, labels in enumerate(given[0]))
    index: NDArray[Any] = np.asarray(given[1])
    if index.dtype.kind not in "iu" or index.shape != (rows,):
        found = f"{index.dtype} of shape {index.shape}"
        raise _refused("UNEQUAL_LENGTHS", "series", f"the index of series must be {rows} integers, got {found}")
    if index.min() < 0 or index.max() >= len(series):
        found = f"{index.min()} to {index.max()}"
        raise _refused("INDEX_OUT_OF_RANGE", "series", f"indices must name one of {len(series)} series, got {found}")
    return series, index.astype(np.uint32)


def _labelled(place: int, labels: Mapping[str, str]) -> pb.Series:
    try:
        return pb.Series(labels=[common_pb2.Label(name=name, value=value) for name, value in labels.items()])
    except (AttributeError, TypeError, UnicodeEncodeError) as error:
        rule = "a series must be a mapping of labels to texts"
        raise _refused("TYPE_MISMATCH", f"series[{place}]", f"{rule}, got {labels!r}") from error


def _refused(reason: str, field: str, message: str) -> InvalidArgument:
    return InvalidArgument(message, reason=reason, field=field)
