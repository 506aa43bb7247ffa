"""Files beside the data, for this user alone: the pepper, the first key, and where the server listens."""

import json
import os
import secrets
from pathlib import Path

from marigram.errors import FailedPrecondition

PEPPER = "pepper"
ADMIN_KEY = "admin.key"
SERVER = "server.json"


def make_directory(directory: Path) -> None:
    """The data directory, closed to others if it is new.

    Raises:
        FailedPrecondition: it cannot be made.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FailedPrecondition(
            f"the data directory cannot be made: {error.strerror}", reason="DATA_DIRECTORY_UNUSABLE", detail=str(error)
        ) from error


def pepper(directory: Path, *, may_make: bool) -> bytes:
    """The pepper, made at the first start.

    Raises:
        FailedPrecondition: it is gone, though keys were made with it: none of them would ever match again.
    """
    file = directory / PEPPER
    if file.exists():
        return bytes.fromhex(file.read_text())
    if not may_make:
        raise FailedPrecondition(
            f"the data directory holds keys but not the file {PEPPER} they were made with: restore it",
            reason="PEPPER_MISSING",
        )
    made = secrets.token_bytes(32)
    write_private(file, made.hex() + "\n")
    return made


def write_private(file: Path, text: str) -> None:
    """Writes a 0600 file, durable, in one step: it is there whole or not at all."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(descriptor)
    draft.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def announce(directory: Path, host: str, port: int) -> None:
    """Says where the server listens, so that commands beside it find it. A server that was killed leaves it behind."""
    write_private(directory / SERVER, json.dumps({"host": host, "port": port, "pid": os.getpid()}) + "\n")


def withdraw(directory: Path) -> None:
    """The server listens no more."""
    (directory / SERVER).unlink(missing_ok=True)
