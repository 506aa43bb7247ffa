"""What our side of the ingest cases shares: a server on an empty directory for each round, warm before the clock."""

from collections.abc import Callable, Sequence

from bench import driver, messages
from bench.data import SERIES, narrow_points
from bench.driver import Metadata, Run
from bench.harness import Measurement
from bench.server import Server

WARM_BATCHES = 20


class Ours:
    """Our contender of an ingest case.

    Args:
        rows: rows that a round writes.
        writers: names that its messages are written under.
        work: writes them; what it takes is measured.
        sync_delay_us: how much longer each sync takes.
        with_waits: report the 99th percentile of the time to an ack.
    """

    def __init__(
        self,
        rows: int,
        writers: Sequence[str],
        work: Callable[[str, Metadata], Run],
        sync_delay_us: int = 0,
        with_waits: bool = False,
    ) -> None:
        self._rows = rows
        self._writers = writers
        self._work = work
        self._sync_delay_us = sync_delay_us
        self._with_waits = with_waits

    def round(self) -> Measurement:
        """Starts a server on an empty directory, measures, asks, and ends it."""
        with Server(self._sync_delay_us) as server:
            _warm(server)
            driver.open_writers(server.address, server.metadata, self._writers)
            run = self._work(server.address, server.metadata)
            answers = driver.ask(server.address, server.metadata)
            also = {"p99_ms": run.p99_ms} if self._with_waits else {}
            return Measurement(self._rows / run.seconds / 1e6, answers, also)

    def close(self) -> None:
        """Nothing outlives a round."""


def _warm(server: Server) -> None:
    """First calls of both kinds pay for imports and connections: those are not measured, for the peer neither."""
    batches = [narrow_points(SERIES)] * WARM_BATCHES
    driver.open_writers(server.address, server.metadata, ["warm-unary", "warm-stream"])
    unary = [
        messages.write_request(batch, stream=messages.WARM_STREAM, writer="warm-unary", sequence=number)
        for number, batch in enumerate(batches, start=1)
    ]
    driver.write_each(server.address, server.metadata, unary)
    streamed = messages.stream_requests(batches, stream=messages.WARM_STREAM, writer="warm-stream")
    driver.write_streams(server.address, server.metadata, [streamed], in_flight=4)
