"""The writers of the client library under a fault: one that writes batch after batch until it is told to stop."""

import asyncio

import numpy as np

from marigram_client.aio.writer import Writer
from tests.faults import rows
from tests.faults.load import QUIET_S


class Roller:
    """One writer of the client library, which writes batch after batch until it is told to stop."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.sent: list[rows.Batch] = []
        self.stop = asyncio.Event()
        self.ended = False

    @property
    def acked(self) -> list[rows.Batch]:
        """What the writer knows to be durable."""
        return [(self.writer.name, index) for index in range(self.writer.acked_sequence)]

    async def run(self) -> None:
        try:
            while not self.stop.is_set():
                batch = (self.writer.name, len(self.sent))
                self.sent.append(batch)
                await write(self.writer, batch)
        finally:
            self.ended = True

    async def until_acked(self, batches: int) -> None:
        async with asyncio.timeout(QUIET_S):
            while self.writer.acked_sequence < batches:
                assert not self.ended, "the writer has failed"
                await asyncio.sleep(0.001)


async def write(writer: Writer, batch: rows.Batch) -> None:
    """Write what ``rows.columns`` says, as a user would."""
    numbers = np.arange(batch[1] * rows.ROWS, (batch[1] + 1) * rows.ROWS)
    columns = {
        "time": rows.START_NS + batch[1] * rows.SECOND_NS + np.arange(rows.ROWS),
        "number": numbers,
        "value": numbers / 8,
        "producer": [batch[0]] * rows.ROWS,
    }
    await writer.write(rows.STREAM, columns, labels=["producer"])
