"""``ingest-small``: batches of 1,000 rows, each durable by itself, from one client and from sixteen.

Each on this disk as it is, and with 2 ms more for each sync, which is what many disks take.
"""

from collections.abc import Mapping
from functools import partial

from bench import driver, messages
from bench.cases.duckdb import DuckDb, DuckDbHost
from bench.cases.ours import Ours
from bench.data import narrow_points
from bench.driver import Metadata, Run
from bench.harness import OURS, Case, Contender, Size
from bench.producers import split

BATCH_ROWS = 1_000
STREAMS = 16
IN_FLIGHT = 4
DELAY_US = 2_000
BATCHES: Mapping[str, Mapping[Size, int]] = {
    "unary": {"small": 100, "full": 3_000},
    "streams16": {"small": 320, "full": 8_000},
    "unary-2ms": {"small": 50, "full": 1_000},
    "streams16-2ms": {"small": 320, "full": 4_000},
}


def _unary(detail: str, delay_us: int, size: Size) -> Mapping[str, Contender]:
    rows = BATCHES[detail][size] * BATCH_ROWS
    [batches] = split(narrow_points(rows), 1, BATCH_ROWS)
    requests = [
        messages.write_request(batch, writer="unary", sequence=number) for number, batch in enumerate(batches, start=1)
    ]

    def work(address: str, metadata: Metadata) -> Run:
        return driver.write_each(address, metadata, requests)

    host = _host(rows, 1, delay_us)
    return {
        OURS: Ours(rows, ["unary"], work, delay_us, with_waits=True),
        "duckdb": DuckDb(host, rows, "small", connections=1, threads=2),
        "duckdb_threads1": DuckDb(host, rows, "small", connections=1, threads=1),
    }


def _streams(detail: str, delay_us: int, size: Size) -> Mapping[str, Contender]:
    rows = BATCHES[detail][size] * BATCH_ROWS
    writers = [f"stream-{number}" for number in range(STREAMS)]
    parts = split(narrow_points(rows), STREAMS, BATCH_ROWS)
    streams = [messages.stream_requests(part, writer=name) for part, name in zip(parts, writers, strict=True)]

    def work(address: str, metadata: Metadata) -> Run:
        return driver.write_streams(address, metadata, streams, in_flight=IN_FLIGHT)

    host = _host(rows, STREAMS, delay_us)
    return {
        OURS: Ours(rows, writers, work, delay_us, with_waits=True),
        "duckdb": DuckDb(host, rows, "small", connections=STREAMS, threads=2),
        "duckdb_threads1": DuckDb(host, rows, "small", connections=STREAMS, threads=1),
        "duckdb_connections4": DuckDb(host, rows, "small", connections=4, threads=1),
        "duckdb_connection1": DuckDb(host, rows, "small", connections=1, threads=1),
    }


def _host(rows: int, producers: int, delay_us: int) -> DuckDbHost:
    host = DuckDbHost(delay_us)
    try:
        host.child.call("prepare_small", rows=rows, producers=producers, batch_rows=BATCH_ROWS)
    except BaseException:
        host.close()
        raise
    return host


def _case(detail: str, target: float) -> Case:
    make = _unary if detail.startswith("unary") else _streams
    return Case(
        name=f"ingest-small/{detail}",
        unit="Mrows/s",
        bigger_is_better=True,
        target=target,
        contenders=partial(make, detail, DELAY_US if detail.endswith("-2ms") else 0),
        rounds={"small": 1, "full": 3 if detail.endswith("-2ms") else 5},
    )


CASES = (
    _case("unary", 1.0),
    _case("streams16", 4.0),
    _case("unary-2ms", 0.65),
    _case("streams16-2ms", 4.0),
)
