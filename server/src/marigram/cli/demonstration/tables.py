"""Five questions about a year of departures and weather."""

from collections.abc import Awaitable, Callable
from typing import Any

import pyarrow as pa

from marigram_client import count, descending, distinct, mean, quantile, tumbling
from marigram_client.aio import Client
from marigram_client.measures import ascending

MOST = 15
"""Rows of a table that would be long."""


async def busiest_hours(client: Client) -> pa.Table:
    """The hours with most departures."""
    return await client.query(
        "flights",
        window=tumbling(hours=1),
        measures=[count(name="departures")],
        order_by=[descending("departures"), ascending("start")],
        limit=10,
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


async def aircraft(client: Client) -> pa.Table:
    """Distinct tail numbers in each seven days; weeks begin on a Thursday, as the Unix epoch did."""
    return await client.query(
        "flights", window=tumbling(days=7), measures=[distinct("entity", name="aircraft"), count(name="departures")]
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
        limit=10,
    )


ALL: dict[str, Callable[[Client], Awaitable[pa.Table]]] = {
    "The ten busiest hours": busiest_hours,
    "Departure delay by carrier and day, minutes: the fifteen worst by p95": delays_by_carrier_and_day,
    "Distinct aircraft in each seven days": aircraft,
    "Mean departure delay (minutes) beside mean temperature (°F): the fifteen worst hours": delay_and_temperature,
    "The ten worst routes by mean arrival delay, minutes": worst_routes,
}


def _bare(table: Any) -> pa.Table:
    """The table without its provenance, which a join does not keep."""
    return table.replace_schema_metadata(None)
