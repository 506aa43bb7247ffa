"""Backups of a data directory, and the way back. Paths here are the operator's; no server is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marigram.engine import _core


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds, all of it read and checked."""

    store_id: str
    created_ns: int
    commits: tuple[tuple[str, int], ...]
    """Name and last commit of each namespace."""
    files: int
    bytes: int
    sealed_rows: int
    unsealed_rows: int
    parts: int
    shared_parts: int
    """Parts that take no room, since an earlier backup has them."""
    shared_bytes: int

    @classmethod
    def from_core(cls, found: Mapping[str, Any]) -> "Backup":
        """From the core's dict."""
        kept = {name: found[name] for name in cls.__dataclass_fields__ if name != "commits"}
        return cls(**kept, commits=tuple(found["commits"]))


@dataclass(frozen=True, slots=True)
class Rollback:
    """What a store was rolled back to, and where it is kept as it was."""

    transaction: int
    kept: Path
    sealed_rows: int
    unsealed_rows: int


def create(directory: Path, target: Path, base: Path | None = None) -> Backup:
    """Makes a backup of a data directory that no server holds.

    Args:
        target: a directory that is not there.
        base: an earlier backup of the same store on the same filesystem, whose parts are shared.

    Raises:
        FailedPrecondition: a server holds the directory, it is none, or ``base`` is no backup of it.
        AlreadyExists: the target is there.
        StoreFull: there is no room for it; nothing of it is left.
        Corrupt: the store is damaged.
    """
    return Backup.from_core(_core.backup_offline(directory, target, base))


def verify(path: Path) -> Backup:
    """Reads everything in a backup and checks it; nothing is changed.

    Raises:
        FailedPrecondition: it is no backup, or one of a newer format.
        Corrupt: a file of it is not what was written; the message names file and rule.
    """
    return Backup.from_core(_core.verify_backup(path))


def look_at(path: Path) -> Backup:
    """What the list of a backup says, once each of its files is found in its size; none is read, so that rows and parts
    are 0.

    Raises:
        FailedPrecondition: it is no backup, or one of a newer format.
        Corrupt: a file is missing, is one too many, or has another size.
    """
    return Backup.from_core(_core.look_at_backup(path))


def restore(path: Path, target: Path) -> Backup:
    """Makes a data directory, absent or empty until now, from a backup. Errors as ``create`` and ``verify``."""
    return Backup.from_core(_core.restore_backup(path, target))


def rollback(directory: Path) -> Rollback:
    """Rolls a data directory that no server holds back to before its last transaction; it is kept as it was beside it.

    Raises:
        FailedPrecondition: a server holds the directory, or it is none.
        AlreadyExists: what an earlier rollback has kept is there.
        Corrupt: the earlier snapshot is damaged too, or parts that it names are gone; nothing was changed.
    """
    found = _core.rollback_to_previous(directory)
    return Rollback(
        transaction=found["transaction"],
        kept=Path(found["kept"]),
        sealed_rows=found["sealed_rows"],
        unsealed_rows=found["unsealed_rows"],
    )
