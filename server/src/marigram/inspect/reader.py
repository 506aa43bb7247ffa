"""The data directory as a whole: its streams, and their rows put together from parts and L0."""

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marigram.errors import FailedPrecondition, InvalidArgument, NotFound, Unsupported
from marigram.inspect import backups, series
from marigram.inspect.codecs import BLOCK
from marigram.inspect.damage import Damage, Damages
from marigram.inspect.fields import demand
from marigram.inspect.frames import FORMAT, Table
from marigram.inspect.hot import FILE, Hot, StreamKey, place
from marigram.inspect.parts import Part
from marigram.inspect.records import ENTITY, ROLLED_ROWS, TIME, PartRecord, Stream, Type
from marigram.inspect.values import Physical, Rows, Values

MARKER = "MARIGRAM"
LOCK = "lock"
PARTS = "parts"
_INSTANT = pa.timestamp("ns", "UTC")
_ARROW = {
    Type.F64: pa.float64(),
    Type.I64: pa.int64(),
    Type.BOOL: pa.bool_(),
    Type.TIMESTAMP: _INSTANT,
    Type.SYMBOL: pa.large_string(),
    Type.TEXT: pa.large_string(),
    Type.LABEL: pa.large_string(),
}
_STORED = {
    Type.F64: Physical.F64,
    Type.I64: Physical.I64,
    Type.BOOL: Physical.BOOL,
    Type.TIMESTAMP: Physical.I64,
    Type.SYMBOL: Physical.TEXT,
    Type.TEXT: Physical.TEXT,
}
_STRINGS = (Type.SYMBOL, Type.TEXT)
"""Types whose values are codes or texts: symbols past their bound become texts, and what is stored stays as it is."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How much there is of a stream, by its records."""

    rows: int
    sealed_rows: int
    parts: int
    size_bytes: int


