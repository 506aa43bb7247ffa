"""The list of a backup: what it says of the store, and every file by size and crc32c. FORMAT.md, "Backups"."""

import re
from dataclasses import dataclass
from pathlib import Path

from marigram.inspect.checksum import crc32c, crc32c_of_file
from marigram.inspect.damage import Damages
from marigram.inspect.fields import demand

LIST = "BACKUP"
_LINES = re.compile(
    r"marigram backup\nformat 1\nstore ([0-9a-f]{32})\ncreated_ns (\d+)\n"
    r"((?:namespace \d+ \d+ [^\n]*\n)*)((?:file \d+ [0-9a-f]{8} [^\n]+\n)+)crc32c ([0-9a-f]{8})\n"
)


@dataclass(frozen=True, slots=True)
class Backup:
    """What the list says. Files are (bytes, crc32c, path)."""

    store: int
    created_ns: int
    namespaces: tuple[tuple[int, int, str], ...]
    files: tuple[tuple[int, int, str], ...]


def read_list(directory: Path, damages: Damages) -> Backup | None:
    """The list of a backup; None if the directory is no backup, or its list is damaged."""
    file = directory / LIST
    if not file.is_file():
        return None
    with damages.at(LIST, "the list"):
        data = file.read_bytes()
        match = _LINES.fullmatch(data.decode(errors="replace"))
        if match is None:
            demand(False, "the list has its lines in their order")
            return None
        store, created, namespaces, files, checksum = match.groups()
        end = data.rindex(b"crc32c ")
        demand(int(checksum, 16) == crc32c(data[:end]), "the crc32c of the list holds")
        spaces = tuple(_words(line) for line in namespaces.splitlines())
        listed = tuple(_words(line) for line in files.splitlines())
        return Backup(
            int(store, 16),
            int(created),
            tuple((int(number), int(commit), name) for number, commit, name in spaces),
            tuple((int(size), int(crc, 16), name) for size, crc, name in listed),
        )
    return None


def check(directory: Path, damages: Damages) -> Backup | None:
    """Compare every file with the list, if there is one."""
    backup = read_list(directory, damages)
    if backup is None:
        return None
    names = {name for _, _, name in backup.files}
    there = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    for name in sorted(there - names - {LIST, "lock"}):
        with damages.at(name, "the file"):
            demand(False, "a backup has the files of its list and no others")
    for size, checksum, name in backup.files:
        with damages.at(name, "the file"):
            demand(name in there, "a file of the list is there")
            found = (directory / name).stat().st_size
            demand(found == size, f"the file has {size} bytes by the list, {found} are there")
            demand(crc32c_of_file(directory / name) == checksum, "the crc32c of the file is the list's")
    return backup


def _words(line: str) -> tuple[str, str, str]:
    _, first, second, rest = line.split(" ", 3)
    return first, second, rest
