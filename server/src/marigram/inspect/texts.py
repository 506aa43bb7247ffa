"""Blocks and pages of texts as ``engine_core/src/codec/text.rs`` and ``page.rs`` describe them, decoded into Arrow."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.inspect.codecs import decompressed, integer_array, integers
from marigram.inspect.fields import Fields, FormatError, demand

_MOST_BYTES = 1 << 30
_MOST_LENGTH = (1 << 32) - 1


def texts(data: bytes | memoryview, rows: int) -> pa.LargeStringArray:
    """A block of texts."""
    fields = Fields(data)
    if data[:1] != b"\x32":
        return _spelled(fields, rows)
    fields.u8()
    count = fields.varint()
    demand(1 <= count <= rows, "distinct texts are at least one and no more than rows")
    distinct = _spelled(Fields(fields.sized()), count)
    places = integers(fields.rest(), rows)
    demand(((places >= 0) & (places < count)).all(), "places are those of distinct texts")
    return distinct.take(pa.array(places))


def page(fields: Fields) -> list[str]:
    """A packed page of a dictionary."""
    layout, count = fields.u8(), fields.varint()
    demand(layout in (1, 2, 3), f"there is no layout {layout} of pages")
    demand(count > 0, "a page has a text")
    lengths = integer_array(fields, count)
    demand(((lengths >= 0) & (lengths <= _MOST_LENGTH)).all(), "a text has 0 to 2³² − 1 bytes")
    size = int(lengths.sum())
    demand(size <= _MOST_BYTES, "texts of a page have at most 1 GiB")
    data: bytes | memoryview = fields.rest() if layout == 1 else decompressed(fields.rest(), size)
    if layout == 3:
        # The places of all bytes where texts lie end to end: in order of these they lie in the frame.
        places = np.arange(size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        whole = np.empty(size, np.uint8)
        whole[np.argsort(places, kind="stable")] = np.frombuffer(data, np.uint8)
        data = whole.tobytes()
    found: list[str] = array(lengths, data).to_pylist()
    return found


def array(lengths: NDArray[np.int64], data: bytes | memoryview) -> pa.LargeStringArray:
    """Texts that lie end to end."""
    demand(((lengths >= 0) & (lengths <= _MOST_LENGTH)).all(), "a text has 0 to 2³² − 1 bytes")
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    demand(offsets[-1] == len(data), f"texts have {offsets[-1]} bytes by their lengths, {len(data)} are there")
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    found = pa.LargeStringArray.from_buffers(len(lengths), buffers[1], buffers[2])
    try:
        found.validate(full=True)
    except pa.ArrowInvalid as error:
        raise FormatError(f"a text is not UTF-8: {error}") from None
    return found


def _spelled(fields: Fields, rows: int) -> pa.LargeStringArray:
    codec = fields.u8()
    demand(codec in (48, 49), f"there is no codec {codec} of texts here")
    lengths = integers(fields.sized(), rows)
    size = int(lengths.sum())
    demand((lengths >= 0).all() and size <= _MOST_BYTES, "texts of a block have at most 1 GiB")
    data: bytes | memoryview = fields.rest()
    if codec == 49:
        data = decompressed(data, size)
    return array(lengths, data)
