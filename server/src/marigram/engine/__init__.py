"""The engine as Python sees it; the compiled part is ``_core``.

``Engine`` is one data directory. Its hot calls take and give encoded messages and belong to an event loop; all others
may wait for a commit and belong on a pool, or in a notebook.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marigram.engine import _core
from marigram.engine.backup import Backup
from marigram.engine.model import (
    CodecStorage,
    Column,
    ColumnStorage,
    ColumnType,
    Layout,
    Ledger,
    Recoded,
    Retention,
    Sealed,
    Sealing,
    Status,
    Stream,
    StreamFigures,
    StreamKind,
    StreamStats,
    StreamStorage,
    Verified,
)
from marigram.engine.tickets import Tickets
from marigram.errors import FailedPrecondition

__all__ = [
    "Backup",
    "CodecStorage",
    "Column",
    "ColumnStorage",
    "ColumnType",
    "Engine",
    "Layout",
    "Ledger",
    "Recoded",
    "Retention",
    "Sealed",
    "Sealing",
    "Status",
    "Stream",
    "StreamFigures",
    "StreamKind",
    "StreamStats",
    "StreamStorage",
    "Verified",
    "WriteSession",
    "verify_directory",
]

WriteSession = _core.WriteSession


class Engine:
    """One data directory, opened. Errors are those of ``marigram.errors``.

    Namespaces are numbers, found by ``namespace_id``. A stream of another namespace is not found.
    """

    def __init__(self, core: _core.Engine) -> None:
        self._core = core
        self._tickets: Tickets | None = None

    @classmethod
    def open(cls, path: Path, options: Mapping[str, Any] | None = None) -> "Engine":
        """Opens the directory, or makes it.

        Args:
            options: as `_core.Engine` lists them.

        Raises:
            FailedPrecondition: another process has it open, its format is newer, or it lies on a network filesystem.
            Corrupt: what it holds is not what was written.
            InvalidArgument: there is no such option.
        """
        return cls(_core.Engine(str(path), options or {}))

    def unsound_indexes(self) -> list[str]:
        """What was wrong with indexes of dictionaries when the directory was opened. No answer depends on it: the texts
        have been read instead."""
        return self._core.unsound_indexes()

    def start(self) -> None:
        """Lets the running event loop answer hot calls."""
        self._tickets = Tickets(self._core, asyncio.get_running_loop())

    def stop(self) -> None:
        """The event loop answers no more; outstanding hot calls fail. On that loop; a second call does nothing."""
        if self._tickets is not None:
            self._tickets.close()

    def close(self) -> None:
        """Finishes what is queued, commits, closes. A second call does nothing."""
        self._core.close()

    # Hot calls.

    def write(self, namespace: int, request: bytes) -> asyncio.Future[list[bytes]]:
        """An encoded ``WriteRequest``; answers one encoded ``WriteResponse`` once the rows are durable."""
        tickets = self._running()
        return tickets.future(self._core.write(namespace, _core.WRITE, request))

    def write_stream(self, namespace: int, request: bytes, session: WriteSession) -> asyncio.Future[list[bytes]]:
        """One message of a WriteStream; answers one encoded ``BatchOutcome``. ``session`` is one a call."""
        tickets = self._running()
        return tickets.future(self._core.write(namespace, _core.WRITE_STREAM, request, session))

    def track(self, namespace: int, request: bytes) -> asyncio.Future[list[bytes]]:
        """An encoded ``TrackEventsRequest``; answers one encoded ``TrackEventsResponse``."""
        tickets = self._running()
        return tickets.future(self._core.write(namespace, _core.TRACK_EVENTS, request))

    async def query(self, namespace: int, request: bytes, timeout_seconds: float | None) -> bytes:
        """An encoded ``QueryRequest``; answers an encoded ``QueryResponse``. Cancelling the caller cancels the query.

        Raises:
            DeadlineExceeded: it took longer than ``timeout_seconds``.
            LimitExceeded: the answer, or the work for it, is larger than the budget.
        """
        return (await self._asked(namespace, _core.QUERY, request, timeout_seconds))[0]

    async def stream_query(self, namespace: int, request: bytes, timeout_seconds: float | None) -> list[bytes]:
        """As ``query`` for an encoded ``StreamQueryRequest``; answers the encoded frames in order."""
        return await self._asked(namespace, _core.STREAM_QUERY, request, timeout_seconds)

    async def explain_query(self, namespace: int, request: bytes, timeout_seconds: float | None) -> bytes:
        """As ``query`` for an encoded ``ExplainQueryRequest``; answers an encoded ``ExplainQueryResponse``."""
        return (await self._asked(namespace, _core.EXPLAIN_QUERY, request, timeout_seconds))[0]

    async def list_events(self, namespace: int, request: bytes, timeout_seconds: float | None) -> bytes:
        """As ``query`` for an encoded ``ListEventsRequest``; answers an encoded ``ListEventsResponse``."""
        return (await self._asked(namespace, _core.LIST_EVENTS, request, timeout_seconds))[0]

    async def get_event(self, namespace: int, request: bytes, timeout_seconds: float | None) -> bytes:
        """As ``query`` for an encoded ``GetEventRequest``; answers an encoded ``GetEventResponse``.

        Raises:
            NotFound: there is no event with this id, or no longer.
        """
        return (await self._asked(namespace, _core.GET_EVENT, request, timeout_seconds))[0]

    async def explore_dimension(self, namespace: int, request: bytes, timeout_seconds: float | None) -> bytes:
        """As ``query`` for an encoded ``ExploreDimensionRequest``; answers an encoded ``ExploreDimensionResponse``."""
        return (await self._asked(namespace, _core.EXPLORE_DIMENSION, request, timeout_seconds))[0]

    def pressure(self) -> tuple[int, int]:
        """(throttle in percent, advised bytes in flight) for writers."""
        return self._core.pressure()

    # Writers and namespaces.

    def open_writer(self, namespace: int, writer: str) -> tuple[int, int]:
        """(epoch, next sequence), durable: every earlier opener of the name is fenced.

        Raises:
            InvalidArgument: the name breaks a rule.
            LimitExceeded: the namespace has as many writers as it may.
        """
        return self._core.open_writer(namespace, writer)

    def create_namespace(self, name: str) -> int:
        """The new namespace's number.

        Raises:
            AlreadyExists: there is one of this name.
        """
        return self._core.create_namespace(name)

    def namespace_id(self, name: str) -> int | None:
        """The number of a namespace; None if there is none of this name."""
        return self._core.namespace_id(name)

    def namespaces(self) -> list[tuple[str, int]]:
        """(name, number) of all, ascending by name."""
        return sorted(self._core.namespaces())

    def allow_stream_creation(self, namespace: int, allowed: bool) -> None:
        """Whether a write to a stream that is not there makes it."""
        self._core.set_stream_creation(namespace, allowed)

    def allows_stream_creation(self, namespace: int) -> bool:
        """Whether a write to a stream that is not there makes it."""
        return self._core.stream_creation(namespace)

    def set_quota(self, namespace: int, max_rows: int, max_bytes: int) -> None:
        """What a namespace may store, in rows and in bytes of the log and of parts; 0: any number."""
        self._core.set_quota(namespace, max_rows, max_bytes)

    def quota(self, namespace: int) -> tuple[int, int, int, int]:
        """What a namespace may store, and what it does: (max_rows, max_bytes, rows, bytes)."""
        return self._core.quota(namespace)

    # Streams.

    def create_stream(self, namespace: int, spec: Mapping[str, Any]) -> tuple[Stream, int]:
        """The new stream and its commit.

        Args:
            spec: ``name``, ``kind``, ``columns`` and settings, named as in ``Stream``; absent settings are defaults.

        Raises:
            AlreadyExists: the namespace has one of this name.
            InvalidArgument: a column or a setting breaks a rule.
        """
        stream, commit = self._core.create_stream(namespace, spec)
        return Stream.of(stream), commit

    def stream(self, namespace: int, name: str) -> Stream:
        """The stream of this id.

        Raises:
            NotFound: there is none.
        """
        return Stream.of(self._core.stream(namespace, name))

    def streams(self, namespace: int, after: str, limit: int) -> list[Stream]:
        """At most ``limit`` streams with a name greater than ``after``, ascending."""
        return [Stream.of(stream) for stream in self._core.streams(namespace, after, limit)]

    def update_stream(self, namespace: int, name: str, version: int, changes: Mapping[str, Any]) -> tuple[Stream, int]:
        """The stream as changed, and the commit.

        Args:
            version: the one the change was thought out for; 0 is any.
            changes: settings by name, and ``columns`` to add or to describe anew.

        Raises:
            NotFound: there is none of this name.
            VersionConflict: it has another version by now.
            InvalidArgument: a change breaks a rule; nothing is changed then.
        """
        stream, commit = self._core.update_stream(namespace, name, version, changes)
        return Stream.of(stream), commit

    def delete_stream(self, namespace: int, name: str) -> tuple[int, int]:
        """(rows deleted, commit from which on they are gone).

        Raises:
            NotFound: there is none of this name.
        """
        return self._core.delete_stream(namespace, name)

    def seal(self, namespace: int, name: str) -> Sealed:
        """Seals all rows of a stream that are committed by now; back when that is durable.

        Raises:
            NotFound: there is none of this name.
            StoreFull: there is no room for parts.
            Corrupt: rows to be sealed are damaged; nothing was changed.
        """
        return Sealed(*self._core.seal(namespace, name))

    def recode(self, namespace: int, name: str, before_ns: int | None) -> Recoded:
        """Writes sealed parts anew with the codecs of cold parts: all, or those whose last row is older than
        ``before_ns``; back when that is durable.

        Raises:
            NotFound: there is none of this name.
            StoreFull: there is no room for a part beside the one that it replaces.
            Corrupt: a part is damaged; those before it are recoded.
        """
        return Recoded(*self._core.recode(namespace, name, before_ns))

    def apply_retention(self, namespace: int, name: str, dry_run: bool) -> Retention:
        """Drops the parts that a stream does not keep, or only says which these are.

        Raises:
            NotFound: there is none of this name.
        """
        return Retention(*self._core.apply_retention(namespace, name, dry_run))

    # Documents of rooms, compared and set by version. Namespace 0 is the server's own.

    def get_document(self, namespace: int, room: str, id: str) -> tuple[bytes, int] | None:  # noqa: A002
        """(bytes, version), or None."""
        return self._core.get_document(namespace, room, id)

    def put_document(self, namespace: int, room: str, id: str, data: bytes, expected: int | None) -> int:  # noqa: A002
        """The new version. ``expected`` 0: it must be new; None: whatever is there.

        Raises:
            VersionConflict: another version is there.
        """
        return self._core.put_document(namespace, room, id, data, expected)

    def list_documents(self, namespace: int, room: str, after: str, limit: int) -> list[tuple[str, bytes, int]]:
        """At most ``limit`` (id, bytes, version) with an id greater than ``after``, ascending."""
        return self._core.list_documents(namespace, room, after, limit)

    # Figures.

    def status(self, namespace: int) -> Status:
        """Figures of now."""
        return Status.of(self._core.status(namespace))

    def storage(self, namespace: int, name: str) -> StreamStorage:
        """What a stream takes on the disk, by column and codec. It looks at each block, and may take long.

        Raises:
            NotFound: there is none of this name.
            Corrupt: a part is damaged.
        """
        return StreamStorage.of(self._core.storage(namespace, name))

    def verify(self) -> Verified:
        """Reads everything that is stored and checks it, while writes and queries go on. It may take long.

        Raises:
            Corrupt: something is not what was written; the message names its table or part.
            Overloaded: the engine was closed meanwhile.
        """
        return Verified(**self._core.verify())

    def backup(self, target: Path, base: Path | None = None) -> Backup:
        """Makes a backup while everything goes on: all that was committed when it was begun. For a pool.

        Args:
            target: a directory that is not there.
            base: an earlier backup of the same store on the same filesystem, whose parts are shared.

        Raises:
            AlreadyExists: the target is there.
            StoreFull: there is no room for it; nothing of it is left.
            Corrupt: the store is damaged.
        """
        return Backup.from_core(_core.backup(self._core, target, base))

    async def _asked(self, namespace: int, method: int, request: bytes, timeout_seconds: float | None) -> list[bytes]:
        tickets = self._running()
        return await tickets.answer(self._core.query(namespace, method, request, _nanoseconds(timeout_seconds)))

    def _running(self) -> Tickets:
        if self._tickets is None:
            raise FailedPrecondition("hot calls need an event loop: call start() on it", reason="ENGINE_NOT_STARTED")
        self._tickets.must_be_open()
        return self._tickets


def verify_directory(path: Path, *, allow_network_filesystem: bool = False) -> Verified:
    """As ``Engine.verify``, of a directory that no server holds: opens it, reads everything, closes it.

    Raises:
        FailedPrecondition: there is no store in it, or it cannot be opened, as ``Engine.open`` says.
        Corrupt: something is not what was written; the message names its table or part.
    """
    return Verified(**_core.verify_directory(str(path), allow_network_filesystem))


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1e9)
