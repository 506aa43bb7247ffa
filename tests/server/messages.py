"""Requests in short, for tests that break one rule at a time."""

import asyncio
import struct
import time
from collections.abc import Iterable, Sequence
from typing import Any

import grpc
import pyarrow as pa

from marigram.v1 import common_pb2, ingest_pb2, queries_pb2, streams_pb2
from tests.server.support import INGEST, QUERIES, STREAMS, Client, Refusal

METRIC = common_pb2.STREAM_KIND_METRIC
EVENT = common_pb2.STREAM_KIND_EVENT
LONE_SURROGATE = b"\xed\xa0\x80"
"""U+D800 as bytes: no UTF-8, and no Python message lets it through, so that it is put in place of a word."""
PLACE = "zzz"
"""What stands where the surrogate goes; as long, so that no length changes."""


def packed(values: Iterable[float]) -> bytes:
    """Doubles as a column has them."""
    return b"".join(struct.pack("<d", value) for value in values)


def integers(values: Iterable[int]) -> bytes:
    """Integers and times as a column has them."""
    return b"".join(struct.pack("<q", value) for value in values)


def strings(*values: str) -> ingest_pb2.StringColumn:
    """Strings, each its own value."""
    return ingest_pb2.StringColumn(values=values, codes=bytes(range(len(values))), code_width=1)


def f64(name: str, *values: float) -> ingest_pb2.BatchColumn:
    """A column of doubles."""
    return ingest_pb2.BatchColumn(name=name, f64=packed(values))


def batch(*columns: ingest_pb2.BatchColumn, times: Sequence[int] | None = None, rows: int = 1) -> ingest_pb2.Batch:
    """A batch of now, or of these times."""
    times = [time.time_ns()] * rows if times is None else times
    return ingest_pb2.Batch(rows=len(times), time=integers(times), columns=columns)


def write(given: ingest_pb2.Batch | None, stream: str = "cpu", **fields: Any) -> ingest_pb2.WriteRequest:
    """A request to a metric stream."""
    wanted: dict[str, Any] = {"stream": stream, "kind": METRIC, "batch": given} | fields
    return ingest_pb2.WriteRequest(**wanted)


def with_surrogate(
    request: ingest_pb2.WriteRequest | ingest_pb2.TrackEventsRequest | queries_pb2.QueryRequest,
) -> bytes:
    """The request with a lone surrogate where ``PLACE`` stands."""
    wire = request.SerializeToString()
    assert PLACE.encode() in wire
    return wire.replace(PLACE.encode(), LONE_SURROGATE)


def measure(kind: str, column: str = "", **fields: Any) -> queries_pb2.Measure:
    """A measure by the end of its kind's name."""
    return queries_pb2.Measure(kind=queries_pb2.MeasureKind.Value(f"MEASURE_KIND_{kind}"), column=column, **fields)


COUNT = measure("COUNT")


def query(*measures: queries_pb2.Measure, stream: str = "cpu", **fields: Any) -> queries_pb2.QueryRequest:
    """A query of these measures, or of the count."""
    spec = queries_pb2.QuerySpec(stream=stream, measures=measures or (COUNT,), **fields)
    return queries_pb2.QueryRequest(spec=spec)


async def send(client: Client, request: ingest_pb2.WriteRequest) -> ingest_pb2.WriteResponse:
    """Writes."""
    return await client.unary(f"{INGEST}/Write", request, ingest_pb2.WriteResponse)


async def track(client: Client, request: ingest_pb2.TrackEventsRequest) -> ingest_pb2.TrackEventsResponse:
    """Tracks."""
    return await client.unary(f"{INGEST}/TrackEvents", request, ingest_pb2.TrackEventsResponse)


async def ask(client: Client, request: queries_pb2.QueryRequest) -> tuple[list[dict[str, Any]], queries_pb2.Provenance]:
    """Rows of the answer, and how it was made."""
    answer = await client.unary(f"{QUERIES}/Query", request, queries_pb2.QueryResponse)
    return pa.ipc.open_stream(answer.arrow).read_all().to_pylist(), answer.provenance


async def stats(client: Client, stream: str = "cpu") -> streams_pb2.StreamStats:
    """Counters of a stream, which balance."""
    request = streams_pb2.GetStreamRequest(name=f"streams/{stream}")
    found = (await client.unary(f"{STREAMS}/GetStream", request, streams_pb2.GetStreamResponse)).stream.stats
    assert found.received == found.stored + sum(count.rows for count in found.rejected) + found.duplicate
    return found


async def streams(client: Client) -> list[str]:
    """Ids of the streams there are."""
    answer = streams_pb2.ListStreamsResponse.FromString(await client.raw(f"{STREAMS}/ListStreams"))
    return [stream.name.removeprefix("streams/") for stream in answer.streams]


async def open_writer(client: Client, name: str = "w") -> ingest_pb2.OpenWriterResponse:
    """Opens a writer."""
    return await client.unary(
        f"{INGEST}/OpenWriter", ingest_pb2.OpenWriterRequest(writer=name), ingest_pb2.OpenWriterResponse
    )


async def acks(call: Any) -> tuple[list[ingest_pb2.WriteStreamResponse], Refusal | None]:
    """Every ack, and the refusal that ended the stream."""
    found = []
    try:
        async with asyncio.timeout(20):
            async for answer in call:
                # One by one: those before a refusal count too.
                found.append(ingest_pb2.WriteStreamResponse.FromString(answer))  # noqa: PERF401
    except grpc.aio.AioRpcError as error:
        return found, Refusal.of(error)
    return found, None
