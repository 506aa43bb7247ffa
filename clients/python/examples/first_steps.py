"""Rows in, answers out: run it beside ``marigram serve``, in the folder that the server was started in."""

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np

from marigram_client import column, count, descending, mean, provenance, quantile, tumbling
from marigram_client.aio import Client

START = datetime(2026, 1, 1, tzinfo=UTC)
HOSTS = ["a", "b", "c"]


async def main() -> None:
    """Write an hour of samples of three hosts and ask for their load by ten minutes."""
    async with Client() as client:
        seconds = np.arange(3_600)
        async with client.writer("first-steps") as writer:
            for number, host in enumerate(HOSTS):
                await writer.write(
                    "cpu",
                    {
                        "time": np.datetime64(START.replace(tzinfo=None), "s") + seconds,
                        "value": 0.5 + number / 10 + np.sin(seconds / 600) / 4,
                    },
                    labels={"host": host},
                )
        await client.track("looked", user="u1", properties={"page": "load", "seconds": 2.5})

        table = await client.query(
            "cpu",
            range=(START, START + timedelta(hours=1)),
            where=column("host").is_in(["a", "b"]),
            window=tumbling(minutes=10),
            group_by="host",
            measures=[count(), mean("value"), quantile("value", 0.99)],
            order_by=descending("mean_value"),
            limit=3,
        )
        print(table.to_pandas())  # noqa: T201 (an example)
        print(provenance(table))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
