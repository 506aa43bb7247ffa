"""The log: values of L0 and the batches in them. FORMAT.md, "Blobs"."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.inspect import texts
from marigram.inspect.checksum import crc32c, crc32c_of
from marigram.inspect.codecs import BLOCK, unpack
from marigram.inspect.fields import Fields, FormatError, demand
from marigram.inspect.records import ENTITY, TIME
from marigram.inspect.values import DTYPES, Physical, Rows, Values, block_rows, joined

_HEADER = 48
_MOST_ROWS = 1 << 20
_ENTRY = np.dtype(
    [
        ("offset", "<u4"),
        ("length", "<u4"),
        ("checksum", "<u4"),
        ("nulls", "<u2"),
        ("nans", "<u2"),
        ("codec", "u1"),
        ("width", "u1"),
        ("scale", "u1"),
        ("zero", "u1", 5),
        ("least", "<u8"),
        ("greatest", "<u8"),
    ]
)
CONSTANT, RAW, INTERLEAVED, WHOLE_BYTES = range(4)

Lost = Callable[[int, int, str, int], None]
"""Told of a column, a block of it, the rule that is broken and how many rows it has."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch whose header holds; its blocks are not read yet."""

    rows: int
    least_time: int
    greatest_time: int
    columns: tuple[tuple[int, Physical, NDArray[Any]], ...]
    data: memoryview

    def read(self, lost: Lost) -> Rows:
        """All rows."""
        found: dict[int, tuple[Physical, Values]] = {}
        losses: dict[int, list[int]] = {}
        blocks = [
            self.data[entry["offset"] : entry["offset"] + entry["length"]]
            for _, _, directory in self.columns
            for entry in directory
        ]
        sums = iter(crc32c_of(blocks))
        pieces = iter(blocks)
        for number, physical, directory in self.columns:
            values = []
            for block, entry in enumerate(directory):
                rows, data = block_rows(self.rows, block), next(pieces)
                try:
                    demand(entry["checksum"] == next(sums), "the crc32c of the block holds")
                    values.append(_block(physical, entry, data, rows))
                except FormatError as error:
                    lost(number, block, str(error), rows)
                    losses.setdefault(number, []).append(block)
                    values.append(Values.null(physical, rows))
            found[number] = physical, joined(physical, values)
        self._check_times(found[TIME][1].data, losses)
        return Rows(self.rows, found, losses)

    def _check_times(self, times: NDArray[np.int64], losses: dict[int, list[int]]) -> None:
        if TIME not in losses:
            span = int(times.min()), int(times.max())
            demand(span == (self.least_time, self.greatest_time), "times lie between the directory's, and reach them")


@dataclass(frozen=True, slots=True)
class LogValue:
    """A value of ``l0``."""

    commit: int
    number: int
    batches: tuple[Batch, ...]

    @property
    def rows(self) -> int:
        """Rows of all batches."""
        return sum(batch.rows for batch in self.batches)


def read_value(key: bytes, value: memoryview) -> LogValue:
    """A value of ``l0``, headers and directories checked."""
    fields = Fields(value)
    demand((fields.u8(), fields.u8(), fields.u16()) == (1, 2, 0), "a value of l0 is of format 1 and kind 2")
    count, length, checksum = fields.u32(), fields.u32(), fields.u32()
    demand(length == len(value), f"the value says that it has {length} bytes, {len(value)} are there")
    demand(not any(fields.take(32)), "bytes reserved for encryption are 0")
    commit, number = fields.u64(), fields.u64()
    places = [memoryview(fields.take(_next_length(value, fields.at))) for _ in range(count)]
    fields.end()
    headers = (place[:_HEADER] for place in places)
    demand(checksum == crc32c(key, value[:12], value[16:64], *headers), "the crc32c over key and headers holds")
    return LogValue(commit, number, tuple(map(read_batch, places)))


def _next_length(value: memoryview, at: int) -> int:
    length = int.from_bytes(value[at + 8 : at + 12], "little")
    demand(length >= _HEADER and length % 16 == 0, "the length of a batch is a multiple of 16")
    return length


