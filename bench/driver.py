"""Drives our server through gRPC with messages encoded before the clock starts.

Calls take and give bytes: no message is encoded on the way out, and of the answers only an ack's few bytes are read.
"""

import asyncio
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pyarrow as pa
import uvloop

from bench import messages
from bench.answers import Answers
from bench.data import SERIES
from bench.pace import p99_ms, timed_for
from marigram_client._pb.marigram.v1 import ingest_pb2, queries_pb2
from marigram_client.aio import runtime

INGEST = "/marigram.v1.IngestService/"
QUERY = "/marigram.v1.QueryService/"
SECONDS = 600.0  # no single run takes longer
START_SECONDS = 30.0
LOOK_SECONDS = 0.002
# Own connections for own channels, and no bound of our own on messages: the server's counts.
OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1))
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Run:
    """Batches, sent and acknowledged.

    Attributes:
        seconds: from before the first batch was sent until the last was acknowledged.
        waits: of each batch, seconds from its sending to the ack that covers it.
    """

    seconds: float
    waits: Sequence[float]

    @property
    def p50_ms(self) -> float:
        """Median of the waits, milliseconds."""
        return float(np.quantile(np.asarray(self.waits), 0.5)) * 1e3

    @property
    def p99_ms(self) -> float:
        """99th percentile of the waits, milliseconds."""
        return p99_ms(self.waits)


def open_writers(address: str, metadata: Metadata, names: Sequence[str]) -> None:
    """Opens writers that were never opened before.

    Raises:
        RuntimeError: one is not at its first epoch and sequence, which the encoded messages rest on.
    """
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        opens: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(INGEST + "OpenWriter")
        for name in names:
            request = ingest_pb2.OpenWriterRequest(writer=name).SerializeToString()
            answer = ingest_pb2.OpenWriterResponse.FromString(opens(request, metadata=metadata, timeout=30.0))
            if (answer.epoch, answer.next_sequence) != (1, 1):
                raise RuntimeError(f"writer {name} is at epoch {answer.epoch}, sequence {answer.next_sequence}")


def write_each(address: str, metadata: Metadata, requests: Sequence[bytes]) -> Run:
    """Sends unary Writes one after the other from one client."""
    waits: list[float] = []
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(30.0)
        write: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(INGEST + "Write")
        began = time.perf_counter()
        for request in requests:
            sent = time.perf_counter()
            write(request, metadata=metadata, timeout=30.0)
            waits.append(time.perf_counter() - sent)
        return Run(time.perf_counter() - began, waits)


def write_streams(
    address: str, metadata: Metadata, streams: Sequence[Sequence[bytes]], *, in_flight: int, channels: int = 1
) -> Run:
    """Sends each sequence of messages down a WriteStream of its own, all at once.

    Args:
        streams: messages by WriteStream, numbered from 1.
        in_flight: most batches of a stream that are sent and not acknowledged.
        channels: connections that the streams share out.
    """
    return uvloop.run(_write_streams(address, metadata, streams, in_flight, channels))


async def _write_streams(
    address: str, metadata: Metadata, streams: Sequence[Sequence[bytes]], in_flight: int, channels: int
) -> Run:
    opened = [grpc.aio.insecure_channel(address, options=OPTIONS) for _ in range(channels)]
    try:
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(channel.channel_ready() for channel in opened))
            began = time.perf_counter()
            taken = await asyncio.gather(
                *(_write_stream(opened[k % channels], metadata, stream, in_flight) for k, stream in enumerate(streams))
            )
    finally:
        for channel in opened:
            await channel.close()
    return Run(max(ended for ended, _ in taken) - began, [wait for _, waits in taken for wait in waits])


async def _write_stream(
    channel: grpc.aio.Channel, metadata: Metadata, requests: Sequence[bytes], in_flight: int
) -> tuple[float, list[float]]:
    """When the last ack came, and the wait of each batch."""
    method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(INGEST + "WriteStream")
    call = method(metadata=metadata)
    said = runtime.ending(call)
    sent: list[float] = []
    waits: list[float] = []
    ended = 0.0
    room = asyncio.Semaphore(in_flight)

    async def read() -> None:
        nonlocal ended
        while len(waits) < len(requests):
            try:
                answer = await call.read()
            except grpc.aio.AioRpcError as error:
                raise said(error) from error
            if not isinstance(answer, bytes):
                raise RuntimeError(f"WriteStream ended: {await call.code()}: {await call.details()}")
            ended = time.perf_counter()
            for number in range(len(waits), ingest_pb2.WriteStreamResponse.FromString(answer).acked_sequence):
                waits.append(ended - sent[number])
                room.release()

    async def write() -> None:
        for request in requests:
            await room.acquire()
            sent.append(time.perf_counter())
            try:
                await call.write(request)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                return  # the reader hears why
        await call.done_writing()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        tasks.create_task(write())
    if await call.read() is not grpc.aio.EOF or await call.code() is not grpc.StatusCode.OK:
        raise RuntimeError(f"WriteStream did not end well: {await call.code()}: {await call.details()}")
    return ended, waits


