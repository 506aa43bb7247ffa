"""The shim of shim.c from the test's side: compiled, set, steered while it runs, and its trace read."""

import enum
import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
FIELDS = (
    "writes",
    "syncs",
    "sync_writes",
    "truncates",
    "opens",
    "names",
    "counted",
    "hits",
    "mask",
    "kill_at",
    "torn",
    "fail_at",
    "fail_count",
    "fail_errno",
    "late",
    "sync_delay_us",
)
RECORD = struct.Struct("<IIQQ")


class Kind(enum.IntFlag):
    """What the shim saw; also the bits of its mask."""

    WRITE = 1
    SYNC = 2
    SYNC_WRITE = 4
    TRUNCATE = 8
    OPEN = 16
    MARK = 32
    RENAME = 64
    UNLINK = 128
    MKDIR = 256


@dataclass(frozen=True)
class Record:
    """One call of the trace; ``data``: what was written, the path opened, unlinked or made, both of a rename, or the
    mark."""

    kind: Kind
    file: int
    offset: int
    data: bytes


class Control:
    """The block that the test shares with a process under the shim: ``struct control``, field by field."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(8 * len(FIELDS)))
        self.path = path
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8 * len(FIELDS))

    def __getitem__(self, field: str) -> int:
        (value,) = struct.unpack_from("<Q", self._map, 8 * FIELDS.index(field))
        return int(value)

    def __setitem__(self, field: str, value: int) -> None:
        struct.pack_into("<Q", self._map, 8 * FIELDS.index(field), value)

    def fail(self, errno: int, count: int = 1, mask: Kind = Kind.WRITE | Kind.SYNC_WRITE) -> None:
        """From the next call of ``mask`` on, ``count`` calls fail with ``errno``; count 0: until ``heal``."""
        self["mask"] = mask
        self["fail_errno"] = errno
        self["fail_count"] = count
        self["fail_at"] = self["counted"] + 1

    def heal(self) -> None:
        self["fail_at"] = 0


def build(folder: Path) -> Path:
    """Compile the shim into ``folder``."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    assert compiler, "a C compiler is needed"
    library = folder / "shim.so"
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread"]
    subprocess.run([compiler, *flags, "-o", str(library), str(SOURCE)], check=True)
    return library


def environment(
    library: Path, path_part: str, *, control: Path | None = None, trace: Path | None = None, **settings: int
) -> dict[str, str]:
    """Environment of a process under the shim. ``settings`` are those of shim.c in lower case, such as ``kill_at``."""
    made = dict(os.environ, LD_PRELOAD=str(library), MARIGRAM_SHIM_PATH=path_part)
    if control:
        made["MARIGRAM_SHIM_CONTROL"] = str(control)
    if trace:
        made["MARIGRAM_SHIM_TRACE"] = str(trace)
    return made | {f"MARIGRAM_SHIM_{name.upper()}": str(value) for name, value in settings.items()}


def read_trace(path: Path) -> Iterator[Record]:
    """Yield the calls of a trace; one cut short by the process's death is left out."""
    with path.open("rb") as file:
        while len(head := file.read(RECORD.size)) == RECORD.size:
            kind, number, offset, size = RECORD.unpack(head)
            data = file.read(size)
            if len(data) < size:
                return
            yield Record(Kind(kind), number, offset, data)
