"""The hot environment: its tables read into records, and their counts compared. FORMAT.md, "The hot environment"."""

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from marigram.inspect import indexes, l0, records, texts
from marigram.inspect.damage import Damage, Damages
from marigram.inspect.fields import Fields, FormatError, demand
from marigram.inspect.frames import Table, unframed, unframed_page
from marigram.inspect.pages import Pages

FILE = "hot.mdb"

Record = TypeVar("Record")
StreamKey = tuple[int, int]
"""Namespace and stream."""


@dataclass(slots=True)
class Catalog:
    """All records but rows, documents' bytes and quarantined rows."""

    format: records.Format | None = None
    stamp: records.Stamp | None = None
    namespaces: dict[int, records.Namespace] = field(default_factory=dict)
    streams: dict[StreamKey, records.Stream] = field(default_factory=dict)
    namespace_counters: dict[int, records.NamespaceCounters] = field(default_factory=dict)
    stream_counters: dict[StreamKey, records.StreamCounters] = field(default_factory=dict)
    lengths: dict[tuple[int, int, int], int] = field(default_factory=dict)
    manifests: dict[StreamKey, records.Manifest] = field(default_factory=dict)
    parts: dict[StreamKey, list[records.PartRecord]] = field(default_factory=dict)
    rollups: dict[StreamKey, list[records.PartRecord]] = field(default_factory=dict)


