"""Health v1: whether each service is served. Open to anybody; says NOT_SERVING before anything else stops."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Any

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2 as untyped

from marigram.errors import NotFound
from marigram.feature import Methods
from marigram.wire import parse

SERVICE = "grpc.health.v1.Health"
LARGEST_REQUEST = 4_096

health_pb2: Any = untyped  # its type stubs are older than List
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """Of the server (the empty name) and of each of its services."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = ("", *services)
        self._serving = True
        self._stopping = asyncio.Event()

    def register(self, methods: Methods) -> None:
        """Says what is served."""
        methods.unary(f"{SERVICE}/Check", self.check, max_bytes=LARGEST_REQUEST)
        methods.unary(f"{SERVICE}/List", self.list, max_bytes=LARGEST_REQUEST)
        methods.stream_out(f"{SERVICE}/Watch", self.watch, max_bytes=LARGEST_REQUEST)

    def stop(self) -> None:
        """NOT_SERVING from now on; watchers hear it as their last message."""
        self._serving = False
        self._stopping.set()

    async def check(self, request: bytes) -> bytes:
        """The state of one service."""
        service = parse(health_pb2.HealthCheckRequest, request).service
        if service not in self._services:
            raise NotFound("there is no such service", reason="SERVICE_NOT_FOUND", field="service")
        return encode(health_pb2.HealthCheckResponse(status=self._status()))

    async def list(self, request: bytes) -> bytes:
        """The state of every service."""
        parse(health_pb2.HealthListRequest, request)
        answer = health_pb2.HealthListResponse()
        for service in self._services:
            answer.statuses[service].status = self._status()
        return encode(answer)

    async def watch(self, request: bytes) -> AsyncGenerator[bytes, None]:
        """The state of one service now, and again when it changes."""
        service = parse(health_pb2.HealthCheckRequest, request).service
        unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        known = service in self._services
        if self._serving:
            yield encode(health_pb2.HealthCheckResponse(status=_SERVING if known else unknown))
            await self._stopping.wait()
        if known or not self._serving:
            yield encode(health_pb2.HealthCheckResponse(status=_NOT_SERVING if known else unknown))

    def _status(self) -> int:
        return int(_SERVING if self._serving else _NOT_SERVING)


def encode(message: Message) -> bytes:
    """Bytes of a message."""
    return message.SerializeToString()
