"""crc32c in numpy is that of RFC 3720."""

import random
from pathlib import Path

import pytest

from marigram.inspect import checksum
from marigram.inspect.checksum import crc32c, crc32c_of


def plain(message: bytes) -> int:
    """Bit by bit."""
    value = 0xFFFF_FFFF
    for byte in message:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F6_3B78 if value & 1 else 0)
    return value ^ 0xFFFF_FFFF


def test_published_values() -> None:
    assert crc32c(b"123456789") == 0xE306_9283
    assert crc32c(b"\x00" * 32) == 0x8A91_36AA
    assert crc32c(b"\xff" * 32) == 0x62A8_AB43
    assert crc32c(b"") == 0


def test_pieces_are_one_message() -> None:
    assert crc32c(b"1234", b"", memoryview(b"56789")) == 0xE306_9283


def test_a_file_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksum, "_AT_ONCE", 1_024)
    for size in (0, 5, 1_024, 1_025, 5_000):
        data = random.Random(size).randbytes(size)
        (tmp_path / "file").write_bytes(data)
        assert checksum.crc32c_of_file(tmp_path / "file") == plain(data)


def test_messages_of_all_lengths_together() -> None:
    dice = random.Random(5)
    lengths = [*range(20), 255, 256, 257, 511, 512, 513, 1_023, 4_096, 4_097, 70_000]
    messages = [dice.randbytes(length) for length in lengths]
    assert crc32c_of(messages).tolist() == [plain(message) for message in messages]
