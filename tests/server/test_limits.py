"""What a server takes on at once, what a namespace may ask a second, and how long a call may last."""

import asyncio
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

from marigram.call.budget import Bounds, Budget, Rate
from marigram.errors import LimitExceeded, Overloaded
from marigram.v1 import common_pb2, ingest_pb2
from tests.server.fake_core import FakeCore
from tests.server.support import INGEST, QUERIES, STREAMS, Client, refused, serving, settings


async def until_asked(core: FakeCore, count: int) -> None:
    async with asyncio.timeout(10):
        while len(core.asked) < count:  # noqa: ASYNC110  the core's side has no event to wait for
            await asyncio.sleep(0)


def test_calls_are_bounded_in_all_and_by_namespace() -> None:
    budget = Budget(Bounds(calls=3, calls_per_namespace=2, bytes=100))
    budget.take_call(1)
    budget.take_call(1)
    with pytest.raises(Overloaded, match="namespace may have 2"):
        budget.take_call(1)
    budget.take_call(2)
    with pytest.raises(Overloaded, match="server takes 3"):
        budget.take_call(3)
    budget.give_call(1)
    budget.take_call(1)


def test_one_request_always_fits() -> None:
    budget = Budget(Bounds(1, 1, bytes=100))
    budget.take_bytes(1_000)
    with pytest.raises(Overloaded) as caught:
        budget.take_bytes(1)
    assert caught.value.retry_after is not None
    budget.give_bytes(1_000)
    budget.take_bytes(1)


async def test_who_can_wait_for_bytes_is_let_in_when_they_come_back() -> None:
    budget = Budget(Bounds(1, 1, bytes=100))
    budget.take_bytes(80)
    waiting = asyncio.create_task(budget.wait_for_bytes(40))
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.give_bytes(80)
    await waiting
    assert budget.bytes == 40


def test_a_rate_holds_one_second_s_worth_and_says_when_to_come_again() -> None:
    now = [0.0]
    rate = Rate("rows", 10, lambda: now[0])
    rate.charge(1, 30)
    with pytest.raises(LimitExceeded) as caught:
        rate.check(1)
    assert caught.value.retry_after == pytest.approx(2.1)
    rate.check(2)
    now[0] = 2.1
    rate.check(1)
    now[0] = 1_000
    rate.charge(1, 10)
    with pytest.raises(LimitExceeded):
        rate.check(1)


async def test_a_call_too_many_is_unavailable_with_a_delay_in_both_places(core: FakeCore, tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data", max_calls_per_namespace=1)) as (_, client):
        first = client.raw(f"{QUERIES}/Query")
        running = asyncio.ensure_future(first)
        await until_asked(core, 1)
        refusal = await refused(client.raw(f"{QUERIES}/Query"))
        await client.raw(f"{STREAMS}/ListStreams")  # administration has a lane of its own
        core.answer(1, [b"done"])
        assert await running == b"done"
        core.reply = [b"next"]
        assert await client.raw(f"{QUERIES}/Query") == b"next"
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "TOO_MANY_CALLS")
    in_trailer = error_details_pb2.RetryInfo.FromString(refusal.trailers["google.rpc.retryinfo-bin"])
    assert in_trailer.retry_delay.ToMilliseconds() == 500
    assert refusal.detail("RetryInfo") == in_trailer


async def test_a_namespace_beyond_its_rate_is_refused_with_a_quota(core: FakeCore, tmp_path: Path) -> None:
    core.reply = [b""]
    async with serving(settings(tmp_path / "data", queries_per_second=1, bytes_per_second=10)) as (_, client):
        await client.new_namespace("other")
        other = await client.new_key("admin", namespace="namespaces/other")
        for method in (f"{QUERIES}/Query", f"{INGEST}/Write"):
            await client.raw(method, bytes(11))
            refusal = await refused(client.raw(method, bytes(11)))
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_EXCEEDED")
            assert refusal.detail("QuotaFailure").violations[0].subject == "RATE_EXCEEDED"
            assert refusal.detail("RetryInfo").retry_delay.ToMilliseconds() > 0
            await other.raw(method, bytes(11))


async def test_rows_are_charged_when_the_core_has_counted_them(core: FakeCore, tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data", rows_per_second=10)) as (_, client):
        outcome = ingest_pb2.WriteResponse(
            stored=5, rejected=[common_pb2.RejectionCount(reason="TYPE_MISMATCH", rows=6)]
        )
        results = [ingest_pb2.EventResult(stored=True)] * 200
        core.reply = [ingest_pb2.TrackEventsResponse(outcome=outcome, results=results).SerializeToString()]
        await client.raw(f"{INGEST}/TrackEvents")
        assert (await refused(client.raw(f"{INGEST}/Write"))).reason == "RATE_EXCEEDED"


async def test_a_call_lasts_no_longer_than_its_client_waits_and_its_query_is_cancelled(
    core: FakeCore, tmp_path: Path
) -> None:
    async with serving(settings(tmp_path / "data")) as (_, client):
        refusal = await refused(client.raw(f"{QUERIES}/Query", timeout=0.2))
        assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(10):
            while core.cancelled != [1]:  # noqa: ASYNC110
                await asyncio.sleep(0)


async def test_the_server_s_longest_time_holds_for_who_waits_for_ever(core: FakeCore, tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data", query_seconds=0.1)) as (_, client):
        refusal = await refused(client.raw(f"{QUERIES}/Query"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    assert core.cancelled == [1]


async def test_a_client_that_goes_away_cancels_its_query(core: FakeCore, tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data")) as (server, client):
        call = client.out(f"{QUERIES}/StreamQuery")
        await until_asked(core, 1)
        call.cancel()
        async with asyncio.timeout(10):
            while core.cancelled != [1]:  # noqa: ASYNC110
                await asyncio.sleep(0)
            while server.metrics.methods[f"{QUERIES}/StreamQuery"].running:  # noqa: ASYNC110
                await asyncio.sleep(0)


async def test_frames_come_in_order(core: FakeCore, tmp_path: Path) -> None:
    core.reply = [b"one", b"two", b"three"]
    async with serving(settings(tmp_path / "data")) as (_, client):
        assert [frame async for frame in client.out(f"{QUERIES}/StreamQuery")] == [b"one", b"two", b"three"]


async def test_an_expired_deadline_changes_nothing(client: Client) -> None:
    # Anything above zero reaches the server rounded up to a millisecond, in which it can answer.
    refusal = await refused(client.raw(f"{STREAMS}/ListStreams", timeout=-1))
    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
