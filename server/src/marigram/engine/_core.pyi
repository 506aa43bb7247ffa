"""The Rust core as Python sees it. Every call releases the interpreter; errors are the classes of `marigram.errors`.

Namespaces are numbers here (`namespace_id` finds them); times are Unix nanoseconds unless a name says otherwise.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, final

VERSION: str

WRITE: Literal[1]
WRITE_STREAM: Literal[2]
TRACK_EVENTS: Literal[3]
QUERY: Literal[1]
STREAM_QUERY: Literal[2]
LIST_EVENTS: Literal[3]
GET_EVENT: Literal[4]
EXPLORE_DIMENSION: Literal[5]
EXPLAIN_QUERY: Literal[6]

@final
class WriteSession:
    """What a WriteStream's first message said: its writer and epoch. One a call."""
    def __init__(self) -> None: ...

@final
class Engine:
    """One data directory, opened. Methods may be called from any thread; `write`, `query`, `cancel` and `completions`
    take constant time and are made for the event loop, the others may wait for a commit and belong on a pool."""

    def __init__(self, path: str, options: Mapping[str, Any]) -> None:
        """Opens or makes the directory. Options, all optional: map_size, tail_limit_bytes, quarantine_limit_bytes,
        reserve_bytes, min_free_bytes, max_writers, allow_network_filesystem, seals, scrub_bytes_per_second,
        footer_bytes, ingest_threads, query_workers, max_query_rows, max_query_groups, max_query_bytes,
        result_cache_bytes, seed (ints but
        for the flags)."""

    def close(self) -> None:
        """Stops taking work, finishes what is queued, commits, closes. A second call does nothing."""

    # Hot calls: bytes in, bytes out.
    def write(self, namespace: int, method: int, request: bytes, session: WriteSession | None = None) -> int:
        """Hands an encoded request to the ingest pool; returns its ticket. The answer is one encoded message:
        WriteResponse, BatchOutcome (for WRITE_STREAM) or TrackEventsResponse."""

    def query(self, namespace: int, method: int, request: bytes, timeout_ns: int | None) -> int:
        """Hands an encoded request to the query slots; returns its ticket. The answer is the method's one encoded
        response, or the encoded StreamQueryResponse frames in order."""

    def cancel(self, ticket: int) -> None:
        """Asks a query to stop; it still completes, with Cancelled. Unknown tickets are ignored."""

    def completion_fd(self) -> int:
        """An eventfd that is readable when completions wait; the event loop watches it."""

    def completions(self) -> list[tuple[int, list[bytes] | Exception]]:
        """Takes what has completed, and clears the eventfd."""

    def pressure(self) -> tuple[int, int]:
        """(throttle_percent, advised_window_bytes) for WriteStream acks."""

    def unsound_indexes(self) -> list[str]:
        """What was wrong with sealed indexes of dictionaries when the store was opened: texts were hashed instead."""

    def open_writer(self, namespace: int, writer: str) -> tuple[int, int]:
        """(epoch, next_sequence), durable."""

    # Namespaces.
    def create_namespace(self, name: str) -> int: ...
    def namespace_id(self, name: str) -> int | None: ...
    def namespaces(self) -> list[tuple[str, int]]: ...
    def set_stream_creation(self, namespace: int, allowed: bool) -> None: ...
    def stream_creation(self, namespace: int) -> bool: ...
    def set_quota(self, namespace: int, max_rows: int, max_bytes: int) -> None:
        """0: any number."""

    def quota(self, namespace: int) -> tuple[int, int, int, int]:
        """(max_rows, max_bytes, rows, bytes)."""

    # Streams. A stream is a dict: name, kind (1 event, 2 metric), columns [{id, name, type, description, unit}] with
    # type a number of ColumnType, strict, out_of_orderness_ns, allowed_lateness_ns, idle_after_ns, max_age_ns | None,
    # keep_for_ns | None, cold_after_ns | None, rollups [{width_ns, keep_for_ns | None, group_by [name], sketches}],
    # description, created_ns, version, and stats {received, stored, rejected [(reason, rows)], duplicate, late,
    # entities, max_time_ns | None, watermark_ns | None, log_bytes, commit, sealed_rows, sealed_bytes, parts}.
    def create_stream(self, namespace: int, spec: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        """`spec` has name, kind, columns [{name, type, description, unit}] and the settings; what is absent is default.

        Returns the stream and its commit."""

    def stream(self, namespace: int, name: str) -> dict[str, Any]: ...
    def streams(self, namespace: int, after: str, limit: int) -> list[dict[str, Any]]:
        """At most `limit` streams with a name greater than `after`, ascending."""

    def update_stream(
        self, namespace: int, name: str, version: int, changes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], int]:
        """`changes` holds the settings to change, and `columns` to add or redescribe. version 0: whatever it is now."""

    def delete_stream(self, namespace: int, name: str) -> tuple[int, int]:
        """(rows, commit)."""

    def seal(self, namespace: int, name: str) -> tuple[int, int, int]:
        """Seals all rows committed by now: (rows, parts, bytes)."""

    def recode(self, namespace: int, name: str, before_ns: int | None) -> tuple[int, int, int]:
        """Writes parts anew with heavier codecs: (parts, bytes before, bytes after)."""

    def apply_retention(self, namespace: int, name: str, dry_run: bool) -> tuple[int, int, int, int | None]:
        """Drops the parts that the stream does not keep: (parts, rows, bytes, time before which they end | None)."""

    # Documents of features: compare-and-set by version. Namespace 0 is the server's own.
    def get_document(self, namespace: int, room: str, name: str) -> tuple[bytes, int] | None: ...
    def put_document(self, namespace: int, room: str, name: str, data: bytes, expected: int | None) -> int:
        """expected 0: must be new; None: whatever is there. Returns the new version."""

    def delete_document(self, namespace: int, room: str, name: str, expected: int | None) -> None: ...
    def list_documents(self, namespace: int, room: str, after: str, limit: int) -> list[tuple[str, bytes, int]]: ...
    def status(self, namespace: int) -> dict[str, Any]:
        """accepting (bool), refusal_reason, tail_rows, tail_bytes, tail_limit_bytes, queue_bytes, dictionary_bytes,
        commits, commit_p50_ns, commit_p99_ns, rows_per_second, bytes_per_second, disk_bytes, disk_free_bytes,
        queries_running, queries_waiting, ledger {received, stored, rejected [(reason, rows)], duplicate, late} of the
        namespace, sealing {lag_rows, lag_bytes, lag_ns, parts, sealed_rows, sealed_bytes, seals, footer_bytes,
        failure_reason, damaged_parts}, maps {hot_limit_bytes, hot_bytes, parts, part_bytes}, result_cache
        {answers, bytes, limit_bytes, hits, misses}, streams [{name, rows, entities, watermark_ns | None,
        rows_per_second, sealed_rows, parts, sealed_bytes}] (the first 1,000 by name)."""

    def storage(self, namespace: int, name: str) -> dict[str, Any]:
        """What a stream takes on the disk: name, parts, sealed_rows, sealed_bytes, lag_rows, lag_bytes, lag_ns, columns
        [{name, layout (1 f64, 2 i64, 3 bool, 4 code, 5 text), rows, nulls, blocks, bytes, plain_bytes, codecs [(name,
        blocks, bytes)]}]."""

    def verify(self) -> dict[str, int]:
        """Checks every header and block: records, l0_values, batches, blocks, rows, bytes (of the log), parts,
        part_blocks, part_rows, part_bytes. Corrupt names what is damaged."""

