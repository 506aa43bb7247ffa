"""`CreateBackup` and `ListBackups`: copies of the whole store below a directory that the operator has named."""

import re
import threading
import time
from pathlib import Path

from marigram import wire
from marigram.call import current
from marigram.engine import Backup, Engine
from marigram.engine.backup import look_at
from marigram.errors import AlreadyExists, Corrupt, FailedPrecondition, InvalidArgument, LimitExceeded, NotFound
from marigram.feature import Methods
from marigram.features.admin import names
from marigram.v1 import admin_pb2

SECONDS = 1_800.0  # connections end after 35 minutes
RETRY_SECONDS = 10.0
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
UNFINISHED = ".unfinished"


class Backups:
    """The part of `AdminService` that makes backups, one at a time. ``directory`` is where; None: nowhere."""

    def __init__(self, engine: Engine, pages: wire.PageTokens, directory: Path | None) -> None:
        self._engine = engine
        self._pages = pages
        self._directory = directory
        self._turn = threading.Lock()

    def register(self, methods: Methods) -> None:
        """Says what is served."""
        create = (f"{names.SERVICE}/CreateBackup", admin_pb2.CreateBackupRequest, self.create)
        methods.control(*create, seconds=SECONDS, lengthy=True)
        methods.control(f"{names.SERVICE}/ListBackups", admin_pb2.ListBackupsRequest, self.list)

    def create(self, request: admin_pb2.CreateBackupRequest) -> admin_pb2.CreateBackupResponse:
        """A backup that is whole, and has been read back.

        Raises:
            InvalidArgument: a name breaks the rule.
            FailedPrecondition: the server has no directory for backups, or the base is one of another store.
            NotFound: there is no such base.
            AlreadyExists: there is something of this name.
            LimitExceeded: somebody else's is being made.
            StoreFull: there is no room for it; nothing of it is left.
            Corrupt: the store or the list of the base is damaged.
        """
        name = wire.resource_id(request.name, "backups", ID, "name", reason="BAD_BACKUP_ID")
        base = wire.resource_id(request.base, "backups", ID, "base", reason="BAD_BACKUP_ID") if request.base else ""
        directory = self._made()
        if base == name:
            raise InvalidArgument("a backup is no base of itself", reason="BAD_BACKUP_ID", field="base")
        if base and not (directory / base).is_dir():
            raise NotFound("there is no such backup", reason="BACKUP_NOT_FOUND", field="base", resource=request.base)
        if not self._turn.acquire(blocking=False):
            raise LimitExceeded(
                "backups are made one at a time, and one is being made now",
                reason="BACKUP_RUNNING",
                retry_after=RETRY_SECONDS,
            )
        try:
            began = time.monotonic_ns()
            made = self._engine.backup(directory / name, directory / base if base else None)
            elapsed = time.monotonic_ns() - began
        except AlreadyExists as error:
            raise AlreadyExists(
                "there is a backup of this name; nothing is written over",
                reason=error.reason,
                field="name",
                resource=request.name,
            ) from error
        finally:
            self._turn.release()
        return admin_pb2.CreateBackupResponse(
            backup=to_message(name, made),
            sealed_rows=made.sealed_rows,
            unsealed_rows=made.unsealed_rows,
            copied_parts=made.parts - made.shared_parts,
            shared_parts=made.shared_parts,
            shared_bytes=made.shared_bytes,
            elapsed=wire.to_duration(elapsed),
        )

    def list(self, request: admin_pb2.ListBackupsRequest) -> admin_pb2.ListBackupsResponse:
        """A page of what is there; other directories are left out. Files are counted, not read."""
        caller = current().caller.namespace_id
        size = wire.page_size(request.page_size)
        after = self._pages.read(caller, request)
        directory = self._named()
        try:
            entries = folders(directory) if directory.exists() else []
        except OSError as error:
            raise _unusable("read", error) from error
        found = sorted({name.removesuffix(UNFINISHED) for name in entries})
        seen = []
        for name in found:
            if ID.fullmatch(name) and name > after and (backup := self._look(directory, name)) is not None:
                seen.append((name, backup))
            if len(seen) > size:
                break
        token = self._pages.make(caller, request, seen[size - 1][0]) if len(seen) > size else ""
        return admin_pb2.ListBackupsResponse(backups=(backup for _, backup in seen[:size]), next_page_token=token)

    def _look(self, directory: Path, name: str) -> admin_pb2.Backup | None:
        try:
            return to_message(name, look_at(directory / name))
        except Corrupt:
            return admin_pb2.Backup(name=f"backups/{name}")
        except FailedPrecondition as error:
            if error.reason == "NOT_A_BACKUP" and not (directory / f"{name}{UNFINISHED}").is_dir():
                return None  # a directory of somebody else
            return admin_pb2.Backup(name=f"backups/{name}")

    def _named(self) -> Path:
        if self._directory is None:
            raise FailedPrecondition(
                "this server makes no backups: its setting backup_dir names no directory for them",
                reason="BACKUP_DIRECTORY_UNSET",
            )
        return self._directory

    def _made(self) -> Path:
        directory = self._named()
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable("made", error) from error
        return directory


def folders(directory: Path) -> list[str]:
    """Names of the directories in one."""
    return [entry.name for entry in directory.iterdir() if entry.is_dir()]


def _unusable(what: str, error: OSError) -> FailedPrecondition:
    return FailedPrecondition(
        f"the directory that backup_dir names cannot be {what}", reason="BACKUP_DIRECTORY_UNUSABLE", detail=str(error)
    )


def to_message(name: str, made: Backup) -> admin_pb2.Backup:
    """A backup that is complete, for the wire."""
    return admin_pb2.Backup(
        name=f"backups/{name}",
        complete=True,
        create_time=wire.to_timestamp(made.created_ns),
        files=made.files,
        size_bytes=made.bytes,
        commits=(
            admin_pb2.BackupCommit(namespace=f"namespaces/{namespace}", commit=commit)
            for namespace, commit in made.commits
        ),
    )
