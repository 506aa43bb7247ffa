"""WatchStatus: the figures again and again, until somebody ends it."""

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from marigram.features.admin.status import Figures
from marigram.rpc.server import Server
from marigram.v1 import admin_pb2, streams_pb2
from tests.server.messages import ask, batch, f64, open_writer, query, send, write
from tests.server.support import ADMIN, STREAMS, Client, Refusal, outcome, refused, serving, settings

METHOD = f"{ADMIN}/WatchStatus"
OFTEN = Duration(nanos=100_000_000)
SELDOM = Duration(seconds=60)
PATIENCE_S = 20
SMALL_WINDOW = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 65_535),
)


def watch(client: Client, interval: Duration | None = OFTEN, **options: Any) -> Any:
    request = admin_pb2.WatchStatusRequest(interval=interval)
    return client.out(METHOD, request.SerializeToString(), **options)


async def read(call: Any) -> admin_pb2.ServerStatus:
    """The next message, which balances."""
    async with asyncio.timeout(PATIENCE_S):
        message = await call.read()
    if message is grpc.aio.EOF:
        assert await call.code() is grpc.StatusCode.OK
        pytest.fail("the stream has ended")
    found = admin_pb2.WatchStatusResponse.FromString(message).status
    ledger = found.ledger
    assert ledger.received == ledger.stored + sum(rule.rows for rule in ledger.rejected) + ledger.duplicate
    return found


