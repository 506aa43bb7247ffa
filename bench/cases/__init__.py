"""All cases, in the order they run."""

from bench.cases import ingest_bulk, ingest_small, memory
from bench.harness import Case

CASES: tuple[Case, ...] = (*ingest_bulk.CASES, *ingest_small.CASES, *memory.CASES)
