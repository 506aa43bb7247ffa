"""Five questions about departures and weather: how they are asked, and how their answers are shown to people."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marigram_client import count, descending, distinct, mean, quantile, tumbling
from marigram_client.aio import Client
from marigram_client.orders import ascending

MOST = 10
"""Rows of a table that would be long."""


@dataclass(frozen=True, slots=True)
class Question:
    """``headings`` name the columns as a person reads them, with their unit; ``time`` is how a window's start is."""

    title: str
    ask: Callable[[Client], Awaitable[pa.Table]]
    headings: Mapping[str, str]
    time: str = ""

    def shown(self, answer: pa.Table) -> pa.Table:
        """The answer with its headings, times in short and fractions rounded to whole numbers."""
        columns = {heading: self._shown(answer[name]) for name, heading in self.headings.items()}
        return pa.table(columns)

    def _shown(self, column: Any) -> Any:
        if pa.types.is_timestamp(column.type):
            return pc.strftime(column.cast(pa.timestamp("s")), self.time)
        return pc.round(column).cast(pa.int64()) if pa.types.is_floating(column.type) else column


async def busiest_hours(client: Client) -> pa.Table:
    """The hours with most departures."""
    return await client.query(
        "flights",
        window=tumbling(hours=1),
        measures=[count(name="departures")],
        order_by=[descending("departures"), ascending("start")],
        limit=MOST,
    )


async def delays_by_carrier_and_day(client: Client, limit: int = MOST) -> pa.Table:
    """Quantiles of the departure delay, in minutes; days of UTC, the worst first."""
    return await client.query(
        "flights",
        window=tumbling(days=1),
        group_by="carrier",
        measures=[count("dep_delay", name="departures"), *(quantile("dep_delay", q) for q in (0.5, 0.95, 0.99))],
        order_by=[descending("p95_dep_delay"), ascending("start"), ascending("carrier")],
        limit=limit,
    )


async def aircraft(client: Client, limit: int = MOST) -> pa.Table:
    """Distinct tail numbers in each seven days, the latest first; weeks begin on a Thursday, as the Unix epoch did."""
    return await client.query(
        "flights",
        window=tumbling(days=7),
        measures=[distinct("entity", name="aircraft"), count(name="departures")],
        order_by=descending("start"),
        limit=limit,
    )


async def delay_and_temperature(client: Client) -> pa.Table:
    """Mean delay in minutes beside mean temperature in °F: two answers, joined on their hour here. The worst first."""
    hourly = tumbling(hours=1)
    delays = await client.query("flights", window=hourly, measures=[count(name="departures"), mean("dep_delay")])
    temperatures = await client.query("weather", window=hourly, measures=[mean("temp")])
    both = _bare(delays).join(_bare(temperatures), "start", join_type="inner")
    return both.sort_by([("mean_dep_delay", "descending"), ("start", "ascending")]).slice(0, MOST)


async def worst_routes(client: Client) -> pa.Table:
    """The routes that arrive latest in the mean, in minutes."""
    return await client.query(
        "flights",
        group_by=["origin", "dest"],
        measures=[count(name="departures"), mean("arr_delay")],
        order_by=descending("mean_arr_delay"),
        limit=MOST,
    )


ALL = (
    Question(
        "1. The ten busiest hours",
        busiest_hours,
        {"start": "hour (UTC)", "departures": "departures"},
        "%Y-%m-%d %H:%M",
    ),
    Question(
        "2. Departure delay by carrier and day, in minutes: the ten worst",
        delays_by_carrier_and_day,
        {
            "start": "day (UTC)",
            "carrier": "carrier",
            "departures": "departures",
            "p50_dep_delay": "median",
            "p95_dep_delay": "p95",
            "p99_dep_delay": "p99",
        },
        "%Y-%m-%d",
    ),
    Question(
        "3. Distinct aircraft in each seven days: the last ten",
        aircraft,
        {"start": "seven days from", "aircraft": "aircraft", "departures": "departures"},
        "%Y-%m-%d",
    ),
    Question(
        "4. Mean departure delay beside mean temperature: the ten worst hours",
        delay_and_temperature,
        {
            "start": "hour (UTC)",
            "departures": "departures",
            "mean_dep_delay": "delay (minutes)",
            "mean_temp": "temperature (°F)",
        },
        "%Y-%m-%d %H:%M",
    ),
    Question(
        "5. The ten routes that arrive latest in the mean",
        worst_routes,
        {"origin": "from", "dest": "to", "departures": "departures", "mean_arr_delay": "delay (minutes)"},
    ),
)


def _bare(table: Any) -> pa.Table:
    """The table without its provenance, which a join does not keep."""
    return table.replace_schema_metadata(None)
