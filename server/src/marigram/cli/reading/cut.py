"""Where files are cut. Only the file's own content decides, see the package."""

from collections.abc import Callable, Iterator
from typing import Protocol

from marigram_client.errors import InvalidArgument

CHUNK_BYTES = 2 << 20
"""Text that is parsed at once; a chunk ends at the last end of a row in it."""
ROW_BYTES = 16 << 20
"""The longest row of text."""
BATCH_BYTES = 8 << 20
"""Bytes of a batch, reckoned before packing; a message may have 16 MiB."""
ROWS = 65_536
"""Rows of a Parquet file that are read at once."""


class Readable(Protocol):
    """Bytes that come in pieces."""

    def read(self, size: int, /) -> bytes:
        """Up to this many bytes; none at the end."""


def chunks(stream: Readable, quote: bytes | None) -> Iterator[bytes]:
    """The bytes of a text, cut after line ends; with ``quote``, at those outside of quotes.

    Raises:
        InvalidArgument: a row is too long.
    """
    rest, room = b"", CHUNK_BYTES
    while True:
        data = rest + _filled(stream, room - len(rest))
        if len(data) < room:
            if data.strip(b"\r\n"):
                yield data
            return
        end = last_row_end(data, quote)
        if end:
            yield data[:end]
            rest, room = data[end:], CHUNK_BYTES
        elif room >= ROW_BYTES:
            rule = f"a row must end within {ROW_BYTES >> 20} MiB; is a quote left open?"
            raise InvalidArgument(rule, reason="ROW_TOO_LONG", field="file")
        else:
            rest, room = data, room * 2


def spans(rows: int, weigh: Callable[[int, int], float]) -> Iterator[tuple[int, int]]:
    """Rows [start, stop) that fit a batch each, by halving what ``weigh`` finds too heavy."""
    left = [(0, rows)] if rows else []
    while left:
        start, stop = left.pop()
        if stop - start > 1 and weigh(start, stop) > BATCH_BYTES:
            middle = (start + stop) // 2
            left += [(middle, stop), (start, middle)]
        else:
            yield start, stop


def width(columns: int) -> int:
    """Bytes of a row in a batch without its texts, whatever the types: the plan chooses those."""
    return 12 + 8 * columns


def first_row_end(data: bytes, quote: bytes) -> int:
    """Where the first row ends: after its line end, or at the end of the data."""
    end = 0
    while (end := data.find(b"\n", end) + 1) and data.count(quote, 0, end) % 2:
        pass
    return end or len(data)


def last_row_end(data: bytes, quote: bytes | None) -> int:
    """Behind the last line end that ends a row; 0 if there is none. Where a quote stands open from the first row on, it
    is taken for a sign like others, as in ``5" disk``."""
    last = end = data.rfind(b"\n") + 1
    if quote is None or not end:
        return end
    quotes = data.count(quote, 0, end)
    while end and quotes % 2:
        start = data.rfind(b"\n", 0, end - 1) + 1
        quotes -= data.count(quote, start, end)
        end = start
    return end or (last if len(data) >= ROW_BYTES else 0)


def _filled(stream: Readable, size: int) -> bytes:
    """Exactly this many bytes, but at the end: decompressors and pipes give fewer."""
    parts: list[bytes] = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
