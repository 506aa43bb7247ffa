"""All cases, in the order they run."""

from bench.cases import (
    clickbench,
    cold,
    distinct,
    double_groupby,
    growth,
    growth_rollups,
    ingest_bulk,
    ingest_small,
    keys,
    lastpoint,
    latency,
    memory,
    mixed,
    percentiles,
    scan,
    seal,
    short,
    size,
    startup,
    startup_large,
    tail_scan,
    tsbs,
    writer,
)
from bench.harness import Case

_FACES = (ingest_bulk, ingest_small, memory, latency, startup, startup_large, writer)
_STORE = (size, seal, tail_scan, scan, lastpoint, cold, mixed)
_QUERIES = (double_groupby, short, tsbs, growth, growth_rollups, clickbench, distinct, percentiles, keys)
CASES: tuple[Case, ...] = tuple(case for group in (*_FACES, *_STORE, *_QUERIES) for case in group.CASES)
