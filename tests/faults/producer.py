"""A producer that keeps what was not acknowledged and sends it again to the next server, under the same numbers."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

import grpc
import grpc.aio

from marigram.v1 import common_pb2, ingest_pb2, ingest_pb2_grpc
from tests.faults import rows
from tests.faults.server import Server

# What a call may end with when its server dies under it.
GONE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNKNOWN,
}
IN_FLIGHT = 8
RETRY_S = 0.02
Fault = Literal["none", "believes sends", "renumbers"]


@dataclass
class Producer:
    """Sends batches 0, 1, 2, … until told to stop. Batch b has sequence b + 1, whatever happens.

    ``fault`` breaks it for the controls: it takes what it sent for acknowledged, or sends again once, under new
    numbers, what it was told is stored.
    """

    server: Server
    name: str
    streams: bool
    fault: Fault = "none"
    following: int = 0
    unacked: list[int] = field(default_factory=list)
    acked: set[rows.Batch] = field(default_factory=set)
    resent: int = 0
    duplicates: int = 0
    complaint: str = ""
    endings: Counter[grpc.StatusCode] = field(default_factory=Counter)  # what calls ended with, beside OK
    told: list[grpc.StatusCode] = field(default_factory=list)  # what the server ended the stream with
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # for the producer itself: there may be room
    noticed: asyncio.Event = field(default_factory=asyncio.Event)  # for the test: there is news

    @property
    def sent(self) -> set[rows.Batch]:
        return {(self.name, index) for index in range(self.following)}

    async def run(self, up: asyncio.Event, stop: asyncio.Event) -> None:
        """Send while the server is up; after ``stop`` finish what is not acknowledged."""
        while not (stop.is_set() and not self.unacked):
            await up.wait()
            try:
                async with self.server.channel() as channel:
                    await self._session(ingest_pb2_grpc.IngestServiceStub(channel), up, stop)
            except grpc.aio.AioRpcError as error:
                # Where a write fails because the server has ended the stream, grpc.aio says INTERNAL before or after it
                # says what the server said (grpc/grpc#36066).
                said = [code for code in (*self.told, error.code()) if code is not grpc.StatusCode.INTERNAL]
                code = said[0] if said else error.code()
                self.endings[code] += 1
                if code not in GONE:
                    self.complaint = f"{self.name}: {code} {error.details()}"
                    self.noticed.set()
                    return
                self.changed.set()
                await asyncio.sleep(RETRY_S)

    async def _session(
        self, stub: "ingest_pb2_grpc.IngestServiceAsyncStub", up: asyncio.Event, stop: asyncio.Event
    ) -> None:
        opening = ingest_pb2.OpenWriterRequest(writer=self.name)
        opened = await stub.OpenWriter(opening, metadata=self.server.metadata, timeout=30)
        lowest, highest = (self.unacked or [self.following])[0] + 1, self.following + 1
        if self.fault == "none" and not lowest <= opened.next_sequence <= highest:
            self.complaint = f"{self.name}: next_sequence {opened.next_sequence}, not {lowest} to {highest}"
            stop.set()
            self.noticed.set()
            return
        shift = opened.next_sequence - lowest if self.fault == "renumbers" else 0
        if self.streams:
            await self._stream(stub, opened.epoch, shift, up, stop)
        else:
            await self._calls(stub, opened.epoch, shift, up, stop)

    async def _requests(
        self, epoch: int, shift: int, up: asyncio.Event, stop: asyncio.Event
    ) -> AsyncIterator[ingest_pb2.WriteRequest]:
        """Yield what was not acknowledged, then new batches while there is room."""
        again = list(self.unacked)
        self.resent += len(again)
        for index in again:
            yield rows.write_request((self.name, index), self.name, epoch, index + 1 + shift)
        while up.is_set() and not stop.is_set():
            while len(self.unacked) >= IN_FLIGHT and up.is_set():
                self.changed.clear()
                await self.changed.wait()
            if stop.is_set() or not up.is_set():
                return
            index, self.following = self.following, self.following + 1
            self.unacked.append(index)
            if self.fault == "believes sends":
                self._take(index)
            yield rows.write_request((self.name, index), self.name, epoch, index + 1 + shift)

    def _take(self, upto: int) -> None:
        """Hold everything up to a batch for acknowledged."""
        self.acked |= {(self.name, index) for index in self.unacked if index <= upto}
        if self.fault != "renumbers" or self.resent:
            self.unacked = [index for index in self.unacked if index > upto]
        self.changed.set()
        self.noticed.set()

    async def _calls(
        self,
        stub: "ingest_pb2_grpc.IngestServiceAsyncStub",
        epoch: int,
        shift: int,
        up: asyncio.Event,
        stop: asyncio.Event,
    ) -> None:
        async for request in self._requests(epoch, shift, up, stop):
            answer = await stub.Write(request, metadata=self.server.metadata, timeout=30)
            self.duplicates += answer.duplicate
            self._take(request.sequence - shift - 1)

    async def _stream(
        self,
        stub: "ingest_pb2_grpc.IngestServiceAsyncStub",
        epoch: int,
        shift: int,
        up: asyncio.Event,
        stop: asyncio.Event,
    ) -> None:
        call = stub.WriteStream(metadata=self.server.metadata)
        self.told.clear()
        call.add_done_callback(lambda call: self.told.append(code_of(call)))

        async def send() -> None:
            async for request in self._requests(epoch, shift, up, stop):
                await call.write(
                    ingest_pb2.WriteStreamRequest(
                        stream=request.stream,
                        kind=common_pb2.STREAM_KIND_METRIC,
                        batch=request.batch,
                        writer=request.writer,
                        epoch=request.epoch,
                        sequence=request.sequence,
                    )
                )
            await call.done_writing()

        sending = asyncio.create_task(send())
        try:
            async for answer in call:
                self.duplicates += sum(outcome.outcome.duplicate for outcome in answer.outcomes)
                self._take(answer.acked_sequence - shift - 1)
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, asyncio.InvalidStateError, grpc.aio.AioRpcError):
                await sending


def code_of(call: grpc.aio.Call) -> grpc.StatusCode:
    """The code of a call that has just ended; what is raised later may be another."""
    coroutine = call.code()
    try:
        coroutine.send(None)
    except StopIteration as done:
        code: grpc.StatusCode = done.value
        return code
    coroutine.close()
    raise AssertionError("the call has not ended")
