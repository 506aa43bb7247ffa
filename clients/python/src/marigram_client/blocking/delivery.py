# Written by `make proto` from aio/delivery.py: change that one.
"""Delivery of numbered batches: sent in order, kept until acknowledged, sent again after a broken connection.

What is sent and not acknowledged is bounded; whoever hands in more waits.
"""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import grpc

from marigram_client import policy
from marigram_client._pb.marigram.v1 import common_pb2
from marigram_client._pb.marigram.v1 import ingest_pb2 as pb
from marigram_client.blocking import runtime
from marigram_client.blocking.calls import Answers, Calls
from marigram_client.delivery import Backlog, Rejection
from marigram_client.errors import (
    Cancelled,
    FailedPrecondition,
    InvalidArgument,
    MarigramError,
    Overloaded,
    from_status,
    status_of,
)

_SERVICE = "marigram.v1.IngestService"
_BROKEN = (grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
"""What a broken connection looks like, beside UNAVAILABLE, if the server did not give a reason."""

_log = logging.getLogger("marigram_client")


class Delivery:
    """The batches of one writer on their way. After a failure that no retry heals, every method raises it."""

    def __init__(
        self,
        calls: Calls,
        name: str,
        most_bytes: int,
        patience: timedelta,
        on_rejected: Callable[[Rejection], None] | None,
    ) -> None:
        self.backlog = Backlog(name, most_bytes)
        self._calls = calls
        self._name = name
        self._patience = patience.total_seconds()
        self._on_rejected = on_rejected
        self._changed = runtime.Condition()  # guards the backlog and all below
        self._connection = 0
        self._call: Answers[pb.WriteStreamResponse] | None = None
        self._failure: Exception | None = None
        self._stopped = runtime.Event()
        self._task: runtime.Task | None = None

    @property
    def is_open(self) -> bool:
        """Between ``open`` and ``stop``."""
        return self._task is not None

    def open(self) -> None:
        """Take the name over and learn where its batches go on."""
        if self._task is not None or self._stopped.is_set():
            raise FailedPrecondition("a writer is opened once; the client makes others", reason="WRITER_OPENED")
        self.backlog.opened(self._calls.unary(pb.OpenWriterRequest(writer=self._name), pb.OpenWriterResponse))
        self._task = runtime.Task(self._run, f"marigram writer {self._name}", self.fail)

    def stop(self) -> None:
        """Give up what is not acknowledged."""
        with self._changed:
            task, self._task = self._task, None
            self._end()
        if task is not None:
            task.end()

    def check(self) -> None:
        """Raise what ended the delivery."""
        if self._failure is not None:
            raise self._failure
        if self._task is None:
            raise FailedPrecondition("a writer must be open to be used", reason="WRITER_NOT_OPEN")

    def fail(self, failure: Exception) -> None:
        """End the delivery; the first failure is the one that is told."""
        with self._changed:
            self._failure = self._failure or failure
            self._end()

    def put(self, stream: str, kind: common_pb2.StreamKind.ValueType, batch: pb.Batch, atomic: bool = False) -> None:
        """Number a batch once there is room for it, and send it as soon as its turn comes."""
        runtime.sleep(0)  # a caller who never waits would keep what it handed in from being sent
        size_bytes = batch.ByteSize()
        with self._changed:
            self._wait_while(lambda: self.backlog.is_full(size_bytes))
            self.backlog.add(stream, kind, batch, atomic)
            self._changed.notify_all()

    def drained(self) -> None:
        """Wait until everything is acknowledged."""
        with self._changed:
            self._wait_while(lambda: len(self.backlog) > 0)

    def reject(self, stream: str, error: InvalidArgument) -> None:
        """Count a row that cannot even be sent."""
        with self._changed:
            rejection = self.backlog.reject(stream, error)
        self._tell(rejection)

    def _wait_while(self, unmet: Callable[[], bool]) -> None:
        """Wait for acknowledgements, with the lock held, as long as the patience lasts."""
        self.check()
        while unmet():
            left = self.backlog.progress_at + self._patience - time.monotonic()
            if left <= 0:
                found = f"none for {self._patience:g} s, {len(self.backlog)} batches are not acknowledged"
                message = f"the server must acknowledge batches; {found}"
                self._failure = self._failure or Overloaded(message, reason="NO_ACKNOWLEDGEMENT")
                self._end()
            else:
                self._changed.wait_up_to(left)
            self.check()

    def _end(self) -> None:
        """Let all who wait see that it is over; the lock is held."""
        self._stopped.set()
        if self._call is not None:
            self._call.cancel()
        self._changed.notify_all()

    def _run(self) -> None:
        """Talk to the server as long as the writer lives, over as many connections as it takes."""
        retry = policy.method(_SERVICE, "Write").retry
        tried = 0
        while True:
            with self._changed:
                while not len(self.backlog) and not self._stopped.is_set():
                    self._changed.wait()
            before = self.backlog.acked_sequence
            failure = self._converse()
            if self._stopped.is_set():
                return
            tried = 1 if self.backlog.acked_sequence > before else tried + 1
            if failure is not None and not isinstance(failure, Overloaded):
                raise failure
            wished = failure.retry_after if failure is not None else None
            delay = wished.total_seconds() if wished is not None else retry.delay(tried) if retry is not None else 0.0
            if failure is not None or tried > 1:
                _log.info("writer %s: connection lost, %d batches to send again", self._name, len(self.backlog))
                self._calls.sleep(delay, self._stopped)

    def _converse(self) -> MarigramError | None:
        """One connection, until it ends; the error it ended with. Overloaded stands for a connection that broke."""
        with self._changed:
            if self._calls.is_closed():
                return Cancelled("the client was closed before its writer")
            if self._stopped.is_set():
                return None
            self.backlog.connected()
            requests = self._requests(self._connection)
            call = self._call = self._calls.converse(_SERVICE, "WriteStream", requests, pb.WriteStreamResponse)
            ending = runtime.ending(call)
        try:
            for answer in call:
                self._acknowledge(answer)
            return None
        except grpc.RpcError as error:
            if self._calls.is_closed():
                return Cancelled("the client was closed before its writer")
            ended = ending(error)
            failure = from_status(ended)
            if status_of(ended) is grpc.StatusCode.OK:
                return None
            if not failure.reason and status_of(ended) in _BROKEN:
                return Overloaded(failure.message)
            return failure
        finally:
            call.cancel()
            with self._changed:
                self._call = None
                self._connection += 1
                self._changed.notify_all()

    def _requests(self, connection: int) -> Iterator[bytes]:
        """What is pending, in order, as fast as the server wants it, until its connection has ended."""
        while (message := self._next_message(connection)) is not None:
            yield message
            if pause := self.backlog.pause:
                self._calls.sleep(pause, self._stopped)

    def _next_message(self, connection: int) -> bytes | None:
        with self._changed:
            while connection == self._connection:
                if (message := self.backlog.next_message()) is not None:
                    return message
                self._changed.wait()
        return None

    def _acknowledge(self, answer: pb.WriteStreamResponse) -> None:
        with self._changed:
            rejections = self.backlog.acknowledge(answer)
            self._changed.notify_all()
        for rejection in rejections:
            self._tell(rejection)

    def _tell(self, rejection: Rejection) -> None:
        if self._on_rejected is not None:
            self._on_rejected(rejection)