class Hot:
    """The environment, open for reading."""

    def __init__(self, directory: Path, damages: Damages) -> None:
        self._damages = damages
        try:
            self._pages = Pages(directory / FILE)
        except FormatError as error:
            raise Damage(FILE, "the file", str(error)) from None
        self._trees = self._pages.tables(self._told)
        self.catalog = Catalog()
        self.log_bytes: Counter[StreamKey] = Counter()
        self._log = self._index()
        self._read()
        self._compare()

    def entries(self, table: Table, prefix: bytes = b"") -> Iterator[tuple[bytes, memoryview]]:
        """Keys and values as they lie, ascending, of keys that begin so."""
        if table.database in self._trees:
            for key, value in self._pages.entries(self._trees[table.database], self._told):
                if key.startswith(prefix):
                    yield key, value

    def _told(self, place: str, rule: str) -> None:
        self._damages.add(Damage(FILE, place, rule))

    def read(self, table: Table, parse: Callable[[bytes, Fields], Record], prefix: bytes = b"") -> Iterator[Record]:
        """What is made of keys and of what stands behind the frames of their values."""
        for key, value in self.entries(table, prefix):
            with self._damages.at(FILE, place(table, key)):
                yield parse(key, unframed(table, key, value))

    def values(self, stream: StreamKey) -> Iterator[tuple[bytes, l0.LogValue]]:
        """The rows of a stream that are in L0, with their keys; their numbers have no gap."""
        counters = self.catalog.stream_counters.get(stream)
        following = 0 if counters is None else counters.first_value
        rows = 0
        for key, value in self._log.get(stream, ()):
            one: l0.LogValue | None = None
            with self._damages.at(FILE, place(Table.L0, key)):
                one = l0.read_value(key, value)
            if one is None:
                continue
            if one.number != following:
                rule = f"L0 values are dense: {following} follows, {one.number} is there"
                self._damages.add(Damage(FILE, place(Table.L0, key), rule))
            following = one.number + 1
            rows += one.rows
            yield key, one
        if counters is not None and (following, rows) != (counters.next_value, counters.log_rows):
            rule = (
                f"L0 has {counters.log_rows} rows in values up to {counters.next_value} by their count, "
                f"{rows} up to {following} are there"
            )
            self._damages.add(Damage(FILE, f"table l0, {named(stream)}", rule, max(0, counters.log_rows - rows)))

    def texts(self, stream: StreamKey, column: int) -> list[str | None]:
        """The dictionary of a column: texts by code, 0 is null. What cannot be read is None."""
        length = self.catalog.lengths.get((*stream, column))
        found: list[str | None] = [None] * (length or 1)

        def take(key: bytes, value: memoryview) -> int:
            (first,) = struct.unpack(">I", key[10:])
            packed, fields = unframed_page(key, value)
            page = texts.page(fields) if packed else records.read_plain_page(fields)
            following = first + len(page)
            demand(first >= 1 and page and (length is None or following <= length), "codes are those of the dictionary")
            found.extend([None] * (following - len(found)))
            found[first:following] = page
            return len(page)

        there = 0
        index: dict[bytes, list[tuple[bytes, memoryview]]] = {}
        for key, value in self.entries(Table.DICTIONARIES, struct.pack(">IIH", *stream, column)):
            if indexes.is_index(key):
                index.setdefault(key[14:22], []).append((key, value))
                continue
            with self._damages.at(FILE, place(Table.DICTIONARIES, key)):
                there += take(key, value)
        self._check_index(index, len(found))
        if there != (length or 1) - 1:
            length = length or 1
            rule = f"the dictionary of column {column} has {length - 1} texts by its length, {there} are there"
            self._damages.add(Damage(FILE, f"table dictionaries, {named(stream)}", rule))
        return found

    def _check_index(self, runs: dict[bytes, list[tuple[bytes, memoryview]]], length: int) -> None:
        """That the index of a dictionary fits its codes: no text is lost with it."""
        end = 1
        for run in runs.values():
            with self._damages.at(FILE, place(Table.DICTIONARIES, run[0][0])):
                read = [indexes.read(key, unframed(Table.DICTIONARIES, key, value)) for key, value in run]
                end = indexes.check_run(read, end)
                demand(end <= length, f"an index has codes up to {end - 1}, the dictionary up to {length - 1}")

    def read_the_rest(self) -> None:
        """Writers, documents and quarantined rows, for what is wrong with them."""

        def quarantine(key: bytes, fields: Fields) -> None:
            space, number, record = _numbers(">IIQ", key)
            expected, following[space, number] = following[space, number], record + 1
            demand(record == expected, f"quarantine records are dense: {expected} follows")
            records.read_quarantine(fields)

        following: Counter[StreamKey] = Counter()
        for _ in self.read(Table.WRITERS, lambda _, fields: records.read_writer(fields)):
            pass
        for _ in self.read(Table.DOCUMENTS, lambda _, fields: records.read_document(fields)):
            pass
        for _ in self.read(Table.QUARANTINE, quarantine):
            pass

    def _index(self) -> dict[StreamKey, list[tuple[bytes, memoryview]]]:
        found: dict[StreamKey, list[tuple[bytes, memoryview]]] = {}
        for key, value in self.entries(Table.L0):
            with self._damages.at(FILE, place(Table.L0, key)):
                _, namespace, number = _numbers(">QII", key)
                found.setdefault((namespace, number), []).append((key, value))
                self.log_bytes[namespace, number] += len(value)
        return found

    def _read(self) -> None:
        catalog = self.catalog

        def meta(key: bytes, fields: Fields) -> None:
            demand(key in (b"format", b"stamp"), "meta has format and stamp alone")
            if key == b"format":
                catalog.format = records.read_format(fields)
            else:
                catalog.stamp = records.read_stamp(fields)

        def namespace(key: bytes, fields: Fields) -> None:
            (number,) = _numbers(">I", key)
            catalog.namespaces[number] = records.read_namespace(number, fields)

        def stream(key: bytes, fields: Fields) -> None:
            space, number = _numbers(">II", key)
            catalog.streams[space, number] = records.read_stream(space, number, fields)

        def counters(key: bytes, fields: Fields) -> None:
            if len(key) == 4:
                catalog.namespace_counters[_numbers(">I", key)[0]] = records.read_namespace_counters(fields)
            elif len(key) == 8:
                space, number = _numbers(">II", key)
                catalog.stream_counters[space, number] = records.read_stream_counters(fields)
            else:
                space, number, column = _numbers(">IIH", key)
                catalog.lengths[space, number, column] = records.read_length(fields)

        def manifest(key: bytes, fields: Fields) -> None:
            space, number = _numbers(">II", key)
            catalog.manifests[space, number] = records.read_manifest(fields)

        def part(key: bytes, fields: Fields) -> None:
            space, number, one = _numbers(">IIQ", key)
            record = records.read_part(one, fields)
            of = catalog.parts if record.rollup is None else catalog.rollups
            of.setdefault((space, number), []).append(record)

        for table, take in (
            (Table.META, meta),
            (Table.NAMESPACES, namespace),
            (Table.STREAMS, stream),
            (Table.COUNTERS, counters),
            (Table.MANIFESTS, manifest),
            (Table.PARTS, part),
        ):
            for _ in self.read(table, take):
                pass

    def _compare(self) -> None:
        """That nothing is lost unnoticed: counts that stand in one record are those of others."""
        catalog = self.catalog

        def same(where: str, what: str, said: int, found: int) -> None:
            if said != found:
                self._damages.add(Damage(FILE, where, f"{what}: {said} by their count, {found} are there"))

        if catalog.format is None or catalog.stamp is None:
            self._damages.add(Damage(FILE, "table meta", "format and stamp are there"))
        if catalog.stamp is not None:
            last = self._pages.transaction
            same("table meta, stamp", "number of the last transaction", catalog.stamp.transaction, last)
            same("table meta, stamp", "namespaces", catalog.stamp.namespaces, len(catalog.namespaces))
        for namespace, counters in catalog.namespace_counters.items():
            where = f"table counters, namespace {namespace}"
            prefix = struct.pack(">I", namespace)
            same(where, "streams", counters.streams, sum(key[0] == namespace for key in catalog.streams))
            same(where, "writers", counters.writers, sum(1 for _ in self.entries(Table.WRITERS, prefix)))
            same(where, "documents", counters.documents, sum(1 for _ in self.entries(Table.DOCUMENTS, prefix)))
        for stream, schema in catalog.streams.items():
            where = f"table counters, {named(stream)}"
            if stream not in catalog.stream_counters:
                self._damages.add(Damage(FILE, where, "a stream has counters"))
                continue
            has = catalog.stream_counters[stream]
            same(where, "version of the schema", has.schema_version, schema.schema_version)
            same(where, "dictionaries", has.dictionaries, sum(key[:2] == stream for key in catalog.lengths))
            quarantined = sum(1 for _ in self.entries(Table.QUARANTINE, struct.pack(">II", *stream)))
            same(where, "quarantine records", has.quarantine_records, quarantined)
            manifest, parts = catalog.manifests.get(stream), catalog.parts.get(stream, [])
            rollups = catalog.rollups.get(stream, [])
            where = f"table manifests, {named(stream)}"
            if manifest is None:
                same(where, "L0 values removed without a manifest", 0, has.first_value)
                same(where, "parts without a manifest", 0, len(parts))
                same(where, "rollups without a manifest", 0, len(rollups))
                same(where, "rows in the log", has.stored, has.log_rows)
            else:
                same(where, "parts", manifest.parts, len(parts))
                same(where, "rows of parts", manifest.rows, sum(part.rows for part in parts))
                same(where, "bytes of parts", manifest.size_bytes, sum(part.size_bytes for part in parts))
                same(where, "rollups", manifest.rollups, len(rollups))
                same(where, "bytes of rollups", manifest.rollup_bytes, sum(one.size_bytes for one in rollups))
                same(where, "rows", has.stored, has.log_rows + manifest.rows + manifest.dropped_rows)


def named(stream: StreamKey) -> str:
    """A stream as a message names it."""
    return "stream {} of namespace {}".format(*reversed(stream))


def place(table: Table, key: bytes) -> str:
    """A key as a message names it."""
    text = key.decode("ascii") if key.isalpha() and key.isascii() else key.hex()
    return f"table {table.name.lower()}, key {text}"


def _numbers(form: str, key: bytes) -> tuple[int, ...]:
    demand(len(key) == struct.calcsize(form), f"a key has {struct.calcsize(form)} bytes, not {len(key)}")
    return struct.unpack(form, key)
