"""A program that writes numbered pieces by a named writer of the client library, and goes on where the writer stands.

``python -m tests.faults.writing SIDE ADDRESS WRITER PRODUCER PIECES``, the key in ``MARIGRAM_KEY``. Piece i is batch
i of the producer, and it prints ``written acknowledged`` after each. It ends once everything is acknowledged.
"""

import asyncio
import sys
from typing import Any

import numpy as np

import marigram_client
from marigram_client import aio
from tests.faults import rows

IN_FLIGHT_BYTES = 100_000


def given(batch: rows.Batch) -> dict[str, Any]:
    """What ``rows.columns`` says, as a user of the library would have it."""
    numbers = np.arange(batch[1] * rows.ROWS, (batch[1] + 1) * rows.ROWS)
    return {
        "time": rows.START_NS + batch[1] * rows.SECOND_NS + np.arange(rows.ROWS),
        "number": numbers,
        "value": numbers / 8,
        "producer": [batch[0]] * rows.ROWS,
    }


async def asynchronous(address: str, name: str, producer: str, pieces: int) -> None:
    async with aio.Client(address) as client, client.writer(name, in_flight_bytes=IN_FLIGHT_BYTES) as writer:
        for index in range(writer.next_sequence - 1, pieces):
            await writer.write(rows.STREAM, given((producer, index)), labels=["producer"])
            print(index + 1, writer.acked_sequence, flush=True)  # noqa: T201


def blocking(address: str, name: str, producer: str, pieces: int) -> None:
    with marigram_client.Client(address) as client, client.writer(name, in_flight_bytes=IN_FLIGHT_BYTES) as writer:
        for index in range(writer.next_sequence - 1, pieces):
            writer.write(rows.STREAM, given((producer, index)), labels=["producer"])
            print(index + 1, writer.acked_sequence, flush=True)  # noqa: T201


if __name__ == "__main__":
    side, *words, last = sys.argv[1:]
    address, name, producer = words
    if side == "aio":
        asyncio.run(asynchronous(address, name, producer, int(last)))
    else:
        blocking(address, name, producer, int(last))
