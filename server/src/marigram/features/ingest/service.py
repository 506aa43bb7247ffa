"""`IngestService`: bytes in, bytes out; the core decodes, checks and stores."""

from marigram.call import current
from marigram.call.budget import Budget, Rates
from marigram.engine import Engine
from marigram.feature import Duplex, Methods
from marigram.features.ingest.flow import Flow, Window
from marigram.features.ingest.rows import outcome_of
from marigram.v1 import ingest_pb2

SERVICE = "marigram.v1.IngestService"


class IngestService:
    """The four methods. Bytes are charged before the core sees them, rows after it has counted them."""

    def __init__(self, engine: Engine, budget: Budget, rates: Rates, window: Window) -> None:
        self._engine = engine
        self._budget = budget
        self._rates = rates
        self._window = window

    def register(self, methods: Methods) -> None:
        """Says what is served."""
        methods.control(f"{SERVICE}/OpenWriter", ingest_pb2.OpenWriterRequest, self.OpenWriter)
        methods.unary(f"{SERVICE}/Write", self.Write, max_bytes=None)
        methods.unary(f"{SERVICE}/TrackEvents", self.TrackEvents)
        methods.duplex(f"{SERVICE}/WriteStream", self.WriteStream)

    def OpenWriter(self, request: ingest_pb2.OpenWriterRequest) -> ingest_pb2.OpenWriterResponse:
        """Fences every earlier opener of the name."""
        epoch, sequence = self._engine.open_writer(current().caller.namespace_id, request.writer)
        return ingest_pb2.OpenWriterResponse(epoch=epoch, next_sequence=sequence)

    async def Write(self, request: bytes) -> bytes:
        """An encoded `WriteRequest`; answers an encoded `WriteResponse`."""
        namespace = self._admitted(len(request))
        (answer,) = await self._engine.write(namespace, request)
        if self._rates.rows.bounded:
            self._charge(namespace, ingest_pb2.WriteResponse.FromString(answer))
        return answer

    async def TrackEvents(self, request: bytes) -> bytes:
        """An encoded `TrackEventsRequest`; answers an encoded `TrackEventsResponse`."""
        namespace = self._admitted(len(request))
        (answer,) = await self._engine.track(namespace, request)
        if self._rates.rows.bounded:
            self._charge(namespace, outcome_of(answer))
        return answer

    async def WriteStream(self, duplex: Duplex) -> None:
        """Encoded `WriteStreamRequest`s in, encoded `WriteStreamResponse`s out."""
        namespace = current().caller.namespace_id
        await Flow(self._engine, namespace, self._budget, self._rates, self._window, duplex).run()

    def _admitted(self, size: int) -> int:
        namespace = current().caller.namespace_id
        self._rates.rows.check(namespace)
        self._rates.bytes.check(namespace)
        self._rates.bytes.charge(namespace, size)
        return namespace

    def _charge(self, namespace: int, outcome: ingest_pb2.WriteResponse) -> None:
        self._rates.rows.charge(namespace, outcome.stored + sum(count.rows for count in outcome.rejected))