def ask_each(
    address: str, metadata: Metadata, requests: Sequence[bytes], *, streamed: bool = False
) -> tuple[Run, list[pa.Table]]:
    """Asks queries one after the other from one client; a wait ends when the answer is an Arrow table.

    Unary Queries, or ``streamed``: by StreamQuery, whose answers may be larger than one message.
    """
    waits: list[float] = []
    tables: list[pa.Table] = []
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(30.0)
        query: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(QUERY + "Query")
        stream: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(QUERY + "StreamQuery")
        began = time.perf_counter()
        for request in requests:
            sent = time.perf_counter()
            if streamed:
                tables.append(_table_of_frames(stream(request, metadata=metadata, timeout=60.0)))
            else:
                tables.append(_table(query(request, metadata=metadata, timeout=60.0)))
            waits.append(time.perf_counter() - sent)
        return Run(time.perf_counter() - began, waits), tables


def ask_for(
    address: str, metadata: Metadata, requests: Sequence[bytes], seconds: float
) -> tuple[Run, Sequence[pa.Table]]:
    """The same again and again until the seconds are over, but each once at least; the first answer to each."""
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(30.0)
        query: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(QUERY + "Query")
        began = time.perf_counter()
        waits, tables = timed_for(lambda sent: _table(query(sent, metadata=metadata, timeout=60.0)), requests, seconds)
        return Run(time.perf_counter() - began, waits), tables


def plain_rows(table: pa.Table) -> list[list[Any]]:
    """Rows of an answer as Python values, times as Unix nanoseconds; of a window its start, but not its end."""
    names = [name for name in table.column_names if name != "end"]
    columns = [table.column(name) for name in names]
    plain = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in columns]
    return [list(row) for row in zip(*(column.to_pylist() for column in plain), strict=True)]


def first_answer(address: str, metadata: Metadata, request: bytes) -> pa.Table:
    """Asks a server that has just been started, as soon as its port takes connections.

    Raises:
        TimeoutError: no answer within ``START_SECONDS``.
    """
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=1.0).close()
            with grpc.insecure_channel(address, options=OPTIONS) as channel:
                query: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(QUERY + "Query")
                return _table(query(request, metadata=metadata, timeout=START_SECONDS))
        except OSError:
            pass  # nobody listens yet
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"no answer within {START_SECONDS:g} s")


def _table(answer: bytes) -> pa.Table:
    return pa.ipc.open_stream(queries_pb2.QueryResponse.FromString(answer).arrow).read_all()


def _table_of_frames(frames: Iterable[bytes]) -> pa.Table:
    arrow = b"".join(queries_pb2.StreamQueryResponse.FromString(frame).arrow for frame in frames)
    return pa.ipc.open_stream(arrow).read_all()


def ask(address: str, metadata: Metadata, stream: str = messages.STREAM) -> Answers:
    """Asks our server about the rows of a stream."""
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        query: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(QUERY + "Query")

        def table(request: bytes) -> pa.Table:
            return _table(query(request, metadata=metadata, timeout=60.0))

        whole = table(messages.whole_query(stream)).to_pylist()[0]
        series = table(messages.by_series_query(stream)).to_pylist()
        minutes = table(messages.by_minute_query(stream))
    rows = {row[messages.LABEL]: row["rows"] for row in series}
    unknown = rows.keys() - {messages.host(code) for code in range(SERIES)}
    if unknown:
        raise RuntimeError(f"series that were never sent: {sorted(unknown)[:3]}")
    return Answers(
        count=whole["rows"],
        total=whole["total"],
        least=whole["least"],
        greatest=whole["greatest"],
        magnitude=sum(abs(row["total"]) for row in series),
        by_series=[rows.get(messages.host(code), 0) for code in range(SERIES)],
        by_minute=minutes.column("rows").to_pylist(),
        minutes=minutes.column("start").cast(pa.int64()).to_pylist(),
    )
