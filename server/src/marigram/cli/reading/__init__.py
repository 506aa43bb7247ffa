"""Files as rows in pieces: CSV, JSON Lines and Parquet, from a file or standard input, compressed or not.

**How a file is cut never depends on the plan**: the n-th piece is made of the same rows in every run, whatever types
and labels they are given, so that the n-th batch of a writer is the same batch and a run that was killed goes on where
it was. Text is cut by its bytes, Parquet by its row numbers; ``cut`` has the sizes. Changing them, or how pieces are
counted, orphans imports that are half done: ``CUT`` then goes up.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import NamedTuple

import pyarrow as pa

from marigram.cli.options import FileFormat
from marigram.cli.plan import Plan
from marigram_client.errors import InvalidArgument

CUT = 1
"""Version of the way files are cut; a part of every writer's name."""


class Fault(NamedTuple):
    """Why a row of the file cannot be a row of a stream: the rule, the column it concerns, and what was found."""

    reason: str
    column: str
    message: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that travel as one batch. ``first_row`` counts from 1, ``faults`` go by index in ``rows``."""

    first_row: int
    rows: pa.RecordBatch
    faults: Mapping[int, Fault] = field(default_factory=dict)


class Seen(NamedTuple):
    """A column as the beginning of the file shows it: its type (empty: no value seen), one of its values, and what
    could be meant otherwise."""

    type: str
    example: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """An open file: its columns, its rows in pieces, and how far reading is: (bytes or rows done, of, or None)."""

    plan: Plan
    columns: Mapping[str, Seen]
    pieces: Iterator[Piece]
    position: Callable[[], tuple[float, float | None]]


_SUFFIXES = {
    ".csv": FileFormat.CSV,
    ".tsv": FileFormat.CSV,
    ".jsonl": FileFormat.JSONL,
    ".ndjson": FileFormat.JSONL,
    ".parquet": FileFormat.PARQUET,
    ".pq": FileFormat.PARQUET,
}
_PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}


def packing(file: str) -> str | None:
    """How a file is compressed, by its name."""
    return None if file == "-" else _PACKED.get(PurePath(file).suffix.lower())


def format_of(file: str, wanted: FileFormat | None) -> FileFormat:
    """What a file is: what was said, else what its name says.

    Raises:
        InvalidArgument: neither says it.
    """
    name = PurePath(file)
    if packing(file) is not None:
        name = name.with_suffix("")
    found = wanted or _SUFFIXES.get(name.suffix.lower())
    if found is None:
        what = "standard input" if file == "-" else file
        rule = f"--format must say what {what} is: csv, jsonl or parquet"
        raise InvalidArgument(rule, reason="FORMAT_UNKNOWN", field="format")
    if found is FileFormat.PARQUET and (file == "-" or packing(file) is not None):
        rule = "a Parquet file is read from its end, so it must be a plain file"
        raise InvalidArgument(f"{rule}, got {file}", reason="FORMAT_UNKNOWN", field="format")
    return found


@contextmanager
def opened(file: str, plan: Plan, wanted: FileFormat | None = None) -> Iterator[Source]:
    """The file, with the plan checked against its columns.

    Raises:
        InvalidArgument: it is no such file, or the plan does not fit it.
    """
    from marigram.cli.reading import columnar, text

    form = format_of(file, wanted)
    with ExitStack() as stack:
        try:
            if form is FileFormat.PARQUET:
                yield stack.enter_context(columnar.opened(file, plan))
            else:
                tabs = PurePath(file.removesuffix(PurePath(file).suffix) if packing(file) else file).suffix == ".tsv"
                yield stack.enter_context(text.opened(file, plan, form, packing(file), "\t" if tabs else ","))
        except (pa.ArrowInvalid, UnicodeDecodeError, EOFError) as error:
            line = str(error).partition("\n")[0]
            raise InvalidArgument(f"{file} cannot be read: {line}", reason="FILE_UNREADABLE", field="file") from error
