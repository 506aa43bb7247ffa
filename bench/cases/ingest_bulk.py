"""``ingest-bulk``: many narrow points in large columnar batches, durable at the end."""

from collections.abc import Mapping

from bench import driver, messages
from bench.cases.duckdb import DuckDb, DuckDbHost
from bench.cases.ours import Ours
from bench.data import narrow_points
from bench.driver import Metadata, Run
from bench.harness import OURS, Case, Contender, Size
from bench.producers import split

ROWS: Mapping[Size, int] = {"small": 1_000_000, "full": 10_000_000}
MESSAGE_ROWS = 65_536  # 1.2 MB
STREAMS = 1
IN_FLIGHT = 4


def _contenders(size: Size) -> Mapping[str, Contender]:
    rows = ROWS[size]
    parts = split(narrow_points(rows), STREAMS, MESSAGE_ROWS)
    writers = [f"bulk-{number}" for number in range(STREAMS)]
    streams = [messages.stream_requests(part, writer=name) for part, name in zip(parts, writers, strict=True)]

    def work(address: str, metadata: Metadata) -> Run:
        return driver.write_streams(address, metadata, streams, in_flight=IN_FLIGHT, channels=STREAMS)

    host = DuckDbHost()
    try:
        host.child.call("prepare_bulk", rows=rows)
    except BaseException:
        host.close()
        raise
    return {
        OURS: Ours(rows, writers, work),
        "duckdb": DuckDb(host, rows, "bulk", compression="auto"),
        "duckdb_uncompressed": DuckDb(host, rows, "bulk", compression="uncompressed"),
    }


CASES = (
    Case(
        name="ingest-bulk/points",
        unit="Mrows/s",
        bigger_is_better=True,
        target=1.5,
        contenders=_contenders,
        judged=("duckdb",),  # the other writes 2.3 times the bytes, by a setting meant for debugging
    ),
)
