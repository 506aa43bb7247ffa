"""A small server that keeps rows in memory and can be told to misbehave: connections lost, acks late, refusals."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped, unused-ignore]
from grpc_status import rpc_status

from marigram_client._pb.marigram.v1 import admin_pb2, ingest_pb2, queries_pb2, streams_pb2

Messages = AsyncIterator[ingest_pb2.WriteStreamRequest]
Context = Any
Talk = Callable[["FakeServer", Messages, Context], Awaitable[None]]


def refusal(code: grpc.StatusCode, message: str, reason: str = "", field: str = "", retry_s: float = 0.0) -> Any:
    """A status with the details that the server sends."""
    details: list[Message] = []
    if reason:
        details.append(error_details_pb2.ErrorInfo(reason=reason, domain="marigram"))
    if field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=message)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if retry_s:
        delay = Duration()
        delay.FromMilliseconds(round(retry_s * 1_000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = []
    for detail in details:
        packed.append(Packed())
        packed[-1].Pack(detail)
    status = status_pb2.Status(code=code.value[0], message=message, details=packed)
    return rpc_status.to_status(status)


@dataclass
class FakeServer:
    """What it was sent, and what it is to answer."""

    port: int = 0
    calls: list[tuple[str, Message, dict[str, str]]] = field(default_factory=list)
    answers: dict[str, list[Any]] = field(default_factory=dict)
    talks: list[Talk] = field(default_factory=list)
    epoch: int = 0
    durable: dict[int, ingest_pb2.WriteStreamRequest] = field(default_factory=dict, repr=False)
    repeated: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def will(self, method: str, *answers: Any) -> None:
        """The next answers of a method: messages, lists of messages, statuses of ``refusal``, or an event that
        never comes. The last one stays. A list may end with a status or hold events to wait for."""
        self.answers[method] = list(answers)

    def sent(self, method: str) -> list[Any]:
        """Requests of a method, in order."""
        return [request for name, request, _ in self.calls if name == method]

    @property
    def acked(self) -> int:
        """Highest number up to which every batch is durable."""
        return len(self.durable)

    def store(self, message: ingest_pb2.WriteStreamRequest) -> bool:
        """Keep a batch as the server does: in order, each number once. False if it was there before."""
        if message.sequence in self.durable:
            assert message == self.durable[message.sequence], "sent again with other bytes"
            self.repeated += 1
            return False
        assert message.sequence == self.acked + 1, f"expected {self.acked + 1}, got {message.sequence}"
        self.durable[message.sequence] = message
        return True

    async def next_answer(self, method: str, request: Message, context: Context) -> Any:
        headers = {key: str(value) for key, value in context.invocation_metadata() or ()}
        self.calls.append((method, request, headers))
        planned = self.answers.get(method)
        if not planned:
            raise AssertionError(f"nobody said what {method} answers")
        answer = planned.pop(0) if len(planned) > 1 else planned[0]
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        elif not isinstance(answer, Message | list):
            await context.abort_with_status(answer)
        return answer


async def polite(server: FakeServer, messages: Messages, context: Context) -> None:
    """Store and acknowledge each batch."""
    async for message in messages:
        server.store(message)
        await context.write(ingest_pb2.WriteStreamResponse(acked_sequence=server.acked, commit=100 + server.acked))


@asynccontextmanager
async def running(port: int = 0, state: FakeServer | None = None) -> AsyncIterator[FakeServer]:
    """A fake server on a free port, or on the one where an earlier one was."""
    fake = state or FakeServer()

    def unary(request: type[Message], name: str) -> Any:
        async def answer(message: Message, context: Context) -> Any:
            return await fake.next_answer(name, message, context)

        return grpc.unary_unary_rpc_method_handler(answer, request.FromString, lambda reply: reply.SerializeToString())

    def several(request: type[Message], name: str) -> Any:
        async def answers(message: Message, context: Context) -> AsyncIterator[Message]:
            for part in await fake.next_answer(name, message, context):
                if isinstance(part, asyncio.Event):
                    await part.wait()
                elif isinstance(part, Message):
                    yield part
                else:
                    await context.abort_with_status(part)

        return grpc.unary_stream_rpc_method_handler(
            answers, request.FromString, lambda reply: reply.SerializeToString()
        )

    async def write_stream(messages: Messages, context: Context) -> None:
        talk = fake.talks.pop(0) if fake.talks else polite
        await talk(fake, messages, context)

    async def open_writer(message: ingest_pb2.OpenWriterRequest, context: Context) -> ingest_pb2.OpenWriterResponse:
        fake.epoch += 1
        return ingest_pb2.OpenWriterResponse(epoch=fake.epoch, next_sequence=fake.acked + 1)

    def service(module: Any, name: str, methods: Iterable[str]) -> dict[str, Any]:
        return {method: unary(getattr(module, f"{method}Request"), method) for method in methods}

    handlers = {
        "IngestService": service(ingest_pb2, "IngestService", ("Write", "TrackEvents"))
        | {
            "OpenWriter": grpc.unary_unary_rpc_method_handler(
                open_writer, ingest_pb2.OpenWriterRequest.FromString, lambda reply: reply.SerializeToString()
            ),
            "WriteStream": grpc.stream_stream_rpc_method_handler(
                write_stream, ingest_pb2.WriteStreamRequest.FromString, lambda reply: reply.SerializeToString()
            ),
        },
        "QueryService": service(queries_pb2, "QueryService", ("Query", "ExplainQuery"))
        | {"StreamQuery": several(queries_pb2.StreamQueryRequest, "StreamQuery")},
        "StreamsService": service(
            streams_pb2,
            "StreamsService",
            [f"{verb}Stream" for verb in ("Create", "Get", "Update", "Seal", "Recode", "Delete")],
        )
        | {"ListStreams": unary(streams_pb2.ListStreamsRequest, "ListStreams")},
        "AdminService": service(
            admin_pb2,
            "AdminService",
            (
                "CreateNamespace",
                "SetNamespaceQuota",
                "ListNamespaces",
                "CreateApiKey",
                "ListApiKeys",
                "RevokeApiKey",
                "GetStatus",
                "GetStorage",
                "VerifyStore",
                "CreateBackup",
                "ListBackups",
            ),
        )
        | {"WatchStatus": several(admin_pb2.WatchStatusRequest, "WatchStatus")},
    }
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 64 << 20)])
    for name, methods in handlers.items():
        handler = grpc.method_handlers_generic_handler(f"marigram.v1.{name}", methods)
        server.add_generic_rpc_handlers((handler,))
    fake.port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield fake
    finally:
        await server.stop(None)
