"""Blocks of up to 1,024 values as ``engine_core/src/codec`` describes them, decoded into numpy.

Written from those descriptions alone, so that one reader checks the other. A block that breaks a rule raises
``FormatError``.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.inspect.fields import MOST_64, Fields, FormatError, demand, signed

BLOCK = 1_024

Integers = NDArray[np.int64]
Unsigned = NDArray[np.uint64]
Doubles = NDArray[np.float64]
Bits = NDArray[np.bool_]


def integers(data: bytes | memoryview, rows: int, *, nested: bool = True) -> Integers:
    """A block of integers, timestamps or codes."""
    fields = Fields(data)
    codec = fields.u8()
    if codec == 0:
        value = _i64(fields.zigzag())
        fields.end()
        return np.full(rows, value, np.int64)
    if codec == 1:
        return _whole_bytes(fields, rows)
    if codec in (2, 7):
        return _frame(fields, rows, _residual if codec == 2 else _dense)
    if codec in (3, 8):
        return _delta(fields, rows, _residual if codec == 3 else _dense)
    if codec in (4, 9):
        return _linear(fields, rows, _residual if codec == 4 else _dense)
    demand(codec in (5, 6), f"there is no codec {codec} of integers")
    demand(nested, "a nested block holds no nested blocks")
    return _runs(fields, rows) if codec == 5 else _dictionary(fields, rows)


def codes(data: bytes | memoryview, rows: int) -> NDArray[np.uint32]:
    """A block of dictionary codes."""
    found = integers(data, rows)
    demand(rows == 0 or (found.min() >= 0 and found.max() < 1 << 32), "codes are below 2³²")
    return found.astype(np.uint32)


def doubles(data: bytes | memoryview, rows: int) -> Doubles:
    """A block of doubles, bit for bit."""
    fields = Fields(data)
    codec = fields.u8()
    if codec == 16:
        return integers(fields.rest(), rows).view(np.float64)
    if codec == 17:
        return _decimals(fields, rows)
    demand(codec == 18, f"there is no codec {codec} of doubles")
    return _real_doubles(fields, rows)


def bits(data: bytes | memoryview, rows: int) -> Bits:
    """A block of booleans or of validity."""
    fields = Fields(data)
    codec = fields.u8()
    if codec in (32, 33):
        fields.end()
        return np.full(rows, codec == 33, np.bool_)
    if codec == 34:
        packed = fields.take(-(-rows // 8))
        fields.end()
        return _bits(packed, rows)
    demand(codec == 35, f"there is no codec {codec} of bits")
    changes = fields.varint()
    demand(changes <= rows, "there are no more changes than rows")
    at = _rows_of(fields.rest(), changes, rows)
    flips = np.zeros(rows, np.uint8)
    flips[at] = 1
    return np.bitwise_xor.accumulate(flips).astype(np.bool_)


def _bits(packed: memoryview, rows: int) -> Bits:
    found = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
    demand(not found[rows:].any(), "bits behind the last row are 0")
    return found[:rows].astype(np.bool_)


# Bit packing.


@cache
def _places(word_bits: int, width: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Unsigned, Unsigned]:
    """For each row of lanes: its first word, the next one, how far the first is shifted down and the next one up."""
    start = np.arange(BLOCK * word_bits // BLOCK) * width
    first = start // word_bits
    down = (start % word_bits).astype(np.uint64)
    following = np.minimum(first + 1, width - 1)
    return first, following, down[:, None], np.uint64(word_bits) - down[:, None]


def unpack(words: NDArray[np.uint32] | NDArray[np.uint64], width: int) -> Unsigned:
    """1,024 values of so many bits from the words of a whole block, whose type says how wide a word is."""
    word_bits = words.dtype.itemsize * 8
    if width == 0:
        return np.zeros(BLOCK, np.uint64)
    first, following, down, up = _places(word_bits, width)
    lanes = words.reshape(width, BLOCK // word_bits).astype(np.uint64, copy=False)
    found = (lanes[first] >> down) | (lanes[following] << up)
    return (found & np.uint64((1 << width) - 1)).reshape(BLOCK)


def packed_size(rows: int, width: int) -> int:
    """Bytes of a packed block: 128 for each word that a lane needs, and every lane has as many."""
    word_bits = 32 if width <= 32 else 64
    in_lane = -(-rows * word_bits // BLOCK)
    return 128 * -(-in_lane * width // word_bits)


def _packed(fields: Fields, rows: int, width: int) -> Unsigned:
    """Packed values of a block that may be short."""
    demand(width <= 64, f"a code has at most 64 bits, not {width}")
    data = fields.take(packed_size(rows, width))
    if len(data) < 128 * width:
        data = memoryview(bytes(data).ljust(128 * width, b"\0"))
    words = np.frombuffer(data, np.uint32) if width <= 32 else np.frombuffer(data, np.uint64)
    return unpack(words, width)[:rows]


# Integers.


def _whole_bytes(fields: Fields, rows: int) -> Integers:
    base = fields.zigzag()
    width = fields.u8()
    demand(width <= 8, f"a value has at most 8 bytes, not {width}")
    found = _wide(fields.take(rows * width), rows, width)
    fields.end()
    return (found + _u64(base)).view(np.int64)


def _wide(data: memoryview, rows: int, width: int) -> Unsigned:
    """Numbers of so many whole bytes each."""
    wide = np.zeros((rows, 8), np.uint8)
    wide[:, :width] = np.frombuffer(data, np.uint8).reshape(rows, width)
    return wide.view("<u8").reshape(rows)


Codes = Callable[[Fields, int], Unsigned]


def _residual(fields: Fields, rows: int) -> Unsigned:
    """Codes modulo 2⁶⁴: packed, and the exceptions among them."""
    width = fields.u8()
    places, far = _apart(fields, rows)
    found = _packed(fields, rows, width)
    fields.end()
    return _with_apart(found, places, far)


def _dense(fields: Fields, rows: int) -> Unsigned:
    """Codes modulo 2⁶⁴: upper bits in blocks of a Zstandard frame, lower ones packed, and the exceptions."""
    lower = fields.u8()
    demand(lower <= 56, f"a code has at most 56 lower bits, not {lower}")
    places, far = _apart(fields, rows)
    size = bytes([0x20, rows]) if rows < 256 else b"\x60" + (rows - 256).to_bytes(2, "little")
    frame = b"\x28\xb5\x2f\xfd" + size + bytes(fields.sized())
    upper = np.frombuffer(decompressed(frame, rows), np.uint8).astype(np.uint64)
    found = (upper << np.uint64(lower)) + _packed(fields, rows, lower)
    fields.end()
    return _with_apart(found, places, far)


def decompressed(frame: bytes | memoryview, size: int) -> bytes:
    """The content of a Zstandard frame, which has so many bytes."""
    demand(size > 0, "a frame holds something")
    try:
        found: bytes = pa.decompress(frame, size, codec="zstd", asbytes=True)
    except (pa.ArrowException, OSError) as error:
        raise FormatError(f"a frame cannot be read: {error}") from None
    demand(len(found) == size, f"a frame has {size} bytes by what is beside it, {len(found)} are there")
    return found


def _apart(fields: Fields, rows: int) -> tuple[NDArray[np.uint16], Unsigned]:
    """Rows and codes of exceptions."""
    exceptions = fields.varint()
    demand(exceptions <= rows, "there are no more exceptions than rows")
    places: NDArray[np.uint16] = np.zeros(0, np.uint16)
    far = np.zeros(0, np.uint64)
    if exceptions:
        size = fields.u8()
        demand(1 <= size <= 8, f"an exception has 1 to 8 bytes, not {size}")
        places = np.frombuffer(fields.take(2 * exceptions), "<u2")
        demand(places[-1] < rows and (np.diff(places.astype(np.int64)) > 0).all(), "places of exceptions ascend")
        coded = _wide(fields.take(size * exceptions), exceptions, size)
        far = (coded >> np.uint64(1)) ^ (np.uint64(0) - (coded & np.uint64(1)))
    return places, far


def _with_apart(found: Unsigned, places: NDArray[np.uint16], far: Unsigned) -> Unsigned:
    if len(places):
        found = found.copy()
        found[places] = far
    return found


def _frame(fields: Fields, rows: int, codes_of: Codes) -> Integers:
    base, scale = fields.zigzag(), fields.varint()
    return (_u64(base) + np.uint64(scale) * codes_of(fields, rows)).view(np.int64)


def _delta(fields: Fields, rows: int, codes_of: Codes) -> Integers:
    first, scale, low = fields.zigzag(), fields.varint(), fields.zigzag()
    steps = np.uint64(scale) * (_u64(low) + codes_of(fields, rows))
    if rows:
        steps[0] = _u64(first)
    return np.add.accumulate(steps, dtype=np.uint64).view(np.int64)


def _linear(fields: Fields, rows: int, codes_of: Codes) -> Integers:
    base, scale, slope, shift = fields.zigzag(), fields.varint(), fields.varint(), fields.u8()
    demand(shift < 64, f"a slope is shifted by less than 64 bits, not {shift}")
    begins, intercepts = [0], [0]
    for _ in range(fields.varint()):
        further = fields.varint()
        demand(further > 0, "a piece has rows")
        begins.append(begins[-1] + further)
        demand(begins[-1] < rows, "pieces begin within the block")
        intercepts.append((intercepts[-1] + fields.zigzag()) & MOST_64)
    lengths = np.diff([*begins, rows])
    since = np.arange(rows, dtype=np.uint64) - np.repeat(np.array(begins, np.uint64), lengths)
    line = np.repeat(np.array(intercepts, np.uint64), lengths) + ((np.uint64(slope) * since) >> np.uint64(shift))
    return (_u64(base) + np.uint64(scale) * (line + codes_of(fields, rows))).view(np.int64)


def _runs(fields: Fields, rows: int) -> Integers:
    count = fields.varint()
    demand(count <= rows, "there are no more runs than rows")
    values = integers(fields.sized(), count, nested=False)
    lengths = integers(fields.rest(), count, nested=False)
    demand((lengths > 0).all() and (lengths <= rows).all() and lengths.sum() == rows, "runs fill the block")
    return np.repeat(values, lengths)


def _dictionary(fields: Fields, rows: int) -> Integers:
    count = fields.varint()
    demand(2 <= count <= 256, f"there are 2 to 256 distinct values, not {count}")
    values = integers(fields.sized(), count, nested=False)
    demand((values[1:] > values[:-1]).all(), "distinct values ascend")
    places = _packed(fields, rows, (count - 1).bit_length())
    fields.end()
    demand((places < count).all(), "places are those of values")
    return values[places.astype(np.intp)]


# Doubles.


def _exceptions(fields: Fields, rows: int) -> tuple[NDArray[np.intp], Unsigned]:
    """Rows that a codec cannot hold, and a part of each."""
    count = fields.varint()
    demand(count <= rows, "there are no more exceptions than rows")
    if count == 0:
        return np.zeros(0, np.intp), np.zeros(0, np.uint64)
    return _rows_of(fields.sized(), count, rows), integers(fields.sized(), count).view(np.uint64)


def _rows_of(data: memoryview, count: int, rows: int) -> NDArray[np.intp]:
    """Ascending rows of a block."""
    found = integers(data, count)
    inside = count == 0 or (found[0] >= 0 and found[-1] < rows and (found[1:] > found[:-1]).all())
    demand(inside, "rows ascend and are those of the block")
    return found.astype(np.intp)


def _decimals(fields: Fields, rows: int) -> Doubles:
    way = fields.u8()
    exponent, multiplied = way & 31, way >> 5
    demand(exponent <= 18 and multiplied <= 1, f"there is no way {way} from whole numbers to doubles")
    places, whole_bits = _exceptions(fields, rows)
    whole = integers(fields.rest(), rows)
    # Powers of ten up to 22 are doubles; the one that is multiplied by is the double nearest to 10^-exponent.
    found: Doubles = whole * np.float64(f"1e-{exponent}") if multiplied else whole / np.float64(10**exponent)
    found.view(np.uint64)[places] = whole_bits
    return found


def _real_doubles(fields: Fields, rows: int) -> Doubles:
    low, count = fields.u8(), fields.u8()
    demand(48 <= low <= 63, f"lower parts have 48 to 63 bits, not {low}")
    demand(1 <= count <= 8, f"there are 1 to 8 upper parts, not {count}")
    upper = np.frombuffer(fields.take(2 * count), "<u2").astype(np.uint64)
    rows_apart, apart = _exceptions(fields, rows)
    places = _packed(fields, rows, (count - 1).bit_length())
    lower = _packed(fields, rows, low)
    fields.end()
    demand((places < count).all(), "places are those of upper parts")
    found = upper[places.astype(np.intp)]
    found[rows_apart] = apart
    return ((found << np.uint64(low)) | lower).view(np.float64)


# Arrays of parts.


def integer_array(fields: Fields, count: int) -> Integers:
    """So many integers, in blocks behind their lengths."""
    return np.concatenate([np.zeros(0, np.int64), *(integers(data, rows) for data, rows in _blocks(fields, count))])


def double_array(fields: Fields, count: int) -> Doubles:
    """So many doubles, in blocks behind their lengths."""
    return np.concatenate([np.zeros(0), *(doubles(data, rows) for data, rows in _blocks(fields, count))])


def _blocks(fields: Fields, count: int) -> Iterator[tuple[memoryview, int]]:
    for start in range(0, count, BLOCK):
        yield fields.sized(), min(BLOCK, count - start)


def _u64(value: int) -> np.uint64:
    return np.uint64(value & MOST_64)


def _i64(value: int) -> int:
    if not -(1 << 63) <= value < 1 << 63:
        raise FormatError("an integer has 64 bits")
    return signed(value & MOST_64)
