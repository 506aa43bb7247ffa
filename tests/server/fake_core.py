"""A core in memory that answers when a test says so: for order, failures and pressure, which the real one has no lever
for."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from marigram.errors import AlreadyExists, Cancelled, NotFound, VersionConflict
from marigram.v1 import ingest_pb2

Answer = list[bytes] | Exception


class FakeCore:
    """As `marigram.engine._core.Engine`. Hot calls wait in ``asked`` until ``answer`` is called, unless ``reply`` is
    set."""

    def __init__(self, path: str = "", options: Mapping[str, Any] | None = None) -> None:
        self.asked: dict[int, bytes] = {}
        self.cancelled: list[int] = []
        self.reply: Any = None
        self.throttle = (0, 1 << 20)
        self.closed = False
        self._reader, self._writer = os.pipe()
        self._done: list[tuple[int, Answer]] = []
        self._tickets = 0
        self._namespaces: dict[str, int] = {}
        self._documents: dict[tuple[int, str, str], tuple[bytes, int]] = {}

    def unsound_indexes(self) -> list[str]:
        return []

    def close(self) -> None:
        self.closed = True  # a second time changes nothing

    # Hot calls.

    def write(self, namespace: int, method: int, request: bytes, session: object = None) -> int:
        return self._ask(request)

    def query(self, namespace: int, method: int, request: bytes, timeout_ns: int | None) -> int:
        return self._ask(request)

    def cancel(self, ticket: int) -> None:
        self.cancelled.append(ticket)
        self.answer(ticket, Cancelled("the query was cancelled"))

    def answer(self, ticket: int, answer: Answer) -> None:
        self.asked.pop(ticket, None)
        self._done.append((ticket, answer))
        os.write(self._writer, b"!")

    def outcome(self, ticket: int, **fields: Any) -> None:
        """Answers a message of a WriteStream as stored, at its own sequence."""
        sequence = ingest_pb2.WriteStreamRequest.FromString(self.asked[ticket]).sequence
        outcome = ingest_pb2.WriteResponse(commit=sequence, stored=1, **fields)
        self.answer(ticket, [ingest_pb2.BatchOutcome(sequence=sequence, outcome=outcome).SerializeToString()])

    def completion_fd(self) -> int:
        return self._reader

    def completions(self) -> list[tuple[int, Answer]]:
        if self._done:
            os.read(self._reader, len(self._done))
        done, self._done = self._done, []
        return done

    def pressure(self) -> tuple[int, int]:
        return self.throttle

    def _ask(self, request: bytes) -> int:
        self._tickets += 1
        self.asked[self._tickets] = request
        if self.reply is not None:
            self.answer(self._tickets, self.reply)
        return self._tickets

    # Namespaces and documents.

    def create_namespace(self, name: str) -> int:
        if name in self._namespaces:
            raise AlreadyExists("there is a namespace of this name", reason="NAMESPACE_EXISTS")
        self._namespaces[name] = len(self._namespaces) + 1
        return self._namespaces[name]

    def namespace_id(self, name: str) -> int | None:
        return self._namespaces.get(name)

    def namespaces(self) -> list[tuple[str, int]]:
        return list(self._namespaces.items())

    def set_stream_creation(self, namespace: int, allowed: bool) -> None: ...

    def quota(self, namespace: int) -> tuple[int, int, int, int]:
        return 0, 0, 0, 0

    def stream_creation(self, namespace: int) -> bool:
        return True

    def get_document(self, namespace: int, room: str, id: str) -> tuple[bytes, int] | None:  # noqa: A002
        return self._documents.get((namespace, room, id))

    def put_document(self, namespace: int, room: str, id: str, data: bytes, expected: int | None) -> int:  # noqa: A002
        key = (namespace, room, id)
        version = self._documents[key][1] if key in self._documents else 0
        if expected not in (None, version):
            raise VersionConflict("the document has another version")
        self._documents[key] = (data, version + 1)
        return version + 1

    def list_documents(self, namespace: int, room: str, after: str, limit: int) -> list[tuple[str, bytes, int]]:
        found = sorted(
            (key[2], *value)
            for key, value in self._documents.items()
            if key[:2] == (namespace, room) and key[2] > after
        )
        return found[:limit]

    def stream(self, namespace: int, name: str) -> dict[str, Any]:
        raise NotFound("there is no such stream", reason="STREAM_NOT_FOUND")

    def streams(self, namespace: int, after: str, limit: int) -> Sequence[dict[str, Any]]:
        return []