class DataDirectory:
    """A copy of a data directory, open for reading; a context manager. ``damage`` is what a salvage met so far."""

    def __init__(self, directory: Path, *, salvage: bool) -> None:
        self._damages = Damages(salvage, [])
        _check_marker(directory)
        self._lock = _lock(directory)
        self._directory = directory
        self._hot = Hot(directory, self._damages)

    def __enter__(self) -> "DataDirectory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all files."""
        if self._lock is not None:
            self._lock.close()

    @property
    def damage(self) -> list[Damage]:
        """What was met so far and left out."""
        return self._damages.found

    @property
    def hot(self) -> Hot:
        """The hot environment, for what is not rows."""
        return self._hot

    def namespaces(self) -> list[str]:
        """Names, sorted."""
        return sorted(one.name for one in self._hot.catalog.namespaces.values())

    def streams(self, namespace: str) -> list[Stream]:
        """Streams of a namespace, by name.

        Raises:
            NotFound: there is no such namespace.
        """
        number = self._namespace(namespace)
        found = (one for key, one in self._hot.catalog.streams.items() if key[0] == number)
        return sorted(found, key=lambda stream: stream.name)

    def stream(self, namespace: str, name: str) -> Stream:
        """A stream by its name.

        Raises:
            NotFound: there is no such stream.
        """
        for one in self.streams(namespace):
            if one.name == name:
                return one
        raise NotFound(f"there is no stream {name} in namespace {namespace}")

    def figures(self, stream: Stream) -> Figures:
        """How much there is of a stream. Nothing of its rows is read."""
        key = stream.namespace, stream.number
        counters, manifest = self._hot.catalog.stream_counters.get(key), self._hot.catalog.manifests.get(key)
        log_rows = 0 if counters is None else counters.log_rows
        if manifest is None:
            return Figures(log_rows, 0, 0, self._hot.log_bytes[key])
        size = self._hot.log_bytes[key] + manifest.size_bytes
        return Figures(log_rows + manifest.rows, manifest.rows, manifest.parts, size)

    def schema(self, stream: Stream) -> pa.Schema:
        """Columns of ``rows`` and ``pieces``: time, entity, then those of the stream in its order."""
        named = [(column.name, _ARROW[column.type]) for column in stream.columns]
        return pa.schema([("time", _INSTANT), ("entity", pa.large_string()), *named])

    def pieces(self, stream: Stream) -> Iterator[pa.Table]:
        """All rows in the order in which they are stored, some at a time.

        Raises:
            Damage: bytes are not what was written, and this is no salvage.
        """
        made = _Columns(self, stream)
        key = stream.namespace, stream.number
        for record in sorted(
            self._hot.catalog.parts.get(key, []), key=lambda part: (part.tile_start, part.first_value)
        ):
            yield from self._part(key, record, made)
        for at, value in self._hot.values(key):
            for batch in value.batches:
                where = place(Table.L0, at)

                def lost(column: int, block: int, rule: str, rows: int, where: str = where) -> None:
                    self._damages.add(Damage(FILE, f"{where}, {made.name(column)}, block {block}", rule, rows))

                with self._damages.at(FILE, where, batch.rows):
                    yield made.table(batch.read(lost))

    def rows(self, stream: Stream) -> pa.Table:
        """All rows, sorted by time, entity and then all other columns, so that the order of arrival plays no part.

        Raises:
            Damage: bytes are not what was written, and this is no salvage.
        """
        schema = self.schema(stream)
        table = pa.concat_tables([schema.empty_table(), *self.pieces(stream)])
        return table.take(pc.sort_indices(table, [(name, "ascending") for name in schema.names]))

    def verify(self) -> None:
        """Read everything there is, for what is wrong with it.

        Raises:
            Damage: bytes are not what was written, and this is no salvage.
        """
        backup = backups.check(self._directory, self._damages)
        catalog = self._hot.catalog
        if backup is not None:
            commits = {number: counters.commit for number, counters in catalog.namespace_counters.items()}
            known = tuple((one.number, commits.get(one.number), one.name) for one in catalog.namespaces.values())
            with self._damages.at(backups.LIST, "the list"):
                demand(catalog.format is None or catalog.format.store == backup.store, "the backup is of this store")
                demand(known == backup.namespaces, "namespaces and their commits are those of the store")
        self._hot.read_the_rest()
        for stream in self._hot.catalog.streams.values():
            for _ in self.pieces(stream):
                pass
        for key, records in self._hot.catalog.rollups.items():
            for record in records:
                self._check_rollup(key, record)

    def texts(self, key: StreamKey, column: int) -> list[str | None]:
        """The dictionary of a column, by code."""
        return self._hot.texts(key, column)

    def _check_rollup(self, key: StreamKey, record: PartRecord) -> None:
        store = self._hot.catalog.format
        try:
            part = Part(self._directory / PARTS, key, record, None if store is None else store.store, self._damages)
        except Damage as damage:
            self._damages.add(damage)
            return
        rows = 0
        for some in part.slices():
            with self._damages.at(part.file, "rows of groups"):
                rows += int(some.columns[ROLLED_ROWS][1].data.sum())
        with self._damages.at(part.file, "rows of groups"):
            demand(record.rollup is not None and rows == record.rollup.rows, "groups have the rows of their part")

    def _part(self, key: StreamKey, record: PartRecord, made: "_Columns") -> Iterator[pa.Table]:
        store = self._hot.catalog.format
        try:
            part = Part(self._directory / PARTS, key, record, None if store is None else store.store, self._damages)
        except Damage as damage:
            self._damages.add(damage)
            return
        for rows in part.slices():
            with self._damages.at(part.file, "its columns", rows.count):
                yield made.table(rows)

    def _namespace(self, name: str) -> int:
        for one in self._hot.catalog.namespaces.values():
            if one.name == name:
                return one.number
        raise NotFound(f"there is no namespace {name}")


def open_copy(directory: Path, *, salvage: bool = False) -> DataDirectory:
    """Open a copy of a data directory. A salvage goes on past damage and collects it.

    Raises:
        InvalidArgument: this is no data directory.
        Unsupported: it is of a newer format or another machine.
        FailedPrecondition: a server has it open.
        Damage: its records are not what was written, and this is no salvage.
    """
    return DataDirectory(directory, salvage=salvage)


