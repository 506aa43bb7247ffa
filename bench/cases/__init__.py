"""All cases, in the order they run."""

from bench.cases import (
    cold,
    ingest_bulk,
    ingest_small,
    lastpoint,
    latency,
    memory,
    mixed,
    scan,
    seal,
    size,
    startup,
    startup_large,
    tail_scan,
    writer,
)
from bench.harness import Case

_FACES = (ingest_bulk, ingest_small, memory, latency, startup, startup_large, writer)
_STORE = (size, seal, tail_scan, scan, lastpoint, cold, mixed)
CASES: tuple[Case, ...] = tuple(case for group in (*_FACES, *_STORE) for case in group.CASES)
