"""Answers on standard output, talk on standard error."""

import itertools
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from marigram.cli.options import Format

if TYPE_CHECKING:
    import pyarrow as pa

WIDE = 10_000
"""Characters of a line that goes to a file or a pipe: nothing is cut there."""
NOTHING = "–"
MOST_ROWS = 1_000
"""Rows of an answer that a table shows; nobody reads more, and laying them out takes long."""
_AT_ONCE = 4_096
"""Rows that are printed at once."""
_PIECE = 32_768
_BINARY = (Format.ARROW, Format.PARQUET)
_SUFFIXES = {
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.NDJSON,
    ".ndjson": Format.NDJSON,
    ".arrow": Format.ARROW,
    ".arrows": Format.ARROW,
    ".parquet": Format.PARQUET,
}


class _Pieces:
    """A stream that is written to in pieces, so that a pipe whose reader is gone is noticed."""

    def __init__(self, sink: IO[str]) -> None:
        self._sink = sink

    def write(self, text: str) -> int:
        for start in range(0, len(text), _PIECE):
            self._sink.write(text[start : start + _PIECE])
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)


class _Console(Console):
    """A console that leaves a closed pipe to ``failures``."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def talk() -> Console:
    """Standard error."""
    return _Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else WIDE)


def printable(text: str) -> str:
    """The text without what a terminal would obey: control characters and marks of direction are written out.

    Every text that is not ours passes through here before it is shown, and as ``rich.text.Text``, so that it is no
    markup either."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def printable_lines(text: str) -> str:
    """The same for text of several lines, which stay lines."""
    return "\n".join(map(printable, text.split("\n")))


def format_for(file: Path | None, wanted: Format | None) -> Format:
    """How to print: what was said, else what the file's name says, else a table.

    Raises:
        InvalidArgument: bytes would go to a terminal.
    """
    found = wanted or (Format.TABLE if file is None else _SUFFIXES.get(file.suffix.lower(), Format.TABLE))
    if found in _BINARY and file is None and sys.stdout.isatty():
        from marigram_client.errors import InvalidArgument

        rule = f"{found} is not for a terminal: name a file with --output-file or > FILE"
        raise InvalidArgument(rule, reason="COMMAND_LINE", field="output")
    return found


