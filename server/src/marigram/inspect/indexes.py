"""The index of a dictionary, which repeats what its texts say: FORMAT.md, ``dictionaries``, and ``codec/entries.rs``.

Nothing is read by it here. That it has each code once and in order of hash is checked; hashes are not compared with the
texts, for want of an XXH3 in Python: ``marigram verify`` does that.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marigram.inspect.codecs import BLOCK, codes
from marigram.inspect.fields import Fields, demand

RECORD = 1 << 16
"""Entries of a record but for the last of a run."""
_KEY = struct.Struct(">4xIII")  # behind the column: 0, first code, end, number


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the run of the codes from ``first`` to before ``end``."""

    first: int
    end: int
    number: int
    hashes: NDArray[np.uint32]
    codes: NDArray[np.uint32]


def is_index(key: bytes) -> bool:
    """Whether the key of ``dictionaries`` is that of a record of an index, not of a page."""
    return key[10:14] == bytes(4)


def read(key: bytes, fields: Fields) -> Record:
    """A record of an index."""
    demand(len(key) == 26, f"a key of an index has 26 bytes, not {len(key)}")
    count = fields.varint()
    demand(0 < count <= RECORD, f"a record of an index has 1 to {RECORD:,} entries, not {count:,}")
    found: tuple[list[NDArray[np.uint32]], ...] = ([], [])
    for start in range(0, count, BLOCK):
        for values in found:
            values.append(codes(fields.sized(), min(BLOCK, count - start)))
    fields.end()
    return Record(*_KEY.unpack(key[10:]), *map(np.concatenate, found))


def check_run(run: list[Record], follows: int) -> int:
    """Checks the records of one run, whose first code is to be ``follows``; its end."""
    first, end = run[0].first, run[0].end
    demand(first == follows, f"a run of an index begins where the last one ends: {follows} follows, not {first}")
    sizes = [len(record.codes) for record in run]
    demand([record.number for record in run] == [*range(len(run))], "records of a run are numbered from 0")
    demand(set(sizes[:-1]) <= {RECORD}, f"a record of a run has {RECORD:,} entries but for the last")
    demand(sum(sizes) == end - first, f"a run of {end - first:,} codes has {sum(sizes):,} entries")
    of_run = np.concatenate([record.codes for record in run])
    hashes = np.concatenate([record.hashes for record in run])
    both = hashes.astype(np.uint64) << np.uint64(32) | of_run
    demand((both[1:] > both[:-1]).all(), "entries of a run ascend")
    demand((np.sort(of_run) == np.arange(first, end)).all(), "a run has each of its codes once")
    return end
