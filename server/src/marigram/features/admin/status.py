"""Figures of the running server."""

import os
import time
from importlib.metadata import version
from pathlib import Path

from marigram import wire
from marigram.call import current
from marigram.engine import Engine, Ledger, Sealing
from marigram.feature import Methods
from marigram.features.admin import names
from marigram.v1 import admin_pb2, common_pb2


class Figures:
    """The part of `AdminService` about the server itself: process and store as a whole, rows of the caller's
    namespace."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._version = version("marigram")
        self._started_ns = time.time_ns()

    def register(self, methods: Methods) -> None:
        """Says what is served."""
        methods.control(f"{names.SERVICE}/GetStatus", admin_pb2.GetStatusRequest, self.get)

    def get(self, request: admin_pb2.GetStatusRequest) -> admin_pb2.GetStatusResponse:
        """The figures now."""
        return admin_pb2.GetStatusResponse(status=self.now(current().caller.namespace_id))

    def now(self, namespace: int) -> admin_pb2.ServerStatus:
        """The figures now, as a namespace sees them. Looks at files and locks: not for the event loop."""
        found = self._engine.status(namespace)
        return admin_pb2.ServerStatus(
            version=self._version,
            start_time=wire.to_timestamp(self._started_ns),
            now=wire.to_timestamp(time.time_ns()),
            accepting_writes=found.accepting,
            refusal_reason=found.refusal_reason,
            resident_bytes=resident_bytes(),
            tail_rows=found.tail_rows,
            tail_bytes=found.tail_bytes,
            tail_limit_bytes=found.tail_limit_bytes,
            queue_bytes=found.queue_bytes,
            dictionary_bytes=found.dictionary_bytes,
            commits=found.commits,
            commit_latency=admin_pb2.CommitLatency(
                p50=wire.to_duration(found.commit_p50_ns), p99=wire.to_duration(found.commit_p99_ns)
            ),
            rate=admin_pb2.IngestRate(rows_per_second=found.rows_per_second, bytes_per_second=found.bytes_per_second),
            disk_bytes=found.disk_bytes,
            disk_free_bytes=found.disk_free_bytes,
            ledger=to_message(found.ledger),
            streams=(
                admin_pb2.StreamStatus(
                    name=f"streams/{stream.name}",
                    rows=stream.rows,
                    entities=stream.entities,
                    watermark_ns=stream.watermark_ns,
                    rows_per_second=stream.rows_per_second,
                    sealed_rows=stream.sealed_rows,
                    parts=stream.parts,
                    sealed_bytes=stream.sealed_bytes,
                )
                for stream in found.streams
            ),
            queries_running=found.queries_running,
            queries_waiting=found.queries_waiting,
            sealing=sealing(found.sealing),
            maps=admin_pb2.MapStatus(
                hot_limit_bytes=found.maps.hot_limit_bytes,
                hot_bytes=found.maps.hot_bytes,
                parts=found.maps.parts,
                part_bytes=found.maps.part_bytes,
            ),
            result_cache=admin_pb2.ResultCacheStatus(
                answers=found.result_cache.answers,
                bytes=found.result_cache.bytes,
                limit_bytes=found.result_cache.limit_bytes,
                hits=found.result_cache.hits,
                misses=found.result_cache.misses,
            ),
        )


def sealing(found: Sealing) -> admin_pb2.SealingStatus:
    """What is sealed, for the wire."""
    return admin_pb2.SealingStatus(
        lag_rows=found.lag_rows,
        lag_bytes=found.lag_bytes,
        lag=wire.to_duration(found.lag_ns),
        parts=found.parts,
        sealed_rows=found.sealed_rows,
        sealed_bytes=found.sealed_bytes,
        seals=found.seals,
        footer_bytes=found.footer_bytes,
        failure_reason=found.failure_reason,
        damaged_parts=found.damaged_parts,
    )


def to_message(ledger: Ledger) -> admin_pb2.Ledger:
    """The ledger for the wire."""
    return admin_pb2.Ledger(
        received=ledger.received,
        stored=ledger.stored,
        rejected=(common_pb2.RejectionCount(reason=reason, rows=rows) for reason, rows in ledger.rejected),
        duplicate=ledger.duplicate,
        late=ledger.late,
    )


def resident_bytes() -> int:
    """Resident memory of this process; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0