async def until(call: Any, holds: Callable[[admin_pb2.ServerStatus], object]) -> admin_pb2.ServerStatus:
    """The first message of which this holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds(found := await read(call)):
            pass
    return found


async def end_of(call: Any) -> Refusal:
    """What the stream ends with; messages on the way are read."""

    async def through() -> None:
        while await call.read() is not grpc.aio.EOF:
            pass
        raise grpc.aio.AioRpcError(
            await call.code(), await call.initial_metadata(), await call.trailing_metadata(), await call.details()
        )

    async with asyncio.timeout(PATIENCE_S):
        return await refused(through())


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[Server, Client]]:
    """A server with two places for watchers, one a namespace."""
    given = settings(tmp_path / "data", max_watchers=2, max_watchers_per_namespace=1)
    async with serving(given) as running:
        yield running


# When.


async def test_the_first_message_comes_at_once(client: Client) -> None:
    # The next one is a minute away: that there is one says it.
    found = await read(watch(client, SELDOM))
    assert found.version == "0.1.0"


@pytest.mark.parametrize(("interval", "seconds"), [(OFTEN, 0.1), (None, 1.0)])
async def test_the_others_come_an_interval_apart(client: Client, interval: Duration | None, seconds: float) -> None:
    began = time.monotonic()
    call = watch(client, interval)
    moments = [(await read(call)).now.ToNanoseconds() for _ in range(3)]
    # One may come late, and the next on time: so what is sure is when the last comes at the soonest.
    assert time.monotonic() - began >= 2 * seconds
    assert moments == sorted(set(moments))


@pytest.mark.parametrize(
    ("interval", "found"),
    [
        (Duration(), "got 0 s"),
        (Duration(nanos=99_999_999), "got 0.099999999 s"),
        (Duration(seconds=60, nanos=1), "got 60.000000001 s"),
        (Duration(seconds=-1), "got -1 s"),
        (Duration(seconds=1, nanos=-1), "got "),
    ],
)
async def test_an_interval_lies_between_100_ms_and_a_minute(client: Client, interval: Duration, found: str) -> None:
    refusal = await end_of(watch(client, interval))
    assert (refusal.code, refusal.reason, refusal.field) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_DURATION",
        "interval",
    )
    assert "between 0.1 s and 60 s" in refusal.message
    assert found in refusal.message


async def test_bytes_that_are_no_request_are_an_invalid_argument(client: Client) -> None:
    refusal = await end_of(client.out(METHOD, b"\xff\xff\xff"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")


# What.


async def test_every_message_balances_while_rows_are_stored_refused_and_repeated(client: Client) -> None:
    opened = await open_writer(client)
    call = watch(client)
    late = time.time_ns() + 10**18  # beyond what a row may be ahead of the clock
    stop = asyncio.Event()
    sent = 0

    async def load() -> int:
        for sequence in itertools.count(1):
            now = time.time_ns()
            request = write(
                batch(f64("value", 1, 2, 3), times=[now, now, late]),
                writer="w",
                epoch=opened.epoch,
                sequence=sequence,
            )
            await send(client, request)
            await send(client, request)
            if stop.is_set():
                break
        return sequence

    loading = asyncio.create_task(load())
    try:
        for _ in range(10):
            await read(call)
    finally:
        stop.set()
        sent = await loading
    found = await until(call, lambda status: status.ledger.received == 6 * sent)
    ledger = found.ledger
    assert (ledger.stored, ledger.duplicate) == (2 * sent, 3 * sent)
    assert [(rule.reason, rule.rows) for rule in ledger.rejected] == [("TIME_IN_FUTURE", sent)]
    (stream,) = found.streams
    assert (stream.name, stream.rows, stream.entities) == ("streams/cpu", 2 * sent, 1)
    assert found.tail_rows == 2 * sent


async def test_the_figures_follow_what_is_written(client: Client) -> None:
    call = watch(client)
    before = await read(call)
    assert (before.tail_rows, before.tail_bytes, before.rate.rows_per_second) == (0, 0, 0)
    newest = time.time_ns() - 10**9
    commits = [(await send(client, write(batch(f64("value", 1.0), times=[newest])))).commit for _ in range(30)]
    found = await until(call, lambda status: status.tail_rows == len(commits))
    assert found.commits - before.commits >= len(commits)
    p50, p99 = (found.commit_latency.p50.ToNanoseconds(), found.commit_latency.p99.ToNanoseconds())
    assert 0 < p50 <= p99 < PATIENCE_S * 10**9
    # 30 rows in the last ten seconds; the first of them may just be leaving those.
    assert 0 < found.rate.rows_per_second <= 3
    assert found.rate.bytes_per_second > found.rate.rows_per_second
    assert 0 < found.tail_bytes <= found.tail_limit_bytes
    assert found.dictionary_bytes > before.dictionary_bytes
    assert found.queue_bytes == 0
    assert 0 < found.maps.hot_bytes <= found.maps.hot_limit_bytes
    assert (found.maps.parts, found.maps.part_bytes) == (0, 0)
    assert found.disk_bytes >= before.disk_bytes > 0
    assert found.disk_free_bytes > 0
    assert found.resident_bytes > 10_000_000
    assert (found.accepting_writes, found.refusal_reason) == (True, "")
    (stream,) = found.streams
    assert stream.watermark_ns == newest - 10 * 10**9  # less the stream's out_of_orderness
    assert stream.rows_per_second == pytest.approx(found.rate.rows_per_second)


async def test_the_bytes_of_the_disk_are_those_of_every_file(server: tuple[Server, Client], tmp_path: Path) -> None:
    _, client = server
    call = watch(client)
    (tmp_path / "data" / "more").mkdir()
    (tmp_path / "data" / "more" / "ballast").write_bytes(bytes(5_000_000))
    files = [file for file in (tmp_path / "data").rglob("*") if file.is_file()]
    await until(call, lambda status: status.disk_bytes == sum(file.stat().st_size for file in files))


async def test_a_stream_comes_with_its_first_row_and_goes_with_its_deletion(client: Client) -> None:
    call = watch(client)
    assert not (await read(call)).streams
    await send(client, write(batch(f64("value", 1.0))))
    found = await until(call, lambda status: status.streams)
    assert [stream.name for stream in found.streams] == ["streams/cpu"]
    gone = streams_pb2.DeleteStreamRequest(name="streams/cpu").SerializeToString()
    await client.raw(f"{STREAMS}/DeleteStream", gone)
    found = await until(call, lambda status: not status.streams)
    assert (found.tail_rows, found.ledger.received) == (0, 0)


async def test_a_thousand_streams_are_listed_by_name_and_all_of_them_are_counted(client: Client) -> None:
    names = [f"s{number:04}" for number in range(1_001)]
    await asyncio.gather(*(send(client, write(batch(f64("value", 1.0)), stream=name)) for name in reversed(names)))
    found = await read(watch(client))
    assert [stream.name for stream in found.streams] == [f"streams/{name}" for name in names[:1_000]]
    assert (found.ledger.stored, found.tail_rows) == (1_001, 1_001)


async def test_a_namespace_sees_its_own_streams_and_ledger(client: Client) -> None:
    await client.new_namespace("other")
    other = await client.new_key("viewer", "status:read", namespace="namespaces/other")
    await send(client, write(batch(f64("value", 1.0))))
    found = await read(watch(other))
    assert (found.ledger.received, len(found.streams)) == (0, 0)
    assert found.tail_rows == 1  # of the server


# For how many.


async def until_running(server: Server, calls: int) -> None:
    """Waits until so many watchers run."""
    metrics = server.metrics.of(METHOD)
    async with asyncio.timeout(PATIENCE_S):
        while metrics.running != calls:  # noqa: ASYNC110  a counter has no event
            await asyncio.sleep(0.001)


async def test_watchers_of_one_moment_share_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, go = [], threading.Event()
    now = Figures.now

    def slow(self: Figures, namespace: int) -> admin_pb2.ServerStatus:
        looks.append(namespace)
        assert go.wait(PATIENCE_S)
        return now(self, namespace)

    monkeypatch.setattr(Figures, "now", slow)
    async with serving(settings(tmp_path / "data")) as (server, client):
        reads = [asyncio.ensure_future(read(watch(client, SELDOM))) for _ in range(20)]
        await until_running(server, 20)
        # The loop goes on meanwhile: nothing of it runs there.
        await client.raw(f"{STREAMS}/ListStreams", timeout=PATIENCE_S)
        go.set()
        found = await asyncio.gather(*reads)
    assert len(looks) == 1
    assert len({status.now.ToNanoseconds() for status in found}) == 1


async def test_a_reader_who_does_not_read_misses_messages_and_holds_none_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def large(self: Figures, namespace: int) -> admin_pb2.ServerStatus:
        looks.append(namespace)
        return admin_pb2.ServerStatus(version="x" * 200_000, tail_rows=looks.count(namespace))

    monkeypatch.setattr(Figures, "now", large)
    async with serving(settings(tmp_path / "data", grace_seconds=60)) as (server, client):
        await client.new_namespace("other")
        other = await client.new_key("status:read", namespace="namespaces/other")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=SMALL_WINDOW) as channel:
            slow, brisk = watch(Client(channel, client.key)), watch(other)
            assert (await read(slow)).tail_rows == 1
            await until(brisk, lambda status: status.tail_rows == 20)
            mine = min(looks)
            assert looks.count(mine) <= 3, "one is on its way, and one is held for the reader"
            # When it reads again it goes on from what is now, not from a queue.
            taken = looks.count(mine)
            for _ in range(4):
                found = await read(slow)
            assert found.tail_rows <= taken + 4
            # Nor does it hold the server back when that stops.
            await until(brisk, lambda status: status.tail_rows >= 30)
            async with asyncio.timeout(PATIENCE_S):
                await server.stop()
            assert (await end_of(brisk)).reason == "SHUTTING_DOWN"
            assert (await end_of(slow)).code is grpc.StatusCode.UNAVAILABLE


async def test_watchers_have_so_many_places_and_a_namespace_so_many_of_them(two: tuple[Server, Client]) -> None:
    server, client = two
    others = []
    for name in ("other", "third"):
        await client.new_namespace(name)
        others.append(await client.new_key("status:read", namespace=f"namespaces/{name}"))
    first = watch(client)
    await read(first)
    refusal = await end_of(watch(client))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS")
    assert "a namespace may have 1 watchers" in refusal.message
    assert refusal.detail("RetryInfo").retry_delay.ToMilliseconds() > 0
    await read(watch(others[0]))
    refusal = await end_of(watch(others[1]))
    assert refusal.reason == "TOO_MANY_WATCHERS"
    assert "the server may have 2 watchers" in refusal.message
    first.cancel()
    await until_running(server, 1)
    await read(watch(client))


async def test_watchers_take_no_slot_of_queries_and_no_call_of_administration(client: Client) -> None:
    await send(client, write(batch(f64("value", 1.0))))
    calls = [watch(client, SELDOM) for _ in range(64)]
    found = [await read(call) for call in calls]
    assert {(status.queries_running, status.queries_waiting) for status in found} == {(0, 0)}
    rows, _ = await ask(client, query())
    assert rows[0]["count"] == 1
    await client.new_stream("another")


# Until when.


async def test_the_client_s_deadline_ends_it(server: tuple[Server, Client]) -> None:
    running, client = server
    refusal = await end_of(watch(client, SELDOM, timeout=0.5))
    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
    await until_running(running, 0)


async def test_a_client_who_cancels_ends_it(server: tuple[Server, Client]) -> None:
    running, client = server
    call = watch(client, SELDOM)
    await read(call)
    call.cancel()
    await until_running(running, 0)
    assert running.metrics.of(METHOD).codes == {"CANCELLED": 1}


async def test_a_key_that_is_revoked_ends_it_within_moments(client: Client) -> None:
    request = admin_pb2.CreateApiKeyRequest(scopes=["status:read"])
    made = await client.unary(f"{ADMIN}/CreateApiKey", request, admin_pb2.CreateApiKeyResponse)
    calls = [watch(client.with_key(made.secret), interval) for interval in (OFTEN, SELDOM)]
    for call in calls:
        await read(call)
    await client.raw(f"{ADMIN}/RevokeApiKey", admin_pb2.RevokeApiKeyRequest(name=made.key.name).SerializeToString())
    for call in calls:  # the seldom one too: it does not wait for its next message
        refusal = await end_of(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "KEY_INVALID")


@pytest.mark.parametrize("interval", [OFTEN, SELDOM])
async def test_a_drain_ends_it_at_once(tmp_path: Path, interval: Duration) -> None:
    async with serving(settings(tmp_path / "data", grace_seconds=60)) as (server, client):
        calls = [watch(client, interval) for _ in range(10)]
        for call in calls:
            await read(call)
        async with asyncio.timeout(PATIENCE_S):
            await server.stop()
        for call in calls:
            refusal = await end_of(call)
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
            assert refusal.detail("RetryInfo").retry_delay.ToMilliseconds() > 0
    metrics = server.metrics.of(METHOD)
    assert (metrics.running, metrics.codes) == (0, {"UNAVAILABLE": 10})


async def test_without_the_scope_nobody_watches(client: Client) -> None:
    refusal = await outcome(read(watch(await client.new_key("ingest-only"))))
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_DENIED")