def verify_directory(path: str, allow_network_filesystem: bool) -> dict[str, int]:
    """As `Engine.verify`, of a directory that no server holds."""

def stopped_uncleanly(path: Path) -> bool:
    """Whether a directory holds a store that nobody has open and whose last transaction marks no clean stop."""

def check_after_crash(path: Path, allow_network_filesystem: bool) -> tuple[bool, str, str] | None:
    """Reads what opening the store reads, and changes nothing. What is wrong: whether it is damage, message, detail.
    Bytes that cannot be mapped may end the process."""

# Backups. Dicts: store_id, created_ns, commits (name and commit of each namespace), files, bytes, shared_parts,
# shared_bytes, records, parts, sealed_rows, unsealed_rows; of a rollback transaction, kept and the last four.
def backup(engine: Engine, target: Path, base: Path | None = None) -> dict[str, Any]:
    """Makes a backup of an open directory while everything goes on."""

def backup_offline(directory: Path, target: Path, base: Path | None = None) -> dict[str, Any]:
    """Makes a backup of a directory that nobody has open."""

def verify_backup(path: Path) -> dict[str, Any]:
    """Reads everything in a backup and checks it."""

def look_at_backup(path: Path) -> dict[str, Any]:
    """What the list of a backup says, and that its files are there in their sizes; rows and parts are 0."""

def restore_backup(path: Path, target: Path) -> dict[str, Any]:
    """Makes a directory from a backup, and checks it before it has its name."""

def rollback_to_previous(directory: Path) -> dict[str, Any]:
    """Rolls a directory that nobody has open back by one transaction."""