def put(table: "pa.Table", form: Format, file: Path | None = None) -> None:
    """Print an answer, to standard output or to a file, which is there whole or as it was."""
    if file is None:
        if form in _BINARY:
            sys.stdout.flush()
            _put_bytes(table, form, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            _put_text(table, form, sys.stdout)
        return
    with _draft(file, form) as sink:
        (_put_bytes if form in _BINARY else _put_text)(table, form, sink)


def put_pieces(pieces: Iterable["pa.Table"], schema: "pa.Schema", form: Format, file: Path | None = None) -> int:
    """Print rows some at a time, as CSV, NDJSON or Parquet, to standard output or to a file, which is there whole or as
    it was; how many there were."""
    if file is not None:
        with _draft(file, form) as sink:
            return _put_all(pieces, schema, form, sink)
    sys.stdout.flush()
    count = _put_all(pieces, schema, form, sys.stdout.buffer if form in _BINARY else sys.stdout)
    sys.stdout.flush()
    return count


def _put_all(pieces: Iterable["pa.Table"], schema: "pa.Schema", form: Format, sink: Any) -> int:
    count = 0

    def each() -> Iterator["pa.Table"]:
        nonlocal count
        for piece in pieces:
            count += len(piece)
            yield piece

    if form is Format.PARQUET:
        import pyarrow.parquet as parquet

        with parquet.ParquetWriter(sink, schema) as writer:
            for piece in each():
                writer.write_table(piece)
    elif form is Format.CSV:
        visible = printable_lines if sink.isatty() else str
        for text in _csv(schema, each()):
            sink.write(visible(text))
    else:
        for piece in each():
            _put_text(piece, form, sink)
    return count


@contextmanager
def _draft(file: Path, form: Format) -> Iterator[IO[Any]]:
    """A file that takes the place of another once it is whole."""
    draft = file.with_name(f".{file.name}.part")
    try:
        with draft.open("wb") if form in _BINARY else draft.open("w", encoding="utf-8", newline="\n") as sink:
            yield sink
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def show(table: "pa.Table", title: str | None = None, sink: IO[str] | None = None) -> None:
    """Print an answer as a table for people."""
    import pyarrow as pa

    numeric = [pa.types.is_integer(field.type) or pa.types.is_floating(field.type) for field in table.schema]
    rows = (row.values() for row in _rows(table.slice(0, MOST_ROWS)))
    right = [index for index, is_so in enumerate(numeric) if is_so]
    print_grid(table.schema.names, rows, title=title, right=right, console=screen(sink or sys.stdout))
    if table.num_rows > MOST_ROWS:
        way = "--limit asks for fewer, --output csv, json, ndjson, arrow or parquet prints all"
        talk().print(f"{MOST_ROWS:,} of {table.num_rows:,} rows shown; {way}", markup=False)


def print_grid(
    names: Sequence[str],
    rows: Iterable[Iterable[object]],
    *,
    title: str | None = None,
    right: Sequence[int] = (),
    whole: Sequence[int] = (),
    console: Console | None = None,
) -> None:
    """Print rows below names; columns ``right`` are set to the right. On a terminal lines fold where it ends,
    those of columns ``whole`` last."""
    target = console or screen(sys.stdout)
    table = Table()
    for index, name in enumerate(names):
        side: Literal["left", "right"] = "right" if index in right else "left"
        table.add_column(Text(printable(name)), justify=side, overflow="fold", no_wrap=index in whole)
    for row in rows:
        table.add_row(*(Text(cell(value)) for value in row))
    if title is not None:
        target.print(Text(printable(title), "bold"))
    target.print(table)


def print_json(value: object, *, indent: int | None = 1, sink: IO[str] | None = None) -> None:
    """Print a value as JSON. What is not printable is escaped as JSON does it, so that data stays what it is."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False, default=str)
    (sink or sys.stdout).write(f"{_escaped(text)}\n")


def screen(sink: IO[str]) -> Console:
    """A console on a stream: as wide as the terminal, or as wide as it takes."""
    if sink.isatty():
        return _Console(file=sink, highlight=False)
    return _Console(file=cast("IO[str]", _Pieces(sink)), highlight=False, width=WIDE, no_color=True)


def cell(value: object) -> str:
    """A value as a table shows it."""
    if value is None:
        return NOTHING
    if isinstance(value, list):
        return "\n".join(map(cell, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {cell(part)}" for name, part in value.items())
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".") if 1e-3 <= abs(value) < 1e15 or value == 0 else f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else printable(str(value))


def _put_text(table: "pa.Table", form: Format, sink: Any) -> None:
    if form is Format.CSV:
        visible = printable_lines if sink.isatty() else str
        for text in _csv(table.schema, [table]):
            sink.write(visible(text))
    elif form is Format.JSON:
        sink.write("[")
        for index, row in enumerate(_rows(table)):
            sink.write(",\n " if index else "\n ")
            sink.write(_escaped(json.dumps(finite(row), ensure_ascii=False)))
        sink.write("\n]\n")
    elif form is Format.NDJSON:
        for row in _rows(table):
            print_json(finite(row), indent=None, sink=sink)
    else:
        show(table, sink=sink)


def _csv(schema: "pa.Schema", tables: Iterable["pa.Table"]) -> Iterator[str]:
    """The names, then some rows at a time."""
    import io

    import pyarrow.csv as csv

    batches = (rows for table in tables for rows in table.to_batches(max_chunksize=_AT_ONCE))
    for rows in itertools.chain([schema.empty_table()], batches):
        text = io.BytesIO()
        csv.write_csv(_flat(rows), text, csv.WriteOptions(include_header=not rows.num_rows))
        yield text.getvalue().decode()


def _flat(rows: "pa.Table | pa.RecordBatch") -> "pa.Table | pa.RecordBatch":
    """Lists and structs as JSON, since CSV has none."""
    import pyarrow as pa

    for index, field in enumerate(rows.schema):
        if pa.types.is_nested(field.type):
            alone = rows.select([index])
            table = alone if isinstance(alone, pa.Table) else pa.Table.from_batches([alone])
            values = (row[field.name] for row in _rows(table))
            texts = [None if value is None else json.dumps(finite(value), ensure_ascii=False) for value in values]
            rows = rows.set_column(index, field.name, pa.array(texts, pa.string()))
    return rows


def _escaped(text: str) -> str:
    """JSON without what a terminal would obey; it reads back as the same."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text).replace(
        "\x7f", "\\u007f"
    )


def _put_bytes(table: "pa.Table", form: Format, sink: Any) -> None:
    if form is Format.PARQUET:
        import pyarrow.parquet as parquet

        parquet.write_table(table, sink)
    else:
        import pyarrow as pa

        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)


def _rows(table: "pa.Table") -> Iterator[dict[str, Any]]:
    """Rows with times as text, since Python's datetimes end at microseconds."""
    import pyarrow as pa

    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, _times(table.column(index)))
        elif pa.types.is_list(field.type):
            table = table.set_column(index, field.name, _lists(table.column(index).combine_chunks()))
    for batch in table.to_batches(max_chunksize=_AT_ONCE):
        yield from batch.to_pylist()


def _lists(column: "pa.ListArray") -> "pa.ListArray":
    """Lists of structs with times as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    items = column.flatten()
    if not (pa.types.is_struct(items.type) and any(pa.types.is_timestamp(field.type) for field in items.type)):
        return column
    parts = [_times(part) if pa.types.is_timestamp(part.type) else part for part in items.flatten()]
    ends = pc.cumulative_sum(pc.list_value_length(column).fill_null(0))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    structs = pa.StructArray.from_arrays(parts, [field.name for field in items.type])
    return pa.ListArray.from_arrays(offsets, structs, mask=column.is_null())


def _times(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Times as ISO 8601, no more digits than the column needs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = column.cast(pa.timestamp("ns"))
    unit = next(
        unit
        for unit in ("s", "ms", "us", "ns")
        if plain.cast(pa.timestamp(unit), safe=False).cast(plain.type).equals(plain)
    )
    return pc.binary_join_element_wise(pc.strftime(plain.cast(pa.timestamp(unit)), "%Y-%m-%dT%H:%M:%S"), "Z", "")


def finite(value: Any) -> Any:
    """A value as JSON takes it: numbers that are none are null."""
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
