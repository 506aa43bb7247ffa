"""VictoriaMetrics (Debian's package ``victoria-metrics``) beside the cases of size and of one entity's hour.

- A process of its own on a loopback port, ``GOMAXPROCS=2``, ``-retentionPeriod=100y``; it keeps milliseconds.
- Rows go in by ``/api/v1/import``, a line of JSON a series; then ``force_flush``, ``force_merge``, and a wait until
  nothing is merged. A row of TSBS is ten points of ten series.
- One entity's hour is one ``query_range`` of ``aggr_over_time``, ``nocache=1``; its windows end where ours do, since
  its are closed at their end and all times are whole milliseconds. Over one kept connection.
- Events are no series: it has no part in those.
"""

import http.client
import itertools
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.cpu import METRICS
from bench.peers.store import Rows, StorePeer
from bench.process import core_seconds, end
from bench.questions import Question, What
from bench.tables import KEY

PROGRAM = "victoria-metrics"
START_SECONDS = 30.0
MERGE_SECONDS = 600.0
LOOK_SECONDS, IDLE_LOOKS = 0.1, 5
MERGES = ("vm_active_merges", "vm_active_force_merges")
REQUEST_BYTES = 8_000_000
MINUTE_MS = 60_000
MS_NS = 1_000_000
END_S, WHOLE = 1_720_000_000, "10y"  # an instant after all rows, and back before the first
COUNT = "count_over_time"
FUNCTIONS = (COUNT, "min_over_time", "max_over_time", "avg_over_time")


def is_here() -> bool:
    """True if the program is installed."""
    return shutil.which(PROGRAM) is not None


class Peer(StorePeer):
    """A VictoriaMetrics. Metrics of the small table have another name."""

    def _create(self, codecs: str) -> None:
        self._open()

    def _open(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        flags = {
            "storageDataPath": self.path,
            "httpListenAddr": f"127.0.0.1:{port}",
            "retentionPeriod": "100y",
            "loggerLevel": "ERROR",
            "search.maxQueryDuration": "600s",
        }
        command = [PROGRAM, *(f"-{name}={value}" for name, value in flags.items())]
        environment = {**os.environ, "GOMAXPROCS": "2"}
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=MERGE_SECONDS)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._get("/health")
                return
            except (OSError, http.client.HTTPException):
                self._connection.close()
                if time.monotonic() > deadline or self._process.poll() is not None:
                    self._shut()
                    raise
                time.sleep(0.05)

    def _shut(self) -> None:
        self._connection.close()
        end(self._process, 60.0)

    def _processor_seconds(self) -> float:
        return core_seconds(self._process.pid)

    def _fill(self, table: str, rows: pa.Table) -> None:
        lines: list[bytes] = []
        held = 0
        for line in self._lines(table, rows):
            lines.append(line)
            held += len(line)
            if held > REQUEST_BYTES:
                self._call("POST", "/api/v1/import", b"\n".join(lines))
                lines, held = [], 0
        if lines:
            self._call("POST", "/api/v1/import", b"\n".join(lines))
        self._get("/internal/force_flush")

    def _lines(self, table: str, rows: pa.Table) -> Iterator[bytes]:
        key = rows[KEY[self.data.name]].to_numpy()
        times = rows["time"].cast(pa.timestamp("ms")).cast(pa.int64()).to_numpy()
        order = np.argsort(key, kind="stable")  # rows of a key keep their order: by time but for jitter
        edges = np.flatnonzero(np.diff(key[order], prepend=-1, append=-1).astype(bool))
        names = METRICS if self.data.name == "cpu" else ("value",)
        values = {name: rows[name].to_numpy()[order] for name in names}
        times = times[order]
        for start, stop in itertools.pairwise(edges):
            stamps = times[start:stop].tolist()
            for name in names:
                metric = {"__name__": f"{table}_{name}", "key": str(key[order[start]])}
                line = {"metric": metric, "values": values[name][start:stop].tolist(), "timestamps": stamps}
                yield json.dumps(line, separators=(",", ":")).encode()

    def _finish(self) -> None:
        self._get("/internal/force_merge")  # answers before it has begun
        deadline = time.monotonic() + MERGE_SECONDS
        idle = 0
        while idle < IDLE_LOOKS and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            idle = 0 if self._merging() else idle + 1

    def _merging(self) -> bool:
        lines = self._get("/metrics").decode().splitlines()
        return any(line.startswith(MERGES) and not line.endswith(" 0") for line in lines)

    def _bytes(self) -> int:
        places = (Path(self.path) / name for name in ("data", "indexdb"))  # what is not a cache
        return sum(file.stat().st_size for place in places for file in place.rglob("*") if file.is_file())

    def _fill_names(self, names: pa.Table) -> None:
        raise NotImplementedError("events are no series")

    def _ask(self, what: What, table: str, asked: Question | None) -> Any:
        if what == "check":
            return self._check(table)
        if asked is None:
            raise NotImplementedError(what)
        first = asked.start_ns // MS_NS // MINUTE_MS * MINUTE_MS
        ends = range(first + MINUTE_MS, asked.end_ns // MS_NS + MINUTE_MS, MINUTE_MS)
        functions = ", ".join(f'"{name}"' for name in FUNCTIONS)
        query = f'aggr_over_time(({functions}), {table}_value{{key="{asked.series}"}}[1m])'
        return self._range(query, ends[0] - 1, ends[-1] - 1)

    def _check(self, table: str) -> Rows:
        wanted = [("value", name) for name in FUNCTIONS]
        if self.data.name == "cpu":
            wanted = [(METRICS[0], COUNT), *((name, "sum_over_time") for name in METRICS)]
        rows: dict[int, list[Any]] = {}
        for metric, function in wanted:
            whole = function == COUNT or self.data.name == "cpu"
            query = f"{function}({table}_{metric}[{WHOLE}])"
            found = json.loads(self._get("/api/v1/query", query=query, time=str(END_S), nocache="1"))
            for series in found["data"]["result"]:
                number = float(series["value"][1])
                rows.setdefault(int(series["metric"]["key"]), []).append(int(number) if whole else number)
        return [[key, *rows[key]] for key in sorted(rows)]

    def _range(self, query: str, first_ms: int, last_ms: int, step_s: int = 60) -> bytes:
        span = {"start": f"{first_ms / 1e3:.3f}", "end": f"{last_ms / 1e3:.3f}", "step": f"{step_s}s", "nocache": "1"}
        return self._get("/api/v1/query_range", query=query, **span)

    def _get(self, path: str, **arguments: str) -> bytes:
        return self._call("GET", f"{path}?{urllib.parse.urlencode(arguments)}" if arguments else path, None)

    def _call(self, method: str, path: str, body: bytes | None) -> bytes:
        self._connection.request(method, path, body)
        answer = self._connection.getresponse()
        read = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{path}: {answer.status} {read[:500]!r}")
        return read

    def _rows(self, what: What, reply: Any) -> Rows:
        if what == "check":
            rows: Rows = reply
            return rows
        columns: dict[str, dict[int, float]] = {}
        for series in json.loads(reply)["data"]["result"]:
            columns[series["metric"]["rollup"]] = {round(at * 1e3): float(value) for at, value in series["values"]}
        counts, *others = (columns.get(name, {}) for name in FUNCTIONS)
        return [
            [(end + 1 - MINUTE_MS) * MS_NS, int(counts[end]), *(other[end] for other in others)]
            for end in sorted(counts)
        ]
