"""Which disks a power cut could leave, from a trace of writes, syncs and renames.

The model: a write is durable once a sync of its file came back. Until then each of its 512-byte sectors may or may not
be on the disk, in any order. A write through an O_DSYNC descriptor makes itself durable, and nothing else; one under
way may also be torn between any two aligned words. A file reaches to its last durable or surviving sector. Names made,
changed and removed are durable once their directory was synced; until then some first part of a directory's changes is
there, as a journal would have it. Without its directory nothing is.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from tests.faults.shim import Kind, Record

SECTOR = 512
WORD = 8
FOLDER = 0  # number of a name that is a folder


@dataclass(frozen=True)
class State:
    """One disk: the files by name, the marks that the process had set by then, and how it came about."""

    files: dict[str, bytes]
    marks: list[bytes]
    story: str

    def write_to(self, folder: Path) -> None:
        for name, data in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)


@dataclass
class File:
    """One file: what is surely on the disk, and what may be."""

    image: bytearray = field(default_factory=bytearray)
    pending: list[Record] = field(default_factory=list)

    def sync(self) -> None:
        for record in self.pending:
            apply(self.image, record)
        self.pending.clear()

    def step(self, record: Record, lose_synced: int) -> None:
        """Let one call happen to it."""
        if record.kind is Kind.SYNC:
            if not lose_synced:
                self.sync()
            return
        if record.kind is Kind.SYNC_WRITE and not lose_synced:
            if self.pending:  # later than they are, but durable before them
                self.pending.append(record)
            apply(self.image, record)
            return
        self.pending.append(record)
        while lose_synced and len(self.pending) > lose_synced:
            apply(self.image, self.pending.pop(0))

    def survivor(self, keep: float, dice: random.Random) -> bytearray:
        """What is left of it when each unsynced sector reaches the disk with probability ``keep``."""
        image = bytearray(self.image)
        for record in self.pending:
            for sector in sectors(record):
                if dice.random() < keep:
                    apply(image, sector)
        return image


def apply(image: bytearray, record: Record) -> None:
    """Do a write or a truncate to a file's bytes."""
    if record.kind is Kind.TRUNCATE:
        del image[record.offset :]
        image.extend(bytes(record.offset - len(image)))
        return
    end = record.offset + len(record.data)
    if len(image) < end:
        image.extend(bytes(end - len(image)))
    image[record.offset : end] = record.data


def sectors(record: Record) -> Iterator[Record]:
    """Cut a write where the disk's sectors end."""
    if record.kind is Kind.TRUNCATE:
        yield record
        return
    at, end = record.offset, record.offset + len(record.data)
    while at < end:
        stop = min(end, (at // SECTOR + 1) * SECTOR)
        yield Record(record.kind, record.file, at, record.data[at - record.offset : stop - record.offset])
        at = stop


class Disk:
    """All files below a root, their names, and what the power cut may do to either."""

    def __init__(self, root: PurePath) -> None:
        self.root = root
        self.files: dict[int, File] = {}
        self.folders: dict[int, str] = {}
        self.names: dict[str, int] = {}
        self.pending: list[Record] = []  # openings of new files, renames, unlinks, folders made

    def step(self, record: Record, lose_synced: int) -> bool:
        """Let one call happen; say whether it could change anything."""
        if record.kind is Kind.OPEN:
            name = self._name(record.data)
            if name is None or record.file in self.files or record.file in self.folders:
                return False
            if record.data.endswith(b"/"):
                self.folders[record.file] = name
                return False
            self.files[record.file] = File()
            self.pending.append(record)
        elif record.kind in {Kind.RENAME, Kind.UNLINK, Kind.MKDIR}:
            if self._name(record.data.split(b"\0")[0]) in {None, "."}:
                return False
            self.pending.append(record)
        elif record.file in self.folders:
            if not lose_synced:
                synced = self.folders[record.file]
                self.names = self._names({synced: len(self.pending)})
                self.pending = [each for each in self.pending if self._folder(each) != synced]
        elif record.file in self.files:
            self.files[record.file].step(record, lose_synced)
        else:
            return False
        return True

    @property
    def uncertain(self) -> bool:
        return bool(self.pending) or any(file.pending for file in self.files.values())

    def survivors(self, keep: float, dice: random.Random, torn: Record | None = None) -> dict[str, bytes]:
        """Choose what is there after the cut; ``torn`` is a write that was under way."""
        folders = sorted({self._folder(record) for record in self.pending})
        count = len(self.pending)
        many = {folder: {0.0: 0, 1.0: count}.get(keep, dice.randint(0, count)) for folder in folders}
        names = self._names(many)
        left: dict[str, bytes] = {}
        for name, number in names.items():
            above = {str(folder) for folder in PurePath(name).parents} - {"."}
            if number == FOLDER or not above <= names.keys():
                continue
            image = self.files[number].survivor(keep, dice)
            if torn and torn.file == number:
                apply(image, torn)
            left[name] = bytes(image)
        return left

    def _names(self, many: Mapping[str, int]) -> dict[str, int]:
        """The names once so many of the pending changes of each folder are done."""
        names, left = dict(self.names), dict(many)
        for record in self.pending:
            folder = self._folder(record)
            left[folder] = left.get(folder, 0) - 1
            if left[folder] < 0:
                continue
            paths = [self._name(path) or "" for path in record.data.split(b"\0")]
            if record.kind in {Kind.OPEN, Kind.MKDIR}:
                names[paths[0]] = record.file if record.kind is Kind.OPEN else FOLDER
            elif (number := names.pop(paths[0], None)) is not None and record.kind is Kind.RENAME:
                names[paths[1]] = number
        return names

    def _folder(self, record: Record) -> str:
        """The folder whose entries it changes; a rename stays in its own."""
        return str(PurePath(self._name(record.data.split(b"\0")[0]) or "").parent)

    def _name(self, path: bytes) -> str | None:
        pure = PurePath(path.decode())
        return str(pure.relative_to(self.root)) if pure.is_relative_to(self.root) else None


def states(
    trace: Sequence[Record],
    root: PurePath,
    dice: random.Random,
    per_cut: int,
    *,
    first: int = 0,
    lose_synced: int = 0,
) -> Iterator[State]:
    """Yield up to ``per_cut`` disks for each call of the trace from number ``first`` on, the cut coming right after it.

    ``root``: the folder that names are relative to; files outside are left out. ``lose_synced``: the control. So many
    writes of a file stay uncertain whatever was synced, as if syncs did nothing.
    """
    disk = Disk(root)
    marks: list[bytes] = []
    for number, record in enumerate(trace):
        if record.kind is Kind.MARK:
            marks.append(record.data)
            continue
        if not disk.step(record, lose_synced) or number < first:
            continue
        choices = [0.0, 1.0, *(dice.choice((0.1, 0.5, 0.9)) for _ in range(per_cut - 2))] if disk.uncertain else [1.0]
        for keep in choices:
            files = disk.survivors(keep, dice)
            yield State(files, list(marks), f"call {number} ({record.kind.name}), sectors kept {keep}")
        following = next((each for each in trace[number + 1 :] if each.kind is not Kind.MARK), None)
        if following and following.kind is Kind.SYNC_WRITE and following.file in disk.files:
            for _ in range(max(1, per_cut // 2)):
                length = dice.randrange(WORD, max(2 * WORD, len(following.data)), WORD)
                torn = Record(following.kind, following.file, following.offset, following.data[:length])
                story = f"call {number + 1} torn after {length} of {len(following.data)} bytes"
                yield State(disk.survivors(1.0, dice, torn), list(marks), story)
