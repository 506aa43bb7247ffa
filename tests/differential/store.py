"""The engine in this process, asked one question at a time."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from marigram.engine import ColumnType, Engine, StreamKind
from marigram_client import answers, batches
from marigram_client._pb.marigram.v1 import ingest_pb2, queries_pb2

TIMEOUT_SECONDS = 60.0


class Store:
    """A data directory of its own with one namespace. Belongs to one event loop, which it brings along."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._engine = Engine.open(path)
        self._namespace = self._engine.create_namespace("differential")
        self._loop.run_until_complete(self._start())

    async def _start(self) -> None:
        self._engine.start()

    def close(self) -> None:
        """Stop and close."""
        self._loop.call_soon(self._engine.stop)
        self._loop.run_until_complete(asyncio.sleep(0))
        self._engine.close()
        self._loop.close()

    def create(self, stream: str, kind: StreamKind, columns: Sequence[tuple[str, ColumnType]]) -> None:
        """A stream with these columns beside those of its kind."""
        declared = [{"name": name, "type": int(type_)} for name, type_ in columns]
        self._engine.create_stream(self._namespace, {"name": stream, "kind": int(kind), "columns": declared})

    def write(self, stream: str, rows: batches.Rows) -> None:
        """Commit rows as one batch; each must be stored."""
        request = ingest_pb2.WriteRequest(stream=stream, batch=rows.batch(0, len(rows)), atomic=True)
        answer = self._loop.run_until_complete(self._written(request.SerializeToString()))
        assert ingest_pb2.WriteResponse.FromString(answer).stored == len(rows)

    def seal(self, stream: str) -> None:
        """Seal what is committed by now."""
        self._engine.seal(self._namespace, stream)

    def ask(self, spec: Any) -> pa.Table:
        """The answer to a query, with its provenance. Errors are those of `marigram.errors`."""
        request = queries_pb2.StreamQueryRequest(spec=spec).SerializeToString()
        frames = self._loop.run_until_complete(self._engine.stream_query(self._namespace, request, TIMEOUT_SECONDS))
        read = [queries_pb2.StreamQueryResponse.FromString(frame) for frame in frames]
        return answers.table([frame.arrow for frame in read], read[-1].provenance)

    async def _written(self, request: bytes) -> bytes:
        return (await self._engine.write(self._namespace, request))[0]
