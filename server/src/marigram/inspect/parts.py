"""Parts: files of sealed rows. FORMAT.md, "Parts"."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.inspect import codecs, filters, texts
from marigram.inspect.aggregates import Aggregates
from marigram.inspect.checksum import crc32c, crc32c_of
from marigram.inspect.codecs import BLOCK
from marigram.inspect.damage import Damage, Damages
from marigram.inspect.fields import Fields, FormatError, demand
from marigram.inspect.frames import FORMAT
from marigram.inspect.pages import Pages
from marigram.inspect.records import ENTITY, TIME, PartRecord
from marigram.inspect.values import DTYPES, Physical, Rows, Values, block_rows, joined

_HEADER = 48
_PAGE, _PAGE_HEADER = 4_096, 16
_SMALL = 1_900
_PLACES, _SUMS, _AGGREGATES, _FILTERS = 1, 2, 4, 8
"""Flags of a footer."""
_AT_ONCE = 256
"""Blocks of each column that are read together: a part may have 16,384."""


class Kind(IntEnum):
    """The kind of a record."""

    BLOB = 3
    FOOTER = 4
    CODES = 5
    RUNS = 6
    AGGREGATES = 7
    ROOT = 8
    FILTERS = 9


@dataclass(frozen=True, slots=True)
class RootColumn:
    """A column that a root names, and what proves its footer and codes whole."""

    number: int
    physical: Physical
    footer_checksum: int
    codes_checksum: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Root:
    """What a part is."""

    store: int
    namespace: int
    stream: int
    part: int
    tile_start: int
    tile_width: int
    rows: int
    least_time: int
    greatest_time: int
    first_value: int
    next_value: int
    commit: int
    schema_version: int
    made_at: int
    blobs: int
    columns: tuple[RootColumn, ...]
    runs_checksum: int


@dataclass(frozen=True, slots=True)
class Footer:
    """Where the blocks of a column are, as bytes, and what is known of them."""

    blocks: list[memoryview]
    checksums: NDArray[np.uint32]
    nulls: NDArray[np.int64]
    nans: NDArray[np.int64] | None
    least: NDArray[Any] | None
    greatest: NDArray[Any] | None
    sums: NDArray[Any] | None
    places: bool
    aggregates: tuple[int, ...]
    cells: int
    filters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column whose blocks are about to be read; without a footer, none can be."""

    number: int
    physical: Physical
    footer: Footer | None
    codes: NDArray[np.uint32] | None


