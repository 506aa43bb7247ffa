"""Health v1: open to anybody, first to know that the server stops."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2 as untyped

from tests.server.fake_core import FakeCore
from tests.server.support import ADMIN, HEALTH, INGEST, QUERIES, STREAMS, Client, refused, serving, settings

health_pb2: Any = untyped
SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("service", ["", ADMIN, INGEST, QUERIES, STREAMS])
async def test_every_service_serves(client: Client, service: str) -> None:
    request = health_pb2.HealthCheckRequest(service=service)
    answer = await client.with_key("").unary(f"{HEALTH}/Check", request, health_pb2.HealthCheckResponse)
    assert answer.status == SERVING


async def test_an_unknown_service_is_not_found(client: Client) -> None:
    request = health_pb2.HealthCheckRequest(service="marigram.v1.Nobody")
    refusal = await refused(client.raw(f"{HEALTH}/Check", request.SerializeToString()))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "SERVICE_NOT_FOUND")


async def test_all_services_are_listed(client: Client) -> None:
    answer = await client.unary(f"{HEALTH}/List", health_pb2.HealthListRequest(), health_pb2.HealthListResponse)
    assert {"", ADMIN, INGEST, QUERIES, STREAMS} == set(answer.statuses)


async def test_a_watcher_hears_of_the_stop_before_the_last_call_has_ended(core: FakeCore, tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data", grace_seconds=5)) as (server, client):
        watch = client.out(f"{HEALTH}/Watch")
        assert health_pb2.HealthCheckResponse.FromString(await watch.read()).status == SERVING
        running = asyncio.ensure_future(client.raw(f"{QUERIES}/Query"))
        async with asyncio.timeout(10):
            while not core.asked:  # noqa: ASYNC110
                await asyncio.sleep(0)
        stopping = asyncio.create_task(server.stop())
        last = health_pb2.HealthCheckResponse.FromString(await watch.read()).status
        assert last == health_pb2.HealthCheckResponse.NOT_SERVING
        assert not running.done()
        core.answer(1, [b"answer"])
        assert await running == b"answer"
        await stopping