class _Columns:
    """Makes Arrow columns of stored ones: looks codes up, and labels in the texts of series."""

    def __init__(self, directory: DataDirectory, stream: Stream) -> None:
        self._stream = stream
        self._schema = directory.schema(stream)
        key = stream.namespace, stream.number
        coded = [ENTITY, *(column.number for column in stream.columns if column.type in _STRINGS)]
        self._texts: dict[int, pa.LargeStringArray] = {
            number: pa.array(directory.texts(key, number), pa.large_string()) for number in coded
        }
        labels = [column for column in stream.columns if column.type is Type.LABEL]
        if labels:
            each = [series.labels(text or "") for text in self._texts[ENTITY].to_pylist()]
            for column in labels:
                found = [one.get(column.name) for one in each]
                self._texts[column.number] = pa.array(found, pa.large_string())

    def name(self, number: int) -> str:
        """A column as a message names it."""
        return f"column {number} ({self._schema.names[number]})" if number < len(self._schema) else f"column {number}"

    def table(self, rows: Rows) -> pa.Table:
        """Some rows. Those whose time or entity is lost are left out."""
        demand(all(number < len(self._schema) for number in rows.columns), "columns are those of the schema")
        columns = [self._plain(TIME, Physical.I64, rows), self._looked_up(ENTITY, ENTITY, rows)]
        for column in self._stream.columns:
            physical, _ = rows.columns.get(column.number, (None, None))
            if column.type is Type.LABEL:
                columns.append(self._looked_up(column.number, ENTITY, rows))
            elif column.type in _STRINGS and physical is Physical.CODE:
                columns.append(self._looked_up(column.number, column.number, rows))
            else:
                columns.append(self._plain(column.number, _STORED[column.type], rows))
        table = pa.Table.from_arrays(columns, schema=self._schema)
        missing = {*rows.lost.get(TIME, ()), *rows.lost.get(ENTITY, ())}
        if not missing:
            return table
        keep = ~np.isin(np.arange(rows.count) // BLOCK, list(missing))
        return table.filter(pa.array(keep))

    def _values(self, number: int, physical: Physical, rows: Rows) -> Values | None:
        if number not in rows.columns:
            return None
        found, values = rows.columns[number]
        demand(found is physical, f"{self.name(number)} is stored as {physical.name}, not {found.name}")
        return values

    def _plain(self, number: int, physical: Physical, rows: Rows) -> pa.Array:
        """A column whose values are stored themselves."""
        kind = self._schema.field(number).type
        values = self._values(number, physical, rows)
        if values is None:
            return pa.nulls(rows.count, kind)
        nulls = None if values.valid is None else pa.array(~values.valid)
        if physical is Physical.TEXT:
            return values.data if nulls is None else pc.if_else(nulls, None, values.data)
        array = pa.array(values.data, mask=None if values.valid is None else ~values.valid)
        return array.view(kind) if kind == _INSTANT else array

    def _looked_up(self, number: int, stored: int, rows: Rows) -> pa.Array:
        """A column of texts that codes stand for: those of the column itself or, for a label, of the entity."""
        texts = self._texts[number]
        values = self._values(stored, Physical.CODE, rows)
        if values is None:
            return pa.nulls(rows.count, pa.large_string())
        codes: Any = values.data
        demand(codes.max(initial=0) < len(texts), f"codes of {self.name(stored)} are those of its dictionary")
        return texts.take(pa.array(codes))


def _check_marker(directory: Path) -> None:
    if not directory.is_dir():
        raise InvalidArgument(f"{directory} is not a directory", reason="NOT_A_DIRECTORY")
    marker = directory / MARKER
    lines = marker.read_text(errors="replace").splitlines() if marker.is_file() else []
    if lines[:1] != ["marigram store"]:
        raise InvalidArgument(f"{directory} is no data directory: the marker is not there", reason="STORE_FOREIGN")
    said = dict(line.split(" ", 1) for line in lines[1:] if " " in line)
    if said.get("format") != str(FORMAT):
        rule = f"this reads format {FORMAT}, the store is of format {said.get('format', 'unknown')}"
        raise Unsupported(rule, reason="FORMAT_TOO_NEW")
    if (said.get("byte-order"), said.get("pointer-bits")) != ("little", "64"):
        raise Unsupported("the store is of another kind of machine", reason="STORE_FOREIGN")


def _lock(directory: Path) -> IO[bytes] | None:
    """The lock, shared, so that no server begins meanwhile."""
    file = directory / LOCK
    if not file.exists():
        return None
    held = file.open("rb")
    try:
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        process = held.read(32).decode(errors="replace").strip()
        held.close()
        rule = (
            f"{directory} is in use by process {process}: stop the server, or copy the directory and inspect the copy"
        )
        raise FailedPrecondition(rule, reason="STORE_LOCKED") from None
    return held
