"""A producer that writes to our server at a fixed rate beside what is measured."""

from contextlib import ExitStack
from typing import Any

import grpc

from bench import driver, messages
from bench.pace import Producer
from bench.producers import BESIDE_ROWS, BESIDE_SECONDS, beside_batches


class Peer:
    """A client with unary Writes."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._producer: Producer[bytes] | None = None

    def start(
        self,
        address: str,
        metadata: list[list[str]],
        after_rows: int,
        first: int,
        count: int,
        batch_rows: int = BESIDE_ROWS,
    ) -> None:
        """Begins with batch ``first`` of those that follow ``after_rows`` points; returns once it is acknowledged."""
        pairs = tuple((name, value) for name, value in metadata)
        writer = f"beside-{first}"
        driver.open_writers(address, pairs, [writer])
        requests = [
            messages.write_request(batch, writer=writer, sequence=sequence)
            for sequence, batch in enumerate(beside_batches(after_rows, first, count, batch_rows), start=1)
        ]
        channel = self._running.enter_context(grpc.insecure_channel(address, options=driver.OPTIONS))
        write: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(driver.INGEST + "Write")
        producer = Producer(requests, lambda request: write(request, metadata=pairs, timeout=30.0), BESIDE_SECONDS)
        self._producer = self._running.enter_context(producer)

    def stop(self) -> dict[str, Any]:
        """Ends it: ``sent`` batches, and the greatest time that one was behind, ``behind_ms``."""
        self._running.close()
        if self._producer is None:
            raise ValueError("nothing was started")
        return {"sent": self._producer.sent, "behind_ms": self._producer.behind_ms}
