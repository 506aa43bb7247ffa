"""What a namespace may store: past it rows are refused by name, and nothing else changes."""

import grpc

from marigram.v1 import admin_pb2
from tests.server.messages import ask, batch, f64, query, send, write
from tests.server.support import ADMIN, Client, refused


async def set_quota(client: Client, name: str = "default", **bounds: int) -> admin_pb2.Namespace:
    request = admin_pb2.SetNamespaceQuotaRequest(name=f"namespaces/{name}", **bounds)
    answer = await client.unary(f"{ADMIN}/SetNamespaceQuota", request, admin_pb2.SetNamespaceQuotaResponse)
    return answer.namespace


async def test_rows_past_the_quota_are_refused_and_those_there_are_answered(client: Client) -> None:
    await send(client, write(batch(f64("v", 1.0, 2.0), rows=2)))
    found = await set_quota(client, max_rows=3)
    assert (found.max_rows, found.max_bytes, found.rows) == (3, 0, 2)
    assert found.bytes > 0
    await send(client, write(batch(f64("v", 3.0))))
    refusal = await refused(send(client, write(batch(f64("v", 4.0)))))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "NAMESPACE_QUOTA")
    assert "3 rows" in refusal.message
    assert (await ask(client, query()))[0] == [{"count": 3}]
    await set_quota(client, max_bytes=1)
    assert (await refused(send(client, write(batch(f64("v", 4.0)))))).reason == "NAMESPACE_QUOTA"
    await set_quota(client)
    await send(client, write(batch(f64("v", 4.0))))


async def test_the_quota_of_a_namespace_that_is_not_there_is_not_set(client: Client) -> None:
    refusal = await refused(set_quota(client, "nowhere", max_rows=1))
    assert (refusal.reason, refusal.field) == ("NAMESPACE_NOT_FOUND", "name")


async def test_a_quota_is_of_one_namespace_and_set_by_the_server_s_administrator_alone(client: Client) -> None:
    await client.new_namespace("other")
    stranger = await client.new_key("admin", namespace="namespaces/other")
    await set_quota(client, "other", max_rows=1)
    await send(client, write(batch(f64("v", 1.0, 2.0), rows=2)))
    await send(client, write(batch(f64("v", 1.0, 2.0), rows=2)))
    await send(stranger, write(batch(f64("v", 1.0))))
    assert (await refused(send(stranger, write(batch(f64("v", 1.0)))))).reason == "NAMESPACE_QUOTA"
