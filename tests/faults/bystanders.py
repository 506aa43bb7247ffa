"""Clients that only look on while a server comes and goes: queries, and watchers of its figures."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration

from marigram.v1 import admin_pb2, admin_pb2_grpc, queries_pb2, queries_pb2_grpc
from tests.faults import rows
from tests.faults.server import Server

RETRY_S = 0.02
QUIET_S = 60.0
OFTEN = Duration(nanos=100_000_000)


@dataclass
class Bystanders:
    """Each asks again and again, whatever it is told. What it was told is kept."""

    server: Server
    key: str = ""  # the server's own unless given
    answers: Counter[str] = field(default_factory=Counter)
    endings: Counter[grpc.StatusCode] = field(default_factory=Counter)  # what calls ended with, beside OK
    complaint: str = ""
    noticed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.key}"),) if self.key else self.server.metadata

    async def query(self, channel: grpc.aio.Channel) -> None:
        """Ask for whole batches: what comes is not torn."""
        stub = queries_pb2_grpc.QueryServiceStub(channel)
        request = queries_pb2.QueryRequest(spec=rows.batches_query(0, 50))
        answer = await stub.Query(request, metadata=self.metadata, timeout=QUIET_S)
        seen = rows.shown(answer.arrow)
        self._complain_of({batch for batch, shown in seen.items() if shown != rows.expected(batch)})

    async def stream(self, channel: grpc.aio.Channel) -> None:
        """Ask for frames."""
        request = queries_pb2.StreamQueryRequest(spec=rows.places_query())
        stub = queries_pb2_grpc.QueryServiceStub(channel)
        frames = [frame async for frame in stub.StreamQuery(request, metadata=self.metadata, timeout=QUIET_S)]
        if not frames:
            self._complain_of("an answer without frames")

    async def watch(self, channel: grpc.aio.Channel) -> None:
        """Watch the figures until the server ends it: they balance. It never ends with OK."""
        stub = admin_pb2_grpc.AdminServiceStub(channel)
        async for answer in stub.WatchStatus(admin_pb2.WatchStatusRequest(interval=OFTEN), metadata=self.metadata):
            ledger = answer.status.ledger
            rejected = sum(rule.rows for rule in ledger.rejected)
            if ledger.received != ledger.stored + rejected + ledger.duplicate:
                self._complain_of(ledger)
            self._had("watch")
        self._complain_of("a watch that ended with OK")

    def begin(self) -> None:
        """Forget what was answered, so that ``until_answered`` waits for news."""
        self.answers.clear()

    async def until_answered(self) -> None:
        """Wait until each kind of call has had an answer since ``begin``."""
        async with asyncio.timeout(QUIET_S):
            while not self.complaint and not {"query", "stream", "watch"} <= set(self.answers):
                self.noticed.clear()
                await self.noticed.wait()

    async def run(self, name: str, ask: Callable[[grpc.aio.Channel], Coroutine[None, None, None]]) -> None:
        """Ask for ever, each time over a connection of its own."""
        while True:
            try:
                async with self.server.channel() as channel:
                    while True:
                        await ask(channel)
                        self._had(name)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:  # no row has come yet
                    self.endings[error.code()] += 1
                    self.noticed.set()
                await asyncio.sleep(RETRY_S)

    def _had(self, name: str) -> None:
        self.answers[name] += 1
        self.noticed.set()

    def _complain_of(self, what: object) -> None:
        if what:
            self.complaint = str(what)
            self.noticed.set()


@contextlib.asynccontextmanager
async def looking_on(server: Server, key: str = "") -> AsyncIterator[Bystanders]:
    """Two of each kind."""
    found = Bystanders(server, key)
    kinds = {"query": found.query, "stream": found.stream, "watch": found.watch}
    tasks = [asyncio.create_task(found.run(name, ask)) for name, ask in kinds.items() for _ in range(2)]
    try:
        yield found
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
