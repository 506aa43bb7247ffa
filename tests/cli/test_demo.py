"""The demonstration: its tables beside what pandas makes of the same rows, and nothing left behind however it ends."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pytest

from marigram.cli import demonstration
from marigram.cli.demonstration import data, server, tables
from marigram_client.aio import Client

BOUND = 0.00542
"""Relative error of a quantile past 256 values."""


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    frame: pd.DataFrame = data.flights().to_pandas()
    return frame


@pytest.fixture(scope="module")
def weather() -> pd.DataFrame:
    frame: pd.DataFrame = data.weather().to_pandas()
    return frame


@pytest.fixture(scope="module")
def answers() -> dict[str, pa.Table]:
    """Every table, from one server."""

    async def ask() -> dict[str, pa.Table]:
        async with server.running() as (address, key), Client(address, key) as client:
            await demonstration.load(client, "flights", data.flights(), "event", ())
            await demonstration.load(client, "weather", data.weather(), "metric", ("origin",))
            found = {table.__name__: await table(client) for table in tables.ALL.values()}
            found["every_delay"] = await tables.delays_by_carrier_and_day(client, limit=0)
            return found

    return asyncio.run(ask())


def starts(table: pa.Table) -> list[pd.Timestamp]:
    return [pd.Timestamp(value, tz="UTC") for value in table["start"].cast(pa.int64()).to_pylist()]


def test_the_package_holds_the_departures_and_readings_that_are_promised(
    flights: pd.DataFrame, weather: pd.DataFrame
) -> None:
    assert (len(flights), len(weather)) == (336_776, 26_115)
    assert flights["user"].isna().sum() == 2_512
    assert str(flights["time"].iloc[0]) == "2013-01-01 10:15:00+00:00"


def test_the_busiest_hours_are_those_of_pandas(flights: pd.DataFrame, answers: dict[str, pa.Table]) -> None:
    by_hour = flights.groupby(flights["time"].dt.floor("h")).size().rename("departures").reset_index()
    expected = by_hour.sort_values(["departures", "time"], ascending=[False, True]).head(10)
    table = answers["busiest_hours"]
    assert table["departures"].to_pylist() == expected["departures"].tolist()
    assert starts(table) == expected["time"].tolist()


def test_each_quantile_of_each_carrier_and_day_lies_between_its_neighbours(
    flights: pd.DataFrame, answers: dict[str, pa.Table]
) -> None:
    groups = dict(list(flights.groupby([flights["time"].dt.floor("D"), "carrier"])["dep_delay"]))
    table = answers["every_delay"]
    assert table.num_rows == len(groups)
    rows = table.select(["carrier", "departures", "p50_dep_delay", "p95_dep_delay", "p99_dep_delay"]).to_pylist()
    for start, row in zip(starts(table), rows, strict=True):
        values = groups[(start, row["carrier"])].dropna().to_numpy()
        assert row["departures"] == len(values)
        for q in (0.5, 0.95, 0.99):
            found = row[f"p{q * 100:g}_dep_delay"]
            if not len(values):
                assert found is None
                continue
            low, high = (float(np.quantile(values, q, method=method)) for method in ("lower", "higher"))
            assert low - abs(low) * BOUND <= found <= high + abs(high) * BOUND


def test_the_worst_delays_are_printed_first(answers: dict[str, pa.Table]) -> None:
    worst = answers["delays_by_carrier_and_day"]["p95_dep_delay"].to_pylist()
    assert len(worst) == 15
    assert worst == sorted((v for v in answers["every_delay"]["p95_dep_delay"].to_pylist() if v), reverse=True)[:15]


def test_distinct_aircraft_are_counted_exactly(flights: pd.DataFrame, answers: dict[str, pa.Table]) -> None:
    week = 7 * 86_400 * 10**9
    nanoseconds = flights["time"].dt.as_unit("ns").astype("int64")
    by_week = flights.groupby(nanoseconds // week * week)["user"]
    table = answers["aircraft"]
    assert table["start"].cast(pa.int64()).to_pylist() == by_week.nunique().index.tolist()
    assert table["aircraft"].to_pylist() == by_week.nunique().tolist()
    assert table["departures"].to_pylist() == by_week.size().tolist()


def test_mean_delay_stands_beside_the_mean_temperature_of_its_hour(
    flights: pd.DataFrame, weather: pd.DataFrame, answers: dict[str, pa.Table]
) -> None:
    delay = flights.groupby(flights["time"].dt.floor("h"))["dep_delay"].mean()
    temperature = weather.groupby("time")["temp"].mean()
    expected = pd.concat([delay, temperature], axis=1, join="inner").sort_values("dep_delay", ascending=False)[:15]
    table = answers["delay_and_temperature"]
    assert starts(table) == expected.index.tolist()
    assert table["mean_dep_delay"].to_pylist() == pytest.approx(expected["dep_delay"].tolist(), rel=1e-12)
    assert table["mean_temp"].to_pylist() == pytest.approx(expected["temp"].tolist(), rel=1e-12)


def test_the_worst_routes_are_those_of_pandas(flights: pd.DataFrame, answers: dict[str, pa.Table]) -> None:
    routes = flights.groupby(["origin", "dest"])["arr_delay"].agg(["size", "mean"]).sort_values("mean", ascending=False)
    expected = routes.head(10)
    table = answers["worst_routes"]
    found = list(zip(table["origin"].to_pylist(), table["dest"].to_pylist(), strict=True))
    assert found == expected.index.tolist()
    assert table["departures"].to_pylist() == expected["size"].tolist()
    assert table["mean_arr_delay"].to_pylist() == pytest.approx(expected["mean"].tolist(), rel=1e-12)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, running with temporary folders of its own; whatever it started is ended after the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "marigram.cli",
        "demo",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    yield process
    for left in (*children(tmp_path), *([psutil.Process(process.pid)] if process.returncode is None else [])):
        left.kill()


def children(folder: Path) -> list[psutil.Process]:
    """Processes whose command line names a directory below ``folder``: the servers that a demonstration started."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in part for part in process.info["cmdline"] or ())
    ]


async def ended(processes: list[psutil.Process]) -> bool:
    gone, left = await asyncio.to_thread(psutil.wait_procs, processes, 30)
    return bool(gone) and not left


async def test_it_prints_five_tables_and_leaves_nothing(running: asyncio.subprocess.Process, tmp_path: Path) -> None:
    printed, told = await running.communicate()
    assert running.returncode == 0, told.decode()
    assert printed.decode().count("┏") == 5
    for title in tables.ALL:
        assert title in printed.decode()
    assert "336,776 rows on disk" in told.decode()
    assert "26,115 rows on disk" in told.decode()
    assert children(tmp_path) == []
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 (an empty folder)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_stops_the_server_and_removes_its_directory(
    running: asyncio.subprocess.Process, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    assert running.stderr is not None
    assert re.match(rb"server on 127\.0\.0\.1:\d+", await running.stderr.readline())
    started = children(tmp_path)
    assert len(started) == 1
    running.send_signal(number)
    await running.communicate()
    assert running.returncode == code
    assert children(tmp_path) == []
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 (an empty folder)


async def test_the_server_ends_even_if_the_demonstration_is_killed(
    running: asyncio.subprocess.Process, tmp_path: Path
) -> None:
    assert running.stderr is not None
    await running.stderr.readline()
    started = children(tmp_path)
    running.kill()
    await running.communicate()
    assert await ended(started)


async def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARIGRAM_COLOUR", "blue")
    with pytest.raises(Exception, match=r"the server must start: exit code 2.*MARIGRAM_COLOUR"):
        async with server.running():
            pass
