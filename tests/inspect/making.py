"""Data directories made by a real server, and what was written to them."""

import hashlib
import math
import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marigram_client import Client, Rollup, count, distinct, max_, min_, sum_
from tests.cli.running import serving, wait_until

DAY_NS = 86_400_000_000_000
START_NS = 1_500_000_000_000_000_000
INSTANT = pa.timestamp("ns", "UTC")
HOSTS = ['a"b', "c=d,e", "back\\slash", "new\nline", "ünï", "plain"]


@dataclass(slots=True)
class Written:
    """A copy of a directory, the rows that were written to it by stream, and what the server said of them."""

    directory: Path
    rows: dict[str, pa.Table]
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)


def metrics(seed: int, rows: int, first_ns: int = START_NS) -> pa.Table:
    """Rows of every type, with nulls, NaN of several kinds, infinities and the ends of every range."""
    dice = np.random.default_rng(seed)
    at = np.arange(rows)
    time = first_ns + at * 10_000_000_000 + dice.integers(0, 1_000, rows) * 1_000_000
    cents = np.round(dice.normal(50, 10, rows), 2)
    cents[::17] = np.nan
    cents[5::97] = np.array([-0.0, np.inf, -np.inf, 1e300, 5e-324])[at[5::97] % 5]
    wild = dice.integers(-(2**63), 2**63 - 1, rows)
    wild[:2] = -(2**63), 2**63 - 1
    instants = time - dice.integers(0, 10**9, rows)
    columns = {
        "f": pa.array(cents, mask=at % 13 == 0),
        "noise": pa.array(dice.random(rows)),
        "i": pa.array(dice.integers(-1_000, 1_000, rows), mask=at % 29 == 28),
        "wild": pa.array(wild),
        "on": pa.array(dice.random(rows) < 0.3, mask=at % 11 == 0),
        "at": pa.array(instants).view(INSTANT),
        "sym": pa.array([None if n % 7 == 0 else f"s{seed}-{n % 40}" for n in at], pa.large_string()),
        "note": pa.array([None if n % 5 == 0 else f"nöte {n * n} " * (n % 4) for n in at], pa.large_string()),
        "host": pa.array([HOSTS[n % len(HOSTS)] for n in at], pa.large_string()),
    }
    return pa.table({"time": pa.array(time).view(INSTANT), **columns})


def write_metrics(client: Client, stream: str, table: pa.Table) -> None:
    """The table as a metric stream of series by host."""
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    stored = client.write(stream, columns, labels=["host"], types={"note": "text", "sym": "symbol"})
    assert stored.stored == len(table)


def with_series(table: pa.Table) -> pa.Table:
    """The table as a reader sees it: with its series."""
    escapes = str.maketrans({"\\": "\\\\", '"': '\\"', "=": "\\=", ",": "\\,", "\n": "\\n"})
    series = [f'{{host="{host.translate(escapes)}"}}' for host in table.column("host").to_pylist()]
    return table.add_column(1, "entity", pa.array(series, pa.large_string()))


def told(client: Client, stream: str) -> dict[str, Any]:
    """What the server says of the rows."""
    measures = [count(), sum_("i"), sum_("noise"), min_("wild"), max_("at"), distinct("sym"), distinct("note")]
    answer: dict[str, Any] = client.query(stream, measures=measures).to_pylist()[0]
    return answer


def log_alone(folder: Path) -> Written:
    """Streams whose rows all lie in L0."""
    tables = [metrics(1, 5_000), metrics(2, 37, START_NS + DAY_NS), metrics(3, 2, START_NS - DAY_NS)]
    late = pa.table(
        {"time": pa.array([START_NS]).view(INSTANT), "extra": [1.5], "host": pa.array(["z"], pa.large_string())}
    )
    with serving(folder / "data") as served, Client(served.address, key=served.key) as client:
        for table in tables:
            write_metrics(client, "all", table)
        client.write("all", {name: late.column(name).combine_chunks() for name in late.column_names}, labels=["host"])
        for user in ("anna", "ben"):
            client.track("checkout", user=user, session="s", properties={"amount": 12.5, "ok": True})
        answers = {"all": told(client, "all")}
    rows = with_series(pa.concat_tables([*tables, late], promote_options="default"))
    return Written(_copy(folder), {"all": rows}, answers)


