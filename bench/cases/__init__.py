"""All cases, in the order they run."""

from bench.cases import ingest_bulk, ingest_small, latency, memory, startup, writer
from bench.harness import Case

_GROUPS = (ingest_bulk, ingest_small, memory, latency, startup, writer)
CASES: tuple[Case, ...] = tuple(case for group in _GROUPS for case in group.CASES)
