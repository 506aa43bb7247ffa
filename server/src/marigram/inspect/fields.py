"""Fields one after the other, as FORMAT.md names them; and what is said of bytes that break a rule."""

from typing import Final

MOST_64: Final = (1 << 64) - 1


class FormatError(ValueError):
    """Bytes break the rule that the message names; where they lie is the caller's to say."""


def demand(holds: object, rule: str) -> None:
    """Refuse bytes for which the rule does not hold.

    Raises:
        FormatError: it does not.
    """
    if not holds:
        raise FormatError(rule)


def signed(value: int) -> int:
    """An unsigned integer of 64 bits as a signed one."""
    return value - (1 << 64) if value >> 63 else value


class Fields:
    """Reads fields from the front. Every method raises ``FormatError`` once the bytes run out."""

    __slots__ = ("_at", "_bytes")

    def __init__(self, data: bytes | memoryview) -> None:
        self._bytes = memoryview(data)
        self._at = 0

    @property
    def at(self) -> int:
        """How many bytes have been read."""
        return self._at

    def take(self, size: int) -> memoryview:
        """So many bytes."""
        start, end = self._at, self._at + size
        if end > len(self._bytes):
            raise FormatError(f"bytes end at {len(self._bytes)}, {end} are needed")
        self._at = end
        return self._bytes[start:end]

    def rest(self) -> memoryview:
        """All that is left."""
        return self.take(len(self._bytes) - self._at)

    def end(self) -> None:
        """Nothing may be left."""
        left = len(self._bytes) - self._at
        demand(left == 0, f"{left} bytes are left over")

    def whole(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._bytes)

    def u8(self) -> int:
        """One byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Two bytes, little-endian."""
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        """Four bytes, little-endian."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """Eight bytes, little-endian."""
        return int.from_bytes(self.take(8), "little")

    def u128(self) -> int:
        """Sixteen bytes, little-endian."""
        return int.from_bytes(self.take(16), "little")

    def i64(self) -> int:
        """Eight bytes, little-endian, signed."""
        return int.from_bytes(self.take(8), "little", signed=True)

    def flag(self) -> bool:
        """One byte, 0 or 1."""
        value = self.u8()
        demand(value < 2, f"a flag is 0 or 1, not {value}")
        return value == 1

    def optional_i64(self) -> int | None:
        """0, or 1 and an i64."""
        return self.i64() if self.flag() else None

    def varint(self) -> int:
        """Seven bits a byte, at most 64 in all."""
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                demand(value <= MOST_64, "a varint has at most 64 bits")
                return value
            shift += 7
            demand(shift < 70, "a varint has at most ten bytes")

    def zigzag(self) -> int:
        """A signed varint: 0, −1, 1, −2, … as 0, 1, 2, 3, …."""
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def sized(self) -> memoryview:
        """Bytes behind their length."""
        return self.take(self.varint())

    def text(self) -> str:
        """Text behind its length."""
        try:
            return str(self.sized(), "utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(f"a text is not UTF-8: {error.reason}") from None