def sealed(folder: Path, *, cold: bool = False) -> Written:
    """A stream whose oldest rows lie in parts of several tiles, and the last in L0. Each tile has few of the symbols
    that there are, and one has a column that the others do not have. ``cold``: parts are recoded."""
    tables = [metrics(seed, 2_600, START_NS + seed * 400 * DAY_NS) for seed in range(6)]
    tables[3] = tables[3].append_column("extra", pa.array(np.arange(len(tables[3]), dtype=np.float64)))
    data = folder / "data"
    flags = ("--set", "tail_limit_bytes=500000")
    with serving(data, *flags) as served, Client(served.address, key=served.key) as client:
        for table in tables:
            write_metrics(client, "all", table)
        wait_until(lambda: len(list((data / "parts").glob("*.mdb"))) >= 3)
        if cold:
            client.seal("all")
            assert client.recode("all").parts >= 3
        tables.append(metrics(9, 60, START_NS + 1))
        write_metrics(client, "all", tables[-1])
        answers = {"all": told(client, "all")}
    return Written(_copy(folder), {"all": with_series(pa.concat_tables(tables, promote_options="default"))}, answers)


def regular(folder: Path) -> Written:
    """A stream whose rows lie in one part, with rows enough of each series for aggregates."""
    table = metrics(20, 6_000)
    with serving(folder / "data") as served, Client(served.address, key=served.key) as client:
        write_metrics(client, "all", table)
        client.seal("all")
    return Written(_copy(folder), {"all": with_series(table)})


def rolled(folder: Path) -> Written:
    """A stream whose rows lie in parts with rollups: by entity, and by a symbol with sketches."""
    table = metrics(20, 6_000)
    with serving(folder / "data") as served, Client(served.address, key=served.key) as client:
        write_metrics(client, "all", table)
        minute, day = timedelta(minutes=1), timedelta(days=1)
        client.update_stream("all", rollups=[Rollup(minute), Rollup(day, group_by=("host",), sketches=True)])
        client.seal("all")
    return Written(_copy(folder), {"all": with_series(table)})


def traced(folder: Path) -> Written:
    """A stream whose rows lie in one part, with a text of each row's own, as requests have, and blocks without any."""
    at = np.arange(9_000)
    ids = [None if 2_000 < n < 5_000 else hashlib.sha256(b"%d" % n).hexdigest()[:36] for n in at]
    columns = {"trace": pa.array(ids, pa.large_string()), "host": pa.array(["plain"] * len(at), pa.large_string())}
    table = pa.table({"time": pa.array(START_NS + at).view(INSTANT), **columns})
    with serving(folder / "data") as served, Client(served.address, key=served.key) as client:
        written = {name: table.column(name).combine_chunks() for name in table.column_names}
        client.write("all", written, labels=["host"], types={"trace": "text"})
        client.seal("all")
    return Written(_copy(folder), {"all": with_series(table)})


def _copy(folder: Path) -> Path:
    copy = folder / "copy"
    shutil.copytree(folder / "data", copy, ignore=shutil.ignore_patterns("reserve"))
    return copy


def same(found: pa.Table, wanted: pa.Table) -> bool:
    """Whether the rows are the same bit for bit, in whatever order."""
    wanted = wanted.select(found.column_names).cast(found.schema)
    names = [(name, "ascending") for name in found.column_names]
    left, right = (table.take(pc.sort_indices(table, names)) for table in (found, wanted))
    return left.num_rows == right.num_rows and all(
        _bits(left.column(name)).equals(_bits(right.column(name))) for name in left.column_names
    )


def _bits(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if not pa.types.is_floating(array.type):
        return array
    nulls = array.is_null()
    return pc.if_else(nulls, None, array.fill_null(math.nan).view(pa.int64()))
