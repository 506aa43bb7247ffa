"""A plain client for tests: bytes or messages in, messages or refusals out."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from marigram.config import Settings, load
from marigram.rpc.server import Server
from marigram.v1 import admin_pb2, common_pb2, ingest_pb2, queries_pb2, streams_pb2

ADMIN = "marigram.v1.AdminService"
STREAMS = "marigram.v1.StreamsService"
INGEST = "marigram.v1.IngestService"
QUERIES = "marigram.v1.QueryService"
HEALTH = "grpc.health.v1.Health"

Answer = TypeVar("Answer", bound=Message)
Call = Any  # of grpc.aio, which has one class a shape


def settings(directory: Path, **given: Any) -> Settings:
    """Settings of a server for one test: a free port, and nothing of the environment."""
    return load({"data_dir": directory, "port": 0, **given}, environment={})


def described() -> dict[str, Any]:
    """Every method of every service that a server may have, by full name."""
    files = (admin_pb2, ingest_pb2, queries_pb2, streams_pb2, health_pb2, reflection_pb2)
    return {
        f"{service.full_name}/{method.name}": method
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


@dataclass(frozen=True)
class Refusal:
    """A status that is not OK, with what came with it."""

    code: grpc.StatusCode
    message: str
    reason: str
    field: str
    details: Sequence[Message]
    trailers: Mapping[str, str | bytes]

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> "Refusal":
        """From what the client library raises."""
        trailers = {str(key): value for key, value in error.trailing_metadata() or ()}
        status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
        kinds = {
            f"type.googleapis.com/{kind.DESCRIPTOR.full_name}": kind
            for name in ("ErrorInfo", "BadRequest", "QuotaFailure", "ResourceInfo", "RetryInfo")
            if (kind := getattr(error_details_pb2, name))
        }
        details = [kinds[detail.type_url].FromString(detail.value) for detail in status.details]
        info = next((detail for detail in details if isinstance(detail, error_details_pb2.ErrorInfo)), None)
        reason = info.reason if info else ""
        field = info.metadata.get("field", "") if info else ""
        return cls(error.code(), error.details() or "", reason, field, details, trailers)

    def detail(self, name: str) -> Any:
        """The detail of this kind."""
        kind = getattr(error_details_pb2, name)
        return next(detail for detail in self.details if isinstance(detail, kind))


async def refused(call: Awaitable[object]) -> Refusal:
    """The refusal of a call that must not succeed."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return Refusal.of(error)
    raise AssertionError("the call succeeded")


async def outcome(call: Awaitable[object]) -> Refusal | None:
    """The refusal of a call, or None if it succeeded."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return Refusal.of(error)
    return None


# What grpc.aio's client makes of a refusal that comes between its look at the call and its write: the status is lost.
LOST_RACE = "Internal error from Core"


class Client:
    """Calls of one key over one channel."""

    def __init__(self, channel: grpc.aio.Channel, key: str = "") -> None:
        self.channel = channel
        self.key = key

    def with_key(self, key: str) -> "Client":
        """The same channel with another key; empty: none."""
        return Client(self.channel, key)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What each call shows."""
        return (("authorization", f"Bearer {self.key}"),) if self.key else ()

    def raw(self, method: str, request: bytes = b"", **options: Any) -> Call:
        """A unary call of bytes."""
        call: Call = self.channel.unary_unary(f"/{method}")
        return call(request, **{"metadata": self.metadata} | options)

    async def unary(self, method: str, request: Message, answer: type[Answer], **options: Any) -> Answer:
        """A unary call of messages."""
        return answer.FromString(await self.raw(method, request.SerializeToString(), **options))

    def out(self, method: str, request: bytes = b"", **options: Any) -> Call:
        """A call that answers several messages."""
        call: Call = self.channel.unary_stream(f"/{method}")
        return call(request, metadata=self.metadata, **options)

    def both(self, method: str, **options: Any) -> Call:
        """A call of messages both ways."""
        return self.channel.stream_stream(f"/{method}")(metadata=self.metadata, **options)

    def shaped(self, method: str, request: bytes = b"", **options: Any) -> Awaitable[object]:
        """A call of whatever shape the contract gives the method, until its first answer."""
        descriptor = described()[method]
        if not descriptor.server_streaming:
            unary: Awaitable[object] = self.raw(method, request, **options)
            return unary

        async def first() -> object:
            call = self.both(method, **options) if descriptor.client_streaming else self.out(method, request, **options)
            if descriptor.client_streaming:
                with contextlib.suppress(
                    grpc.aio.AioRpcError
                ):  # a refused call takes no message; its status comes below
                    await call.write(request)
                    await call.done_writing()
            answer = await call.read()
            if answer is grpc.aio.EOF and await call.details() == LOST_RACE:
                return await first()
            if answer is grpc.aio.EOF and await call.code() is not grpc.StatusCode.OK:
                raise grpc.aio.AioRpcError(
                    await call.code(),
                    await call.initial_metadata(),
                    await call.trailing_metadata(),
                    await call.details(),
                )
            call.cancel()
            return answer

        return first()

    # What many tests do.

    async def new_key(self, *scopes: str, namespace: str = "") -> "Client":
        """A client with a new key of these scopes or roles."""
        request = admin_pb2.CreateApiKeyRequest(scopes=scopes, namespace=namespace)
        made = await self.unary(f"{ADMIN}/CreateApiKey", request, admin_pb2.CreateApiKeyResponse)
        return self.with_key(made.secret)

    async def new_namespace(self, name: str) -> None:
        """A new namespace."""
        request = admin_pb2.CreateNamespaceRequest(namespace=admin_pb2.Namespace(name=f"namespaces/{name}"))
        await self.unary(f"{ADMIN}/CreateNamespace", request, admin_pb2.CreateNamespaceResponse)

    async def new_stream(self, name: str) -> streams_pb2.Stream:
        """A new event stream."""
        stream = streams_pb2.Stream(name=f"streams/{name}", kind=common_pb2.STREAM_KIND_EVENT)
        request = streams_pb2.CreateStreamRequest(stream=stream)
        return (await self.unary(f"{STREAMS}/CreateStream", request, streams_pb2.CreateStreamResponse)).stream


@contextlib.asynccontextmanager
async def serving(given: Settings) -> AsyncIterator[tuple[Server, Client]]:
    """A server, and a client with its first key."""
    server = await Server.start(given)
    try:
        key = (given.data_dir / "admin.key").read_text().strip()
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel:
            yield server, Client(channel, key)
    finally:
        await server.stop()
