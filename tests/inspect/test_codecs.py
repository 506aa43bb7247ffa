"""Blocks that the Rust codecs wrote are read by the descriptions of them; damaged ones are refused or read somehow."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marigram.inspect import codecs, texts
from marigram.inspect.checksum import crc32c
from marigram.inspect.fields import FormatError

BLOCKS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "blocks.json").read_text())
READERS: dict[str, Callable[[bytes, int], bytes]] = {
    "integers": lambda block, rows: codecs.integers(block, rows).tobytes(),
    "floats": lambda block, rows: codecs.doubles(block, rows).tobytes(),
    "bitmap": lambda block, rows: codecs.bits(block, rows).tobytes(),
    "texts": lambda block, rows: b"".join(text.encode() + b"\xff" for text in texts.texts(block, rows).to_pylist()),
}
CODECS = {
    "integers": {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
    "floats": {16, 17, 18},
    "bitmap": {32, 33, 34, 35},
    "texts": {48, 49, 50},
}


@pytest.mark.parametrize("kind", READERS)
def test_blocks_are_read_as_they_were_written(kind: str) -> None:
    blocks = [one for one in BLOCKS if one["kind"] == kind]
    for one in blocks:
        found = READERS[kind](bytes.fromhex(one["block"]), one["rows"])
        if "values" in one:
            assert found == bytes.fromhex(one["values"])
        else:
            assert crc32c(found) == one["crc32c"]
    assert {int(one["block"][:2], 16) for one in blocks} == CODECS[kind]


@pytest.mark.parametrize("kind", READERS)
def test_damaged_blocks_are_refused_or_read(kind: str) -> None:
    dice = random.Random(7)
    for one in [one for one in BLOCKS if one["kind"] == kind] * 4:
        block = bytearray.fromhex(one["block"])
        for _ in range(dice.randrange(1, 4)):
            block[dice.randrange(min(40, len(block)))] ^= 1 << dice.randrange(8)
        cut = bytes(block[: dice.choice([len(block), dice.randrange(len(block) + 1)])])
        try:
            READERS[kind](cut, one["rows"])
        except FormatError:
            continue


def test_decimals_by_division_and_by_multiplication() -> None:
    assert codecs.doubles(bytes([17, 2, 0, 1, 0, 1, 123, 250]), 2).tolist() == [1.23, 2.5]
    assert codecs.doubles(bytes([17, 33, 0, 1, 0, 1, 3, 4]), 2).tolist() == [3 * 0.1, 0.4]


def test_lengths_of_runs_take_what_is_left() -> None:
    assert codecs.integers(bytes([5, 2, 5, 1, 0, 1, 4, 9, 1, 0, 1, 1, 2]), 3).tolist() == [4, 9, 9]


@pytest.mark.parametrize(("word", "width"), [(np.uint32, 7), (np.uint32, 32), (np.uint64, 33), (np.uint64, 64)])
def test_unpacking_is_what_bits_one_by_one_say(word: Any, width: int) -> None:
    bits = np.dtype(word).itemsize * 8
    words = np.frombuffer(random.Random(width).randbytes(128 * width), word)
    found = codecs.unpack(words, width)
    lanes = 1_024 // bits
    for value in (0, 1, 31, 500, 1_023):
        lane, place = value % lanes, value // lanes * width
        of_lane = sum(int(words[row * lanes + lane]) << row * bits for row in range(width))
        assert int(found[value]) == of_lane >> place & (1 << width) - 1
