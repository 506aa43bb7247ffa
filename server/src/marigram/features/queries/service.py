"""`QueryService`: bytes in, bytes out; the core reads the spec and writes the answer."""

from collections.abc import AsyncGenerator

from marigram.call import Call, current
from marigram.call.budget import Rate
from marigram.engine import Engine
from marigram.feature import Methods

SERVICE = "marigram.v1.QueryService"


class QueryService:
    """All methods. A caller who goes away cancels the query in the core."""

    def __init__(self, engine: Engine, rate: Rate, *, query_seconds: float, export_seconds: float) -> None:
        self._engine = engine
        self._rate = rate
        self._query_seconds = query_seconds
        self._export_seconds = export_seconds

    def register(self, methods: Methods) -> None:
        """Says what is served."""
        methods.unary(f"{SERVICE}/Query", self.Query, seconds=self._query_seconds)
        methods.unary(f"{SERVICE}/ExplainQuery", self.ExplainQuery, seconds=self._query_seconds)
        methods.stream_out(f"{SERVICE}/StreamQuery", self.StreamQuery, seconds=self._export_seconds)
        methods.unary(f"{SERVICE}/ListEvents", self.ListEvents, seconds=self._query_seconds)
        methods.unary(f"{SERVICE}/GetEvent", self.GetEvent, seconds=self._query_seconds)
        methods.unary(f"{SERVICE}/ExploreDimension", self.ExploreDimension, seconds=self._query_seconds)

    async def Query(self, request: bytes) -> bytes:
        """An encoded `QueryRequest`; answers an encoded `QueryResponse`."""
        call = self._admitted()
        return await self._engine.query(call.caller.namespace_id, request, self._time_to_compute(call))

    async def ExplainQuery(self, request: bytes) -> bytes:
        """An encoded `ExplainQueryRequest`; answers an encoded `ExplainQueryResponse`. The query is bounded as for
        Query."""
        call = self._admitted()
        return await self._engine.explain_query(call.caller.namespace_id, request, self._time_to_compute(call))

    async def StreamQuery(self, request: bytes) -> AsyncGenerator[bytes, None]:
        """An encoded `StreamQueryRequest`; answers encoded frames. Computing is bounded as for Query, sending is
        longer."""
        call = self._admitted()
        for frame in await self._engine.stream_query(call.caller.namespace_id, request, self._time_to_compute(call)):
            yield frame

    async def ListEvents(self, request: bytes) -> bytes:
        """An encoded `ListEventsRequest`; answers an encoded `ListEventsResponse`."""
        call = self._admitted()
        return await self._engine.list_events(call.caller.namespace_id, request, self._time_to_compute(call))

    async def GetEvent(self, request: bytes) -> bytes:
        """An encoded `GetEventRequest`; answers an encoded `GetEventResponse`."""
        call = self._admitted()
        return await self._engine.get_event(call.caller.namespace_id, request, self._time_to_compute(call))

    async def ExploreDimension(self, request: bytes) -> bytes:
        """An encoded `ExploreDimensionRequest`; answers an encoded `ExploreDimensionResponse`."""
        call = self._admitted()
        return await self._engine.explore_dimension(call.caller.namespace_id, request, self._time_to_compute(call))

    def _admitted(self) -> Call:
        call = current()
        self._rate.check(call.caller.namespace_id)
        self._rate.charge(call.caller.namespace_id, 1)
        return call

    def _time_to_compute(self, call: Call) -> float:
        left = call.time_left()
        return self._query_seconds if left is None else min(left, self._query_seconds)