class Part:
    """A part, open for reading.

    Raises:
        Damage: it is not there, or its root is not what its record says.
    """

    def __init__(
        self, folder: Path, stream: tuple[int, int], record: PartRecord, store: int | None, damages: Damages
    ) -> None:
        name = f"{stream[0]}-{stream[1]}-{record.part}.mdb"
        self.file = f"{folder.name}/{name}"
        self._identity = struct.pack(">IIQ", *stream, record.part)
        self._record = record
        self._damages = damages
        self._blobs: dict[int, memoryview] = {}
        try:
            path = folder / name
            demand(path.is_file(), "a part that the table parts names is there")
            size = path.stat().st_size
            demand(size == record.size_bytes, f"the file has {record.size_bytes} bytes by its record, {size} are there")
            pages = Pages(path)
            self._values = dict(pages.entries(pages.main, self._told))
            self.root = self._read_root(stream, store)
        except FormatError as error:
            raise Damage(self.file, "the file", str(error), record.rows) from None

    def _told(self, place: str, rule: str) -> None:
        self._damages.add(Damage(self.file, place, rule))

    def slices(self) -> Iterator[Rows]:
        """All rows, in their order, some at a time. What cannot be read is damage."""
        columns = [self._opened(column) for column in self.root.columns]
        order: _Order | None = None
        beside: Aggregates | None = None
        with self._damages.at(self.file, "runs"):
            entities, lengths = self._runs()
            order = _Order(entities, lengths)
            with self._damages.at(self.file, "aggregates"):
                beside = self._aggregates(columns, lengths)
        for column in columns:
            with self._damages.at(self.file, f"column {column.number}, filters"):
                self._check_filters(column)
        blocks = -(-self.root.rows // BLOCK)
        for start in range(0, blocks, _AT_ONCE):
            some = range(start, min(blocks, start + _AT_ONCE))
            found: dict[int, tuple[Physical, Values]] = {}
            losses: dict[int, list[int]] = {}
            for column in columns:
                values, lost = self._values_of(column, some)
                found[column.number] = column.physical, values
                if lost:
                    losses[column.number] = lost
            first = start * BLOCK
            rows = Rows(min(self.root.rows, some.stop * BLOCK) - first, found, losses)
            if order is not None:
                with self._damages.at(self.file, f"rows from {first:,} on"):
                    order.check(rows, first)
            if beside is not None:
                with self._damages.at(self.file, f"aggregates of rows from {first:,} on"):
                    beside.take(rows, first)
            yield rows
        if beside is not None:
            with self._damages.at(self.file, "aggregates"):
                beside.check()
        if order is not None and order.whole:
            with self._damages.at(self.file, "the rows"):
                bounds = self.root.least_time, self.root.greatest_time
                demand((order.least, order.greatest) == bounds, "least and greatest time are the root's")

    # Records.

    def _value(self, kind: Kind, column: int, number: int, *, payload: bool = True) -> tuple[int, memoryview]:
        """The checksum of a value, which holds, and its payload."""
        key = struct.pack(">BHI", kind, column, number)
        value = self._values.get(key, memoryview(b""))
        demand(len(value), f"there is a record {kind.name.lower()} of column {column}, number {number}")
        fields = Fields(value)
        found = fields.u8(), fields.u8(), fields.u16()
        demand(found == (FORMAT, kind, 0), f"a value is of format {FORMAT} and the kind of its key, {kind.value}")
        size, zero, checksum, reserved = fields.u32(), fields.u32(), fields.u32(), fields.take(32)
        demand(zero == 0 and not any(reserved), "what is reserved is 0")
        data = fields.take(size)
        covered = data if payload else b""
        demand(checksum == crc32c(self._identity, key, value[:12], reserved, covered), "the crc32c of the value holds")
        padding = fields.rest()
        whole = (len(value) + _PAGE_HEADER) % _PAGE == 0 and len(padding) < _PAGE
        demand(
            whole if _HEADER + size > _SMALL else not padding, f"values of more than {_SMALL} bytes fill whole pages"
        )
        demand(not any(padding), "a value ends with zeros")
        return checksum, data

    def _read_root(self, stream: tuple[int, int], store: int | None) -> Root:
        record = self._record
        checksum, data = self._value(Kind.ROOT, 0, 0)
        demand(checksum == record.root_checksum, "the crc32c of the root is that of its record")
        fields = Fields(data)
        head = fields.u128(), fields.u32(), fields.u32(), fields.u64(), fields.i64(), fields.i64(), fields.u64()
        times = fields.i64(), fields.i64()
        tail = fields.u64(), fields.u64(), fields.u64(), fields.u64(), fields.i64(), fields.u32()
        columns = []
        for _ in range(fields.u16()):
            number, kind, zero = fields.u16(), fields.u8(), fields.u8()
            demand(kind in set(Physical) and zero == 0, f"there is no physical type {kind}")
            columns.append(RootColumn(number, Physical(kind), fields.u32(), fields.u32(), fields.u64()))
        root = Root(*head, *times, *tail, tuple(columns), fields.u32())
        fields.end()
        demand(store is None or root.store == store, "the part is this store's")
        demand((root.namespace, root.stream, root.part) == (*stream, record.part), "the part is its record's")
        told = root.tile_start, root.tile_width, root.rows, root.least_time, root.greatest_time
        said = record.tile_start, record.tile_width, record.rows, record.least_time, record.greatest_time
        demand(told == said, "tile, rows and times are those of the record")
        demand(
            (root.first_value, root.next_value) == (record.first_value, record.next_value), "L0 values are the record's"
        )
        demand((root.commit, root.made_at) == (record.commit, record.made_at), "commit and making are the record's")
        demand(
            # Windows may begin before the tile of their rows.
            record.rollup is not None
            or root.tile_start <= root.least_time <= root.greatest_time < root.tile_start + root.tile_width,
            "times lie within the tile",
        )
        numbers = [(column.number, column.physical) for column in root.columns]
        demand(
            numbers[:2] == [(TIME, Physical.I64), (ENTITY, Physical.CODE)] and numbers == sorted(set(numbers)),
            "columns are time, entity and others ascending",
        )
        return root

    def _footer(self, column: RootColumn) -> Footer:
        checksum, data = self._value(Kind.FOOTER, column.number, 0)
        demand(checksum == column.footer_checksum, "the crc32c of the footer is the root's")
        fields = Fields(data)
        number, physical, flags, count = fields.u16(), fields.u8(), fields.u8(), fields.u32()
        demand((number, physical) == (column.number, column.physical), "a footer is that of its column")
        demand(flags < 16, f"there are no flags {flags}")
        demand(count == -(-self.root.rows // BLOCK), "there is a block for each 1,024 rows")
        pieces = [(fields.varint(), fields.varint(), fields.varint()) for _ in range(fields.varint())]
        lengths = codecs.integer_array(fields, count)
        demand(
            (lengths >= 0).all() and lengths.sum() == column.size_bytes, "blocks have as many bytes as the root says"
        )
        checksums = np.frombuffer(fields.take(4 * count), "<u4")
        nulls = codecs.integer_array(fields, count)
        read: Callable[[Fields, int], NDArray[Any]] = codecs.integer_array
        nans = None
        if column.physical is Physical.F64:
            nans, read = codecs.integer_array(fields, count), codecs.double_array
        has_bounds = column.physical is not Physical.TEXT
        least, greatest = (read(fields, count), read(fields, count)) if has_bounds else (None, None)
        sums = read(fields, count) if flags & _SUMS else None
        aggregates = [fields.u32() for _ in range(fields.varint())] if flags & _AGGREGATES else []
        cells, sieves = 0, list[int]()
        if flags & _FILTERS:
            cells = fields.varint()
            demand(0 < cells <= filters.MOST_CELLS, f"a filter has 1 to {filters.MOST_CELLS} cells")
            demand(column.physical is Physical.TEXT, "filters are of texts")
            sieves = [fields.u32() for _ in filters.bands(count, cells)]
        fields.end()
        blocks = self._blocks(pieces, lengths)
        places, beside = bool(flags & _PLACES), tuple(aggregates)
        return Footer(blocks, checksums, nulls, nans, least, greatest, sums, places, beside, cells, tuple(sieves))

    def _blocks(self, pieces: list[tuple[int, int, int]], lengths: NDArray[np.int64]) -> list[memoryview]:
        blocks: list[memoryview] = []
        for blob, offset, count in pieces:
            demand(blob < self.root.blobs, f"there are {self.root.blobs} blobs")
            if blob not in self._blobs:
                self._blobs[blob] = self._blob(blob)
            fields = Fields(self._blobs[blob][offset:])
            some = lengths[len(blocks) : len(blocks) + count].tolist()
            blocks += [fields.take(length) if self._blobs[blob] else memoryview(b"") for length in some]
        demand(len(blocks) == len(lengths), "pieces hold all blocks")
        return blocks

    def _blob(self, number: int) -> memoryview:
        """The payload of a blob; nothing if it has no header that holds, so that none of its blocks do."""
        try:
            return self._value(Kind.BLOB, 0, number, payload=False)[1]
        except FormatError:
            return memoryview(b"")

    # Columns.

    def _opened(self, column: RootColumn) -> "_Column":
        """A column's footer and codes; no footer if one of them is lost."""
        where, rows = f"column {column.number}", self.root.rows
        with self._damages.at(self.file, f"{where}, footer", rows):
            footer = self._footer(column)
            with self._damages.at(self.file, f"{where}, codes", rows):
                return _Column(column.number, column.physical, footer, self._codes(column) if footer.places else None)
        return _Column(column.number, column.physical, None, None)

    def _values_of(self, column: "_Column", blocks: range) -> tuple[Values, list[int]]:
        """The values of some blocks, and which of these, from the first on, are lost."""
        physical, footer, codes = column.physical, column.footer, column.codes
        counts = [block_rows(self.root.rows, block) for block in blocks]
        if footer is None:
            return Values.null(physical, sum(counts)), list(range(len(blocks)))
        sums = crc32c_of(footer.blocks[blocks.start : blocks.stop])
        values, lost = [], []
        for index, (block, some) in enumerate(zip(blocks, counts, strict=True)):
            try:
                demand(footer.checksums[block] == sums[index], "the crc32c of the block holds")
                found = _block(physical, footer.blocks[block], some, int(footer.nulls[block]))
                _check_statistics(physical, footer, block, found)
                if codes is not None:
                    demand(found.data.max(initial=0) < len(codes), "places are those of the column's codes")
                    found = Values(codes[found.data])
                values.append(found)
            except FormatError as error:
                self._damages.add(Damage(self.file, f"column {column.number}, block {block}", str(error), some))
                lost.append(index)
                values.append(Values.null(physical, some))
        return joined(physical, values), lost

    def _codes(self, column: RootColumn) -> NDArray[np.uint32]:
        checksum, data = self._value(Kind.CODES, column.number, 0)
        demand(checksum == column.codes_checksum, "the crc32c of the codes is the root's")
        fields = Fields(data)
        found = _ascending_codes(codecs.integer_array(fields, fields.varint()))
        fields.end()
        demand(len(found) and found[0] == 0, "the first code is 0")
        return found

    def _check_filters(self, column: "_Column") -> None:
        footer = column.footer
        if footer is None or not footer.filters:
            return
        values = []
        for number, checksum in enumerate(footer.filters):
            found, data = self._value(Kind.FILTERS, column.number, number)
            demand(found == checksum, "the crc32c of filters is the footer's")
            values.append(data)
        rows = np.array([block_rows(self.root.rows, block) for block in range(len(footer.nulls))])
        filters.check(values, footer.cells, footer.nulls < rows)

    def _aggregates(self, columns: list["_Column"], lengths: NDArray[np.int64]) -> Aggregates | None:
        """What is kept beside the rows, if anything is."""
        checksums = {
            column.number: column.footer.aggregates
            for column in columns
            if column.footer is not None and column.footer.aggregates
        }
        if ENTITY not in checksums:
            return None

        def value(column: int, number: int) -> Fields:
            checksum, data = self._value(Kind.AGGREGATES, column, number)
            demand(checksum == checksums[column][number], "the crc32c of aggregates is the footer's")
            return Fields(data)

        counts = {column: len(some) for column, some in checksums.items()}
        return Aggregates(value, counts, {column.number: column.physical for column in columns}, lengths)

    def _runs(self) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        checksum, data = self._value(Kind.RUNS, ENTITY, 0)
        demand(checksum == self.root.runs_checksum, "the crc32c of the runs is the root's")
        fields = Fields(data)
        count = fields.varint()
        entities = _ascending_codes(codecs.integer_array(fields, count))
        rows = codecs.integer_array(fields, count)
        fields.end()
        demand((rows > 0).all() and rows.sum() == self.root.rows, "runs have all rows")
        bounds = self._record.least_entity, self._record.greatest_entity
        demand((entities[0], entities[-1]) == bounds, "least and greatest entity are the record's")
        return entities, rows


class _Order:
    """Compares rows with the runs: ordered by entity, then time."""

    def __init__(self, entities: NDArray[np.uint32], lengths: NDArray[np.int64]) -> None:
        self._entities = entities
        self._ends = np.cumsum(lengths)
        self._begins = self._ends - lengths
        self._last: tuple[int, int] | None = None
        self.whole = True
        self.least, self.greatest = (1 << 63) - 1, -(1 << 63)

    def check(self, rows: Rows, first: int) -> None:
        """Rows from the ``first`` on."""
        if TIME in rows.lost or ENTITY in rows.lost:
            self.whole, self._last = False, None
            return
        codes, times = rows.columns[ENTITY][1].data, rows.columns[TIME][1].data
        lengths = np.clip(np.minimum(self._ends, first + rows.count) - np.maximum(self._begins, first), 0, None)
        demand(np.array_equal(np.repeat(self._entities, lengths), codes), "runs are the rows of each entity")
        later = (times[1:] >= times[:-1]) | (codes[1:] != codes[:-1])
        begin = int(codes[0]), int(times[0])
        demand(later.all() and (self._last is None or self._last <= begin), "rows of an entity ascend by time")
        self._last = int(codes[-1]), int(times[-1])
        self.least, self.greatest = min(self.least, int(times.min())), max(self.greatest, int(times.max()))


def _block(physical: Physical, data: memoryview, rows: int, nulls: int) -> Values:
    """A block of so many rows."""
    if physical is Physical.CODE:
        return Values(codecs.codes(data, rows))
    if nulls == rows:
        demand(not data, "a block of nulls is empty")
        return Values.null(physical, rows)
    valid, fields = None, Fields(data)
    if nulls:
        valid = codecs.bits(fields.sized(), rows)
        demand(rows - int(valid.sum()) == nulls, "as many rows are null as the footer says")
    rest = fields.rest()
    if physical is Physical.F64:
        return Values(codecs.doubles(rest, rows), valid)
    if physical is Physical.I64:
        return Values(codecs.integers(rest, rows), valid)
    if physical is Physical.BOOL:
        return Values(codecs.bits(rest, rows), valid)
    return Values(texts.texts(rest, rows), valid)


def _check_statistics(physical: Physical, footer: Footer, block: int, values: Values) -> None:
    """What a footer says of a block is so; queries rely on it."""
    if footer.least is None or footer.greatest is None:
        return
    data = values.data if values.valid is None else values.data[values.valid]
    if physical is Physical.F64 and footer.nans is not None:
        nan = np.isnan(data)
        demand(int(nan.sum()) == footer.nans[block], "as many values are NaN as the footer says")
        data = data[~nan]
    elif physical is Physical.CODE:
        demand(int((data == 0).sum()) == footer.nulls[block], "as many codes are null as the footer says")
    if not len(data):
        return
    bounds = footer.least[block].astype(DTYPES[physical]), footer.greatest[block].astype(DTYPES[physical])
    demand((data.min(), data.max()) == bounds, "least and greatest values are what the footer says")
    if footer.sums is not None and physical is Physical.I64:
        demand(sum(data.tolist()) == footer.sums[block], "sums are what the footer says")


def _ascending_codes(found: NDArray[np.int64]) -> NDArray[np.uint32]:
    demand((found >= 0).all() and (found < 1 << 32).all() and (np.diff(found) > 0).all(), "codes ascend below 2³²")
    return found.astype(np.uint32)
