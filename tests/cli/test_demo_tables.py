"""The tables of the demonstration beside what pandas makes of the same rows."""

import asyncio

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from marigram.cli import output
from marigram.cli.demonstration import course, data, server, tables
from marigram.cli.demonstration.replay import Replay
from marigram_client.aio import Client

BOUND = 0.00542
"""Relative error of a quantile past 256 values."""


def in_pandas(rows: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = rows.to_pandas()
    return frame.astype(dict.fromkeys(frame.select_dtypes("category"), object))


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return in_pandas(data.flights())


@pytest.fixture(scope="module")
def weather() -> pd.DataFrame:
    return in_pandas(data.weather())


@pytest.fixture(scope="module")
def answers() -> dict[str, pa.Table]:
    """Every table, from one server."""

    async def ask() -> dict[str, pa.Table]:
        async with server.running() as (address, key), Client(address, key) as client:
            async with client.writer("demo") as writer:
                replay = Replay(course.sources(), writer)
                await replay.history(replay.end_ns)
            found = {question.ask.__name__: await question.ask(client) for question in tables.ALL}
            found["every_delay"] = await tables.delays_by_carrier_and_day(client, limit=0)
            found["every_week"] = await tables.aircraft(client, limit=0)
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
    assert len(worst) == 10
    assert worst == sorted((v for v in answers["every_delay"]["p95_dep_delay"].to_pylist() if v), reverse=True)[:10]


def test_distinct_aircraft_are_counted_exactly(flights: pd.DataFrame, answers: dict[str, pa.Table]) -> None:
    week = 7 * 86_400 * 10**9
    nanoseconds = flights["time"].dt.as_unit("ns").astype("int64")
    by_week = flights.groupby(nanoseconds // week * week)["user"]
    table = answers["every_week"].sort_by("start")
    assert table["start"].cast(pa.int64()).to_pylist() == by_week.nunique().index.tolist()
    assert table["aircraft"].to_pylist() == by_week.nunique().tolist()
    assert table["departures"].to_pylist() == by_week.size().tolist()


def test_mean_delay_stands_beside_the_mean_temperature_of_its_hour(
    flights: pd.DataFrame, weather: pd.DataFrame, answers: dict[str, pa.Table]
) -> None:
    delay = flights.groupby(flights["time"].dt.floor("h"))["dep_delay"].mean()
    temperature = weather.groupby("time")["temp"].mean()
    expected = pd.concat([delay, temperature], axis=1, join="inner").sort_values("dep_delay", ascending=False)[:10]
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


def test_the_latest_ten_weeks_are_printed(answers: dict[str, pa.Table]) -> None:
    assert answers["aircraft"].to_pylist() == answers["every_week"].slice(0, 10).to_pylist()


def test_no_table_is_wider_than_eighty_columns(
    answers: dict[str, pa.Table], capsys: pytest.CaptureFixture[str]
) -> None:
    for question in tables.ALL:
        output.show(question.shown(answers[question.ask.__name__]), question.title)
    printed = capsys.readouterr().out
    assert printed.count("┏") == 5
    assert max(map(len, printed.splitlines())) <= 80


def test_times_are_short_and_fractions_whole_in_what_is_shown(answers: dict[str, pa.Table]) -> None:
    question = tables.ALL[3]
    first = question.shown(answers["delay_and_temperature"]).slice(0, 1).to_pylist()
    assert first == [
        {"hour (UTC)": "2013-02-09 15:00", "departures": 27, "delay (minutes)": 269, "temperature (°F)": 27}
    ]
