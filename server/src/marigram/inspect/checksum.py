"""crc32c (Castagnoli, RFC 3720 §12.1) of many byte strings at once, in numpy.

A checksum without its first and last inversion is linear, and zeros before a message do not change it. So messages are
cut into pieces of 256 bytes from their ends; each byte adds what a table says of its value and its place in the piece;
and pieces are put together in pairs, in pairs of pairs, and so on. The first inversion is that of a message's first
four bytes.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F6_3B78
_PIECE = 256
_AT_ONCE = 1 << 22
"""Bytes of messages that are looked at together."""

Words = NDArray[np.uint32]


@cache
def _bytes() -> Words:
    """What each byte does to a checksum whose last byte it is xored with."""
    found = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        found = (found >> np.uint32(1)) ^ (found & np.uint32(1)) * np.uint32(_POLYNOMIAL)
    return found


@cache
def _places() -> Words:
    """What a byte adds to its piece, at ``256 · place + value``."""
    table = _bytes()
    rows = [table]
    for _ in range(_PIECE - 1):
        last = rows[-1]
        rows.append(table[last & 0xFF] ^ (last >> 8))
    return np.concatenate(rows[::-1])


@cache
def _move(level: int) -> Words:
    """Four tables, one a byte of a checksum: what it becomes when ``2 ** level`` pieces follow."""
    if level == 0:
        ones = _places().reshape(_PIECE, 256)[:4]
        return np.ascontiguousarray(ones)
    half = _move(level - 1)
    return np.stack([_moved(row, half) for row in half])


def _moved(sums: Words, by: Words) -> Words:
    moved: Words = by[0][sums & 0xFF] ^ by[1][(sums >> 8) & 0xFF] ^ by[2][(sums >> 16) & 0xFF] ^ by[3][sums >> 24]
    return moved


def crc32c(*pieces: bytes | memoryview) -> int:
    """crc32c of byte strings end to end."""
    return int(crc32c_of([pieces[0] if len(pieces) == 1 else b"".join(pieces)])[0])


def crc32c_of(messages: Sequence[bytes | memoryview]) -> Words:
    """crc32c of each message."""
    sums = np.zeros(len(messages), np.uint32)
    by_level: dict[int, list[int]] = defaultdict(list)
    for index, message in enumerate(messages):
        if len(message) < 4:
            sums[index] = _short(message)
        else:
            by_level[((len(message) - 1) // _PIECE).bit_length()].append(index)
    for level, indices in by_level.items():
        step = max(1, _AT_ONCE // (_PIECE << level))
        for start in range(0, len(indices), step):
            some = indices[start : start + step]
            sums[some] = _together([messages[index] for index in some], level)
    return sums


def crc32c_of_file(file: Path) -> int:
    """crc32c of all that a file holds."""
    level = _AT_ONCE.bit_length() - _PIECE.bit_length()
    with file.open("rb") as opened:
        found = crc32c(opened.read(file.stat().st_size % _AT_ONCE))  # so that what follows is a power of two of pieces
        while data := opened.read(_AT_ONCE):
            found = int(_moved(np.array([found], np.uint32), _move(level))[0]) ^ crc32c(data)
    return found


def _together(messages: Sequence[bytes | memoryview], level: int) -> Words:
    """The checksums of messages of at most ``2 ** level`` pieces."""
    pieces = [-(-len(message) // _PIECE) for message in messages]
    padded = np.zeros(sum(pieces) * _PIECE, np.uint8)
    columns = np.zeros((len(messages), 1 << level), np.bool_)
    end = 0
    for row, message, count in zip(columns, messages, pieces, strict=True):
        end += count * _PIECE
        start = end - len(message)
        padded[start:end] = np.frombuffer(message, np.uint8)
        padded[start : start + 4] ^= 0xFF
        row[-count:] = True
    sums = np.zeros((len(messages), 1 << level), np.uint32)
    sums[columns] = _piece_sums(padded.reshape(-1, _PIECE))
    for at in range(level):
        sums = _moved(sums[:, 0::2], _move(at)) ^ sums[:, 1::2]
    return sums[:, 0] ^ np.uint32(0xFFFF_FFFF)


def _piece_sums(pieces: NDArray[np.uint8]) -> Words:
    places = np.arange(0, _PIECE * 256, 256, dtype=np.intp)
    sums = np.empty(len(pieces), np.uint32)
    for start in range(0, len(pieces), 256):  # what a cache holds
        some = slice(start, start + 256)
        np.bitwise_xor.reduce(_places().take(pieces[some] + places), axis=1, out=sums[some])
    return sums


def _short(message: Iterable[int]) -> int:
    table = _bytes()
    found = 0xFFFF_FFFF
    for byte in bytes(message):
        found = int(table[(found ^ byte) & 0xFF]) ^ (found >> 8)
    return found ^ 0xFFFF_FFFF
