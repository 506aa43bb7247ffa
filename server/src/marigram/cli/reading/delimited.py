"""CSV: a first row of names, quotes as in RFC 4180, UTF-8."""

import csv as rows_of
import io
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv

from marigram.cli.reading import Fault, cut
from marigram.cli.reading.text import from_texts
from marigram.cli.reading.types import Types, explicit
from marigram_client.errors import InvalidArgument

QUOTE = b'"'
_MARK = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Delimited:
    """A parser of rows below these names."""

    names: list[str]
    delimiter: str
    nulls: tuple[str, ...]
    quote: bytes | None = QUOTE

    @classmethod
    def headed(cls, data: bytes, delimiter: str, nulls: tuple[str, ...]) -> tuple["Delimited", bytes]:
        """A parser by the first row, and the rows below it."""
        data = data.removeprefix(_MARK)
        end = cut.first_row_end(data, QUOTE)
        names = next(rows_of.reader(io.StringIO(data[:end].decode(), newline=""), delimiter=delimiter), [])
        if not data[end:].strip(b"\r\n"):
            raise InvalidArgument("the file must have rows, it has only their names", reason="NO_ROWS", field="file")
        return cls(names, delimiter, nulls), data[end:]

    def sample(self, data: bytes) -> pa.Table:
        """See ``text.Parser``."""
        return self._read(data, {}, csv.ParseOptions(**self._parsing(), invalid_row_handler=lambda _: "skip"))

    def parse(self, data: bytes, types: Types) -> pa.RecordBatch | None:
        """See ``text.Parser``."""
        kept = self._kept(types)
        try:
            read = self._read(data, explicit(types, kept), csv.ParseOptions(**self._parsing()), kept)
        except pa.ArrowInvalid:
            return None
        fresh = [name for name in kept if types.known.get(name) is None]
        for name in fresh:
            types.learn(name, read.column(name).combine_chunks())
        if any(types.known.get(name) not in (None, read.schema.field(name).type) for name in fresh):
            return self.parse(data, types)  # now that their types are known
        (batch,) = read.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], read.schema)]
        return batch

    def parse_slowly(self, data: bytes, types: Types) -> tuple[pa.RecordBatch, dict[int, Fault]]:
        """See ``text.Parser``."""
        kept = self._kept(types)
        faults: dict[int, Fault] = {}
        rows: list[list[str]] = []
        text = data.decode(errors="surrogateescape")
        for row in rows_of.reader(io.StringIO(text, newline=""), delimiter=self.delimiter):
            if not row:
                continue
            if len(row) != len(self.names):
                rule = f"a row must have {len(self.names)} values, got {len(row)}"
                faults[len(rows)] = Fault("ROW_MALFORMED", "", rule)
                row = [""] * len(self.names)
            for name, cell in zip(self.names, row, strict=True):
                if not cell.isascii() and not _is_unicode(cell):
                    faults[len(rows)] = Fault("INVALID_UTF8", name, "text must be UTF-8")
                    row = [""] * len(self.names)
            rows.append(row)
        nulls = frozenset(self.nulls)
        columns = {
            name: pa.array([None if row[index] in nulls else row[index] for row in rows], pa.string())
            for index, name in enumerate(self.names)
            if name in kept
        }
        return from_texts(columns, types, faults), faults

    def _kept(self, types: Types) -> list[str]:
        return [name for name in self.names if name not in types.plan.skip]

    def _parsing(self) -> dict[str, Any]:
        return {"delimiter": self.delimiter, "newlines_in_values": True}

    def _read(self, data: bytes, types: Any, parsing: Any, kept: list[str] | None = None) -> pa.Table:
        return csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(column_names=self.names, block_size=len(data) + 1),
            parsing,
            csv.ConvertOptions(
                column_types=types, include_columns=kept, null_values=list(self.nulls), strings_can_be_null=True
            ),
        )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
