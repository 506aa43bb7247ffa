"""``ingest-bulk``: many narrow points in large columnar batches, until all are durable, and until all are sealed."""

from collections.abc import Mapping
from functools import partial
from time import perf_counter

from bench import driver, messages, sealing
from bench.cases.duckdb import DuckDb, DuckDbHost
from bench.cases.ours import Ours
from bench.data import narrow_points
from bench.driver import Metadata, Run
from bench.harness import OURS, Case, Contender, Size
from bench.producers import split

ROWS: Mapping[str, Mapping[Size, int]] = {
    "": {"small": 1_000_000, "full": 10_000_000},
    "100m": {"small": 1_000_000, "full": 100_000_000},
}
MESSAGE_ROWS = 65_536  # 1.2 MB
STREAMS = 1
IN_FLIGHT = 4


def _contenders(length: str, sealed: bool, size: Size) -> Mapping[str, Contender]:
    rows = ROWS[length][size]
    parts = split(narrow_points(rows), STREAMS, MESSAGE_ROWS)
    writers = [f"bulk-{number}" for number in range(STREAMS)]
    streams = [messages.stream_requests(part, writer=name) for part, name in zip(parts, writers, strict=True)]

    def work(address: str, metadata: Metadata) -> Run:
        run = driver.write_streams(address, metadata, streams, in_flight=IN_FLIGHT, channels=STREAMS)
        if not sealed:
            return run
        began = perf_counter()
        found = sealing.seal(address, metadata, messages.STREAM)
        if found.rows != rows:
            raise RuntimeError(f"{rows} rows were written, {found.rows} sealed")
        return Run(run.seconds + perf_counter() - began, run.waits)

    host = DuckDbHost()
    try:
        host.child.call("prepare_bulk", rows=rows)
    except BaseException:
        host.close()
        raise
    made: dict[str, Contender] = {OURS: Ours(rows, writers, work)}
    if sealed:
        return made | {"duckdb_sorted": DuckDb(host, rows, "bulk_sorted")}
    made["duckdb"] = DuckDb(host, rows, "bulk", compression="auto")
    if not length:
        made["duckdb_uncompressed"] = DuckDb(host, rows, "bulk", compression="uncompressed")
    return made


def _case(length: str, sealed: bool) -> Case:
    return Case(
        name=f"ingest-bulk/{'sealed' if sealed else 'points'}{length}",
        unit="Mrows/s",
        bigger_is_better=True,
        target=2.0 if sealed else 1.5,
        contenders=partial(_contenders, length, sealed),
        judged=None
        if sealed
        else ("duckdb",),  # the other writes 2.3 times the bytes, by a setting meant for debugging
        rounds={"small": 1, "full": 3 if length else 5},
    )


CASES = tuple(_case(length, sealed) for length in ROWS for sealed in (False, True))
