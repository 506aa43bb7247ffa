"""Which disks a power cut could leave, from a trace of writes and syncs.

The model: a write is durable once a sync of its file came back. Until then each of its 512-byte sectors may or may not
be on the disk, in any order. A write through an O_DSYNC descriptor makes itself durable, and nothing else; one under
way may also be torn between any two aligned words. A file reaches to its last durable or surviving sector.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from tests.faults.shim import Kind, Record

SECTOR = 512
WORD = 8


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
class Disk:
    """One file: what is surely on the disk, and what may be."""

    image: bytearray = field(default_factory=bytearray)
    pending: list[Record] = field(default_factory=list)

    def sync(self) -> None:
        for record in self.pending:
            apply(self.image, record)
        self.pending.clear()


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


def survivors(disk: Disk, keep: float, dice: random.Random) -> bytes:
    """What is left of a file when each unsynced sector reaches the disk with probability ``keep``."""
    image = bytearray(disk.image)
    for record in disk.pending:
        for sector in sectors(record):
            if dice.random() < keep:
                apply(image, sector)
    return bytes(image)


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
    disks: dict[int, Disk] = {}
    names: dict[int, str] = {}
    marks: list[bytes] = []
    for number, record in enumerate(trace):
        if record.kind is Kind.MARK:
            marks.append(record.data)
            continue
        if record.kind is Kind.OPEN:
            path = PurePath(record.data.decode())
            if path.is_relative_to(root):
                names[record.file] = str(path.relative_to(root))
                disks.setdefault(record.file, Disk())
            continue
        if record.file not in names:
            continue
        disk = disks[record.file]
        step(disk, record, lose_synced)
        if number < first:
            continue
        uncertain = any(each.pending for each in disks.values())
        choices = [0.0, 1.0, *(dice.choice((0.1, 0.5, 0.9)) for _ in range(per_cut - 2))] if uncertain else [1.0]
        for keep in choices:
            files = {names[file]: survivors(each, keep, dice) for file, each in disks.items()}
            yield State(files, list(marks), f"call {number} ({record.kind.name}), sectors kept {keep}")
        following = next((each for each in trace[number + 1 :] if each.kind is not Kind.MARK), None)
        if following and following.kind is Kind.SYNC_WRITE and following.file in names:
            for _ in range(max(1, per_cut // 2)):
                files = {names[file]: bytes(each.image) for file, each in disks.items()}
                length = dice.randrange(WORD, max(2 * WORD, len(following.data)), WORD)
                image = bytearray(survivors(disks[following.file], 1.0, dice))
                apply(image, Record(following.kind, following.file, following.offset, following.data[:length]))
                files[names[following.file]] = bytes(image)
                yield State(files, list(marks), f"call {number + 1} torn after {length} of {len(following.data)} bytes")


def step(disk: Disk, record: Record, lose_synced: int) -> None:
    """Let one call happen to a file."""
    if record.kind is Kind.SYNC:
        if not lose_synced:
            disk.sync()
        return
    if record.kind is Kind.SYNC_WRITE and not lose_synced:
        if disk.pending:  # later than they are, but durable before them
            disk.pending.append(record)
        apply(disk.image, record)
        return
    disk.pending.append(record)
    while lose_synced and len(disk.pending) > lose_synced:
        apply(disk.image, disk.pending.pop(0))
