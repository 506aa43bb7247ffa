"""Rows of one namespace are as if they were not there for another; the figures of a server are of the caller's own."""

import struct
import time

import grpc
import pytest

from marigram.v1 import admin_pb2, common_pb2, ingest_pb2, queries_pb2
from tests.server.support import ADMIN, INGEST, QUERIES, Client, outcome, refused


def write(stream: str) -> bytes:
    """One row of a metric stream."""
    batch = ingest_pb2.Batch(
        rows=1,
        time=struct.pack("<q", time.time_ns()),
        columns=[ingest_pb2.BatchColumn(name="value", f64=struct.pack("<d", 1.0))],
    )
    return ingest_pb2.WriteRequest(stream=stream, kind=common_pb2.STREAM_KIND_METRIC, batch=batch).SerializeToString()


def count(stream: str) -> queries_pb2.QueryRequest:
    measure = queries_pb2.Measure(name="rows", kind=queries_pb2.MEASURE_KIND_COUNT)
    return queries_pb2.QueryRequest(spec=queries_pb2.QuerySpec(stream=stream, measures=[measure]))


async def figures(client: Client) -> admin_pb2.ServerStatus:
    answer = await client.unary(f"{ADMIN}/GetStatus", admin_pb2.GetStatusRequest(), admin_pb2.GetStatusResponse)
    return answer.status


@pytest.fixture
async def other(client: Client) -> Client:
    await client.new_namespace("other")
    return await client.new_key("admin", namespace="namespaces/other")


async def test_a_row_is_acknowledged_and_found(client: Client) -> None:
    answer = ingest_pb2.WriteResponse.FromString(await client.raw(f"{INGEST}/Write", write("cpu")))
    assert (answer.stored, len(answer.rejected)) == (1, 0)
    found = await client.unary(f"{QUERIES}/Query", count("cpu"), queries_pb2.QueryResponse)
    assert found.provenance.rows_scanned == 1
    assert found.provenance.commit >= answer.commit


@pytest.mark.parametrize("method", ["Query", "ExplainQuery", "StreamQuery"])
async def test_another_namespace_s_rows_are_not_found(client: Client, other: Client, method: str) -> None:
    await client.raw(f"{INGEST}/Write", write("cpu"))
    refusal = await outcome(other.shaped(f"{QUERIES}/{method}", count("cpu").SerializeToString()))
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "STREAM_NOT_FOUND")


async def test_a_stream_of_the_same_name_is_another_one(client: Client, other: Client) -> None:
    await client.raw(f"{INGEST}/Write", write("cpu"))
    await other.raw(f"{INGEST}/Write", write("cpu"))
    event = ingest_pb2.TrackEventsRequest(events=[ingest_pb2.Event(event="login", user="ada")])
    await other.raw(f"{INGEST}/TrackEvents", event.SerializeToString())
    mine, theirs = await figures(client), await figures(other)
    assert [(stream.name, stream.rows) for stream in mine.streams] == [("streams/cpu", 1)]
    assert [(stream.name, stream.rows) for stream in theirs.streams] == [("streams/cpu", 1), ("streams/events", 1)]
    assert (mine.ledger.received, mine.ledger.stored) == (1, 1)
    assert (theirs.ledger.received, theirs.ledger.stored) == (2, 2)


async def test_a_writer_of_the_same_name_is_another_one(client: Client, other: Client) -> None:
    request = ingest_pb2.OpenWriterRequest(writer="agent")
    epochs = [
        (await caller.unary(f"{INGEST}/OpenWriter", request, ingest_pb2.OpenWriterResponse)).epoch
        for caller in (client, client, other)
    ]
    assert epochs[1] == epochs[0] + 1
    assert epochs[2] == epochs[0]


async def test_where_writes_make_no_streams_they_must_be_created(client: Client) -> None:
    namespace = admin_pb2.Namespace(name="namespaces/strict", forbid_stream_creation=True, description="no surprises")
    request = admin_pb2.CreateNamespaceRequest(namespace=namespace)
    made = await client.unary(f"{ADMIN}/CreateNamespace", request, admin_pb2.CreateNamespaceResponse)
    assert made.namespace.forbid_stream_creation
    assert made.namespace.description == "no surprises"
    strict = await client.new_key("editor", namespace="namespaces/strict")
    refusal = await refused(strict.raw(f"{INGEST}/Write", write("cpu")))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STREAM_CREATION_FORBIDDEN")


async def test_a_namespace_s_name_is_taken_once(client: Client, other: Client) -> None:
    refusal = await refused(client.new_namespace("other"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ALREADY_EXISTS, "NAMESPACE_EXISTS")
    assert refusal.detail("ResourceInfo").resource_name == "namespaces/other"


@pytest.mark.parametrize("name", ["", "Other", "1st", "a/b", "x" * 64, "a_b"])
async def test_a_namespace_s_name_has_a_rule(client: Client, name: str) -> None:
    refusal = await refused(client.new_namespace(name))
    assert (refusal.reason, refusal.field) == ("BAD_NAME", "namespace.name")


async def test_the_figures_say_what_the_process_is(client: Client) -> None:
    found = await figures(client)
    assert found.version == "0.1.0"
    assert found.accepting_writes
    assert found.refusal_reason == ""
    assert found.now.seconds >= found.start_time.seconds > 1_700_000_000
    assert found.resident_bytes > 10_000_000
    assert found.tail_limit_bytes > 0
    assert found.disk_bytes > 0
