"""The frame of every value of the hot environment but L0's, and the numbers of the tables. FORMAT.md, "Records"."""

from enum import IntEnum

from marigram.inspect.checksum import crc32c
from marigram.inspect.fields import Fields, demand

FORMAT = 1
PACKED = 2
"""That of a packed page of a dictionary."""


class Table(IntEnum):
    """The number of each table; its name is that of the LMDB database."""

    META = 1
    NAMESPACES = 2
    STREAMS = 3
    L0 = 4
    DICTIONARIES = 5
    WRITERS = 6
    DOCUMENTS = 7
    COUNTERS = 8
    QUARANTINE = 9
    MANIFESTS = 10
    PARTS = 11

    @property
    def database(self) -> bytes:
        """The name of the LMDB database."""
        return self.name.lower().encode()


def unframed(table: Table, key: bytes, value: memoryview) -> Fields:
    """What a frame holds, once it is known to be whole."""
    form, fields = _unframed(table, key, value)
    demand(form == FORMAT, f"the format is {FORMAT}, not {form}")
    return fields


def unframed_page(key: bytes, value: memoryview) -> tuple[bool, Fields]:
    """Whether a page of a dictionary is packed, and what its frame holds."""
    form, fields = _unframed(Table.DICTIONARIES, key, value)
    demand(form in (FORMAT, PACKED), f"the format is {FORMAT} or {PACKED}, not {form}")
    return form == PACKED, fields


def _unframed(table: Table, key: bytes, value: memoryview) -> tuple[int, Fields]:
    fields = Fields(value)
    checksum = fields.u32()
    demand(checksum == crc32c(key, value[4:]), "the crc32c over key and value holds")
    form, found = fields.u8(), fields.u8()
    demand(found == table, f"a record of table {table.name.lower()} says {table.value}, not {found}")
    flags = fields.u16()
    demand(flags == 0, f"flags are 0, not {flags:#x}")
    return form, fields
