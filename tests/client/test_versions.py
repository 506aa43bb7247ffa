"""Client and server of neighbouring versions: what one of them does not know yet, it passes over."""

from typing import TypeVar

import numpy as np
from google.protobuf.message import Message

from marigram.cli.demonstration import server as real
from marigram_client import count, mean, provenance
from marigram_client._pb.marigram.v1 import admin_pb2, ingest_pb2, queries_pb2, streams_pb2
from marigram_client.aio import Client
from tests.client.fake import FakeServer
from tests.client.test_queries import TABLE, ipc

M = TypeVar("M", bound=Message)

NEW_FIELDS = b"\xf8\x3f\x05" + b"\xfa\x3f\x03new"
"""Field 1023 as a number, and as a text."""


def newer(message: M, field: bytes = NEW_FIELDS) -> M:
    """The message as a version with two fields more would send it."""
    extended = type(message).FromString(message.SerializeToString() + field)
    assert len(extended.SerializeToString()) == len(message.SerializeToString()) + len(field)
    return extended


async def test_a_client_passes_over_fields_of_a_newer_server(client: Client, server: FakeServer) -> None:
    ledger = newer(admin_pb2.Ledger(stored=5))
    status = newer(admin_pb2.ServerStatus(version="0.2.0", ledger=ledger))
    server.will("GetStatus", newer(admin_pb2.GetStatusResponse(status=status)))
    server.will("Write", newer(ingest_pb2.WriteResponse(commit=7, stored=1)))
    assert (await client.status()).ledger.stored == 5
    assert (await client.write("cpu", {"time": [0], "value": [1.0]})).commit == 7


async def test_a_client_names_by_number_what_only_a_newer_server_has_a_word_for(
    client: Client, server: FakeServer
) -> None:
    tier = newer(queries_pb2.Provenance(commit=7), b"\x20\x63")
    server.will("Query", queries_pb2.QueryResponse(arrow=ipc(TABLE), provenance=tier))
    stream = streams_pb2.Stream(name="streams/cpu", columns=[newer(streams_pb2.Column(name="x"), b"\x10\x63")])
    server.will("GetStream", streams_pb2.GetStreamResponse(stream=stream))
    assert provenance(await client.query("cpu", measures=[mean("value")])).tier == "unknown_99"
    assert [column.type for column in (await client.get_stream("cpu")).columns] == ["unknown_99"]


async def test_a_server_passes_over_fields_of_a_newer_client() -> None:
    column = newer(ingest_pb2.BatchColumn(name="value", f64=np.array([1.0, 2.0]).tobytes()))
    batch = newer(ingest_pb2.Batch(rows=2, time=np.arange(2).tobytes(), columns=[column]))
    write = newer(ingest_pb2.WriteRequest(stream="cpu", batch=batch))
    event = newer(ingest_pb2.Event(event="view", user="u1"))
    spec = newer(queries_pb2.QuerySpec(stream="cpu", measures=[newer(count().message())]))
    query = newer(queries_pb2.QueryRequest(spec=spec, format=queries_pb2.ANSWER_FORMAT_ARROW))
    async with real.running() as (address, key), Client(address, key) as client:
        calls = client._calls
        assert (await calls.unary(write, ingest_pb2.WriteResponse)).stored == 2
        tracked = newer(ingest_pb2.TrackEventsRequest(events=[event]))
        assert (await calls.unary(tracked, ingest_pb2.TrackEventsResponse)).outcome.stored == 1
        assert (await calls.unary(query, queries_pb2.QueryResponse)).provenance.rows_matched == 2
        assert (await calls.unary(newer(admin_pb2.GetStatusRequest()), admin_pb2.GetStatusResponse)).status.version