def read_batch(data: memoryview) -> Batch:
    """A batch, its header and directory checked."""
    fields = Fields(data)
    demand((fields.u8(), fields.u8(), fields.u16()) == (1, 1, 0), "a batch is of format 1 and kind 1")
    size, length, checksum = fields.u32(), fields.u32(), fields.u32()
    demand(length == len(data), "a batch is as long as it says")
    demand(not any(fields.take(32)), "bytes reserved for encryption are 0")
    directory = Fields(fields.take(size))
    demand(checksum == crc32c(data[:12], data[16 : _HEADER + size]), "the crc32c over header and directory holds")
    rows, count, least, greatest = directory.u32(), directory.u32(), directory.i64(), directory.i64()
    demand(1 <= rows <= _MOST_ROWS, f"a batch has 1 to 2²⁰ rows, not {rows}")
    numbers = []
    for _ in range(count):
        number, kind = directory.u16(), directory.u8()
        demand(kind in set(Physical) and not any(directory.take(5)), f"there is no physical type {kind}")
        numbers.append((number, Physical(kind)))
    demand(
        numbers[:2] == [(TIME, Physical.I64), (ENTITY, Physical.CODE)] and numbers == sorted(set(numbers)),
        "columns are time, entity and others ascending",
    )
    blocks = -(-rows // BLOCK)
    columns = []
    for number, physical in numbers:
        entries = np.frombuffer(directory.take(blocks * _ENTRY.itemsize), _ENTRY)
        inside = (entries["offset"] % 8 == 0) & (entries["offset"].astype(np.int64) + entries["length"] <= len(data))
        demand(inside.all() and (entries["offset"] >= _HEADER + size).all(), "blocks lie behind the directory")
        columns.append((number, physical, entries))
    directory.end()
    return Batch(rows, least, greatest, tuple(columns), data)


def _block(physical: Physical, entry: Any, data: memoryview, rows: int) -> Values:
    """A block of so many rows."""
    nulls, codec, fields = int(entry["nulls"]), int(entry["codec"]), Fields(data)
    valid = None
    if nulls and physical is not Physical.CODE:
        demand(nulls <= rows, "there are no more nulls than rows")
        if nulls == rows:
            demand(codec == CONSTANT, "what is all null is constant")
            fields.end()
            return Values.null(physical, rows)
        valid = _bits(fields, rows, padded=True)
        demand(rows - int(valid.sum()) == nulls, "as many rows are null as the directory says")
    if physical is Physical.TEXT:
        demand(codec == RAW, f"there is no codec {codec} of texts")
        lengths = np.frombuffer(fields.take(4 * rows), "<u4").astype(np.int64)
        return Values(texts.array(lengths, fields.rest()), valid)
    found = Values(_numbers(physical, codec, entry, fields, rows), valid)
    fields.end()
    _check_statistics(physical, entry, found)
    return found


def _numbers(physical: Physical, codec: int, entry: Any, fields: Fields, rows: int) -> NDArray[Any]:
    least, width = entry["least"], int(entry["width"])
    if codec == CONSTANT:
        return np.full(rows, _typed(physical, np.array([least]))[0])
    if codec == RAW:
        if physical is Physical.BOOL:
            return _bits(fields, rows, padded=False)
        demand(physical is Physical.F64, f"a raw block is none of {physical.name}")
        return np.frombuffer(fields.take(8 * rows), np.float64)
    demand(codec in (INTERLEAVED, WHOLE_BYTES), f"there is no codec {codec}")
    demand(physical in (Physical.I64, Physical.CODE), f"differences are none of {physical.name}")
    if codec == INTERLEAVED:
        word: type[np.unsignedinteger[Any]] = np.uint32 if physical is Physical.CODE else np.uint64
        demand(rows == BLOCK, "interleaved blocks are whole")
        demand(width <= np.dtype(word).itemsize * 8, f"a difference has no {width} bits")
        differences = unpack(np.frombuffer(fields.take(128 * width), word), width)
    else:
        demand(width <= 8, f"a difference has no {width} bytes")
        wide = np.zeros((rows, 8), np.uint8)
        wide[:, :width] = np.frombuffer(fields.take(rows * width), np.uint8).reshape(rows, width)
        differences = wide.view("<u8").reshape(rows)
    demand(entry["scale"] <= 19, "a power of ten has 64 bits")
    return _typed(physical, least + differences * np.uint64(10 ** int(entry["scale"])))


def _typed(physical: Physical, words: NDArray[np.uint64]) -> NDArray[Any]:
    """64-bit words as values."""
    if physical in (Physical.F64, Physical.I64):
        return words.view(DTYPES[physical])
    demand(words.max(initial=0) < 1 << (1 if physical is Physical.BOOL else 32), f"words are those of {physical.name}")
    return words.astype(DTYPES[physical])


def _bits(fields: Fields, rows: int, *, padded: bool) -> NDArray[np.bool_]:
    """One bit a row, the least significant first."""
    size = -(-rows // 64) * 8 if padded else -(-rows // 8)
    found = np.unpackbits(np.frombuffer(fields.take(size), np.uint8), bitorder="little")
    demand(not found[rows:].any(), "bits behind the last row are 0")
    return found[:rows].astype(np.bool_)


def _check_statistics(physical: Physical, entry: Any, values: Values) -> None:
    """Least, greatest and NaN are what the directory says; queries rely on them."""
    data = values.data if values.valid is None else values.data[values.valid]
    if physical is Physical.F64:
        nan = np.isnan(data)
        demand(int(nan.sum()) == entry["nans"], "as many values are NaN as the directory says")
        data = data[~nan]
    elif physical is Physical.CODE:
        demand(int((data == 0).sum()) == entry["nulls"], "as many codes are null as the directory says")
    if len(data):
        bounds = _typed(physical, np.array([entry["least"], entry["greatest"]]))
        demand((data.min(), data.max()) == tuple(bounds), "least and greatest values are what the directory says")
