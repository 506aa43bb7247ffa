"""Files under measurement: what they take on disk, and whether they are in the system's cache."""

import ctypes
import mmap
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = mmap.PAGESIZE
RESERVE, HOT = "reserve", "hot.mdb"
# Theirs says nothing of rows: locks, which server runs, the log of this one.
WITHOUT_ROWS = frozenset({RESERVE, "lock", "hot.mdb-lock", "server.json"})


@dataclass(frozen=True)
class Footprint:
    """Bytes of a stopped server's data directory, the reserve file left out.

    Attributes:
        hot: pages in use of the hot environment.
        others: all other files, parts above all.
        directory: the files as long as they are, with pages of the hot environment that are free again.
    """

    hot: int
    others: int
    directory: int

    @property
    def used(self) -> int:
        """What the rows need, everything counted."""
        return self.hot + self.others


def footprint(data: Path) -> Footprint:
    """Measures the data directory of a server that is not running."""
    others = sum(file.stat().st_size for file in _files(data) if file.name not in {HOT, *WITHOUT_ROWS})
    return Footprint(hot=_in_use(data / HOT), others=others, directory=others + (data / HOT).stat().st_size)


def evict(place: Path) -> None:
    """Takes the files of a directory, or a file, out of the system's cache, once they are on disk.

    Pages that a process has mapped and touched stay: ``resident`` tells. So does what caches below this system hold.
    """
    for file in _files(place):
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def resident(place: Path) -> int:
    """Bytes of the files of a directory, or of a file, that are in the system's cache."""
    return sum(_resident(file) for file in _files(place))


def _resident(file: Path) -> int:
    size = file.stat().st_size
    if size == 0:
        return 0
    mincore = ctypes.CDLL(None, use_errno=True).mincore
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), size, access=mmap.ACCESS_COPY) as mapped:
        pages = (ctypes.c_ubyte * -(-size // PAGE))()
        first = ctypes.c_char.from_buffer(mapped)
        try:
            failed = mincore(ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(size), pages)
        finally:
            del first
        if failed:
            raise OSError(ctypes.get_errno(), f"mincore of {file}")
        return sum(page & 1 for page in bytes(pages)) * PAGE


def _in_use(hot: Path) -> int:
    """Size of a compacted copy: LMDB keeps pages that are free for its next rows, and zeros ahead of them."""
    import lmdb  # the cases are listed without it too

    with tempfile.TemporaryDirectory(dir=hot.parent.parent) as place:
        copy = Path(place) / HOT
        with lmdb.open(str(hot), subdir=False, readonly=True, lock=False) as environment:
            environment.copy(str(copy), compact=True)
        return copy.stat().st_size


def _files(place: Path) -> Iterator[Path]:
    return (file for file in ([place] if place.is_file() else sorted(place.rglob("*"))) if file.is_file())
