"""A process that holds the engine and may be killed: one JSON command a line in, JSON lines out.

``python -m tests.faults.child`` under the shim or not. Every command ends with one line that has ``done``. Errors of
the engine are answers: ``error`` holds the class, ``reason`` its reason, ``message`` its text.

Commands: open {path, options}, write {producer, first, count, tagged, traced}, seal, roll {widths_s}, recode, query,
delete, verify, status, close, inspect {paths, options, write, traces}.
"""

import ctypes
import json
import select
import sys
from collections.abc import Iterator
from typing import Any

from marigram.engine import _core
from marigram.errors import Corrupt
from marigram.v1 import ingest_pb2, queries_pb2
from tests.faults import rows

NAMESPACE = "faults"
PATIENCE_S = 60.0


class SilenceError(Exception):
    """The engine did not answer in time."""


class Child:
    """One engine at a time, and the commands on it."""

    def __init__(self) -> None:
        self.engine: _core.Engine | None = None
        self.namespace = 0

    def open(self, path: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
        self.engine = _core.Engine(path, options or {})
        found = self.engine.namespace_id(NAMESPACE)
        self.namespace = self.engine.create_namespace(NAMESPACE) if found is None else found
        return {}

    def close(self) -> dict[str, Any]:
        engine, self.engine = self.engine, None
        if engine:
            engine.close()
        return {}

    @property
    def opened(self) -> _core.Engine:
        assert self.engine is not None
        return self.engine

    def answer(self, ticket: int) -> list[bytes]:
        """Wait for a ticket; only one is ever under way here."""
        poll = select.poll()
        poll.register(self.opened.completion_fd(), select.POLLIN)
        for _ in range(100):
            if not poll.poll(PATIENCE_S * 1000):
                break
            for number, result in self.opened.completions():
                if number == ticket:
                    if isinstance(result, Exception):
                        raise result
                    return result
        raise SilenceError

    def write(
        self, producer: str, first: int, count: int, tagged: bool = False, traced: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Write batches one after another; each ack goes into the trace and out at once. Stops at the first error."""
        for index in range(first, first + count):
            say({"sent": [producer, index]})
            request = rows.write_request((producer, index), tagged=tagged, traced=traced).SerializeToString()
            (data,) = self.answer(self.opened.write(self.namespace, _core.WRITE, request))
            response = ingest_pb2.WriteResponse.FromString(data)
            assert response.stored == rows.ROWS, response
            mark(f"{producer} {index}")
            yield {"acked": [producer, index]}

    def seal(self) -> dict[str, Any]:
        sealed, parts, size = self.opened.seal(self.namespace, rows.STREAM)
        return {"rows": sealed, "parts": parts, "bytes": size}

    def roll(self, widths_s: list[int]) -> dict[str, Any]:
        rollups: list[dict[str, Any]] = [
            {"width_ns": width * 1_000_000_000, "keep_for_ns": None, "group_by": [], "sketches": True}
            for width in widths_s
        ]
        self.opened.update_stream(self.namespace, rows.STREAM, 0, {"rollups": rollups})
        return {}

    def recode(self) -> dict[str, Any]:
        parts, before, after = self.opened.recode(self.namespace, rows.STREAM, None)
        return {"parts": parts, "bytes_before": before, "bytes_after": after}

    def query(self, traces: list[tuple[str, int]] | None = None) -> dict[str, Any]:
        """Show every batch: rows of [producer, number, count, distinct, total]. Look for traces of batches."""
        return {
            "shown": [[*batch, seen.count, seen.distinct, seen.total] for batch, seen in self.visible().items()],
            "places": rows.table(self.ask(rows.places_query())),
            "producers": [rows.table(self.ask(spec)) for spec in rows.producer_queries()],
            "traces": [rows.table(self.ask(spec)) for spec in rows.trace_queries(traces)] if traces else [],
        }

    def visible(self) -> dict[rows.Batch, rows.Shown]:
        return rows.shown(self.ask(rows.batches_query()))

    def ask(self, spec: queries_pb2.QuerySpec) -> bytes:
        request = queries_pb2.QueryRequest(spec=spec).SerializeToString()
        try:
            (data,) = self.answer(self.opened.query(self.namespace, _core.QUERY, request, None))
        except Exception as error:
            if getattr(error, "reason", "") == "STREAM_NOT_FOUND":
                return b""
            raise
        return queries_pb2.QueryResponse.FromString(data).arrow

    def delete(self) -> dict[str, Any]:
        deleted, commit = self.opened.delete_stream(self.namespace, rows.STREAM)
        return {"rows": deleted, "commit": commit}

    def verify(self) -> dict[str, Any]:
        try:
            self.opened.verify()
        except Corrupt as error:
            return {"damaged": [error.message]}
        return {"damaged": []}

    def status(self) -> dict[str, Any]:
        return {"status": self.opened.status(self.namespace)}

    def inspect(
        self,
        paths: list[str],
        options: dict[str, Any] | None = None,
        write: int | None = None,
        traces: list[tuple[str, int]] | None = None,
    ) -> Iterator[Any]:
        """Open, verify and query each directory; with ``write`` also store that batch of producer `after`, query again.

        A line before each names it, so that the parent knows which one killed the process.
        """
        for path in paths:
            say({"opening": path})
            result: dict[str, Any] = {"path": path}
            try:
                self.open(path, options)
                result |= self.verify()
                result |= self.query(traces)
                if write is not None:
                    result["before"] = result.pop("shown")
                    list(self.write("after", write, 1))
                    result |= self.query(traces)
            except Exception as error:
                result |= described(error)
            finally:
                try:
                    self.close()
                except Exception as error:
                    result["closing"] = described(error)
            yield result


def described(error: Exception) -> dict[str, Any]:
    return {"error": type(error).__name__, "reason": getattr(error, "reason", ""), "message": str(error)}


def mark(text: str) -> None:
    """Set a mark in the shim's trace, when there is one."""
    try:
        ctypes.CDLL(None).marigram_shim_mark(text.encode(), len(text.encode()))
    except AttributeError:
        return


def say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    child = Child()
    for line in sys.stdin:
        command = json.loads(line)
        name = command.pop("do")
        try:
            result = getattr(child, name)(**command)
            for part in [result] if isinstance(result, dict) else result:
                say(part)
            say({"done": name})
        except Exception as error:
            say({"done": name, **described(error)})
    child.close()


if __name__ == "__main__":
    main()
