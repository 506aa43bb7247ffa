"""Text as rows: chunks of whole rows, parsed at once by Arrow and, where that fails, row by row."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from marigram.cli.options import FileFormat
from marigram.cli.plan import Plan, checked
from marigram.cli.reading import Fault, Piece, Source, cut
from marigram.cli.reading.types import Types, guessed, shown
from marigram_client.errors import InvalidArgument

SAMPLE_CHUNKS = 4
"""Chunks at the beginning of a file that types are taken from."""
SLOW_BYTES = 16_384
"""So little is read row by row, if there is a row in it that is none."""


class Parser(Protocol):
    """A kind of text. ``names`` are the columns seen so far, ``quote`` what line ends may stand in."""

    names: list[str]
    quote: bytes | None

    def sample(self, data: bytes) -> pa.Table:
        """The beginning of a file, types inferred; rows that cannot be read are left out."""

    def parse(self, data: bytes, types: Types) -> pa.RecordBatch | None:
        """Some rows as columns of the types that are known, at once; None if any of them is none. Settles the types of
        columns that are new."""

    def parse_slowly(self, data: bytes, types: Types) -> tuple[pa.RecordBatch, dict[int, Fault]]:
        """The same row by row, so that those that are none are known."""


@contextmanager
def opened(file: str, plan: Plan, form: FileFormat, packing: str | None, delimiter: str) -> Iterator[Source]:
    """CSV or JSON Lines, from a file or standard input."""
    from marigram.cli.reading import delimited, lines

    with ExitStack() as stack:
        raw: Any = _standard_input() if file == "-" else stack.enter_context(Path(file).open("rb"))
        stream = raw if packing is None else stack.enter_context(pa.CompressedInputStream(pa.PythonFile(raw), packing))
        pieces = cut.chunks(stream, delimited.QUOTE if form is FileFormat.CSV else None)
        first = list(islice(pieces, SAMPLE_CHUNKS))
        if not first:
            raise InvalidArgument("the file must have rows, it is empty", reason="NO_ROWS", field="file")
        parser: Parser
        if form is FileFormat.CSV:
            parser, first[0] = delimited.Delimited.headed(first[0], delimiter, plan.nulls)
        else:
            parser = lines.Lines()
        sample = parser.sample(b"".join(first))
        plan = checked(plan, parser.names)
        types = Types(plan)
        for name in sample.schema.names:
            if name not in plan.skip:
                types.learn(name, sample.column(name).combine_chunks())
        size = None if file == "-" else Path(file).stat().st_size
        seen = shown(sample.drop_columns([*plan.skip & set(sample.schema.names)]), types)
        yield Source(
            plan, seen, _pieces(chain(first, pieces), parser, types), lambda: (raw.tell() if size else 0, size)
        )


def _standard_input() -> Any:
    """Without its buffer: a thread that still waits in the buffer's lock makes the interpreter abort as it ends."""
    return getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)


def _pieces(chunks: Iterator[bytes], parser: Parser, types: Types) -> Iterator[Piece]:
    first_row = 1
    for data in chunks:
        rows, faults = _parsed(data, parser, types)
        types.too_large(rows, faults)
        weight = cut.width(len(parser.names)) + len(data) / max(1, len(rows))
        for start, stop in cut.spans(len(rows), partial(_weight, weight)):
            held = {index - start: fault for index, fault in faults.items() if start <= index < stop}
            yield Piece(first_row + start, rows.slice(start, stop - start), held)
        first_row += len(rows)


def _parsed(data: bytes, parser: Parser, types: Types) -> tuple[pa.RecordBatch, dict[int, Fault]]:
    """A chunk; the rows that are none are closed in on by halving."""
    rows = parser.parse(data, types)
    if rows is not None:
        return rows, {}
    middle = cut.last_row_end(data[: len(data) // 2], parser.quote) if len(data) > SLOW_BYTES else 0
    if not middle:
        return parser.parse_slowly(data, types)
    (first, faults), (second, others) = (_parsed(half, parser, types) for half in (data[:middle], data[middle:]))
    both = pa.concat_tables([pa.table(first), pa.table(second)], promote_options="default").combine_chunks()
    (joined,) = both.to_batches()
    return joined, faults | {len(first) + index: fault for index, fault in others.items()}


def _weight(row: float, start: int, stop: int) -> float:
    return (stop - start) * row


def from_texts(columns: dict[str, pa.Array], types: Types, faults: dict[int, Fault]) -> pa.RecordBatch:
    """Columns of texts as the types that are known."""
    made = {}
    for name, texts in columns.items():
        if types.known.get(name) is None:
            types.learn(name, guessed(texts))
        made[name] = types.cast(name, texts, faults)
    return pa.RecordBatch.from_pydict(made)
