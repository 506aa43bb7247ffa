"""Rows in memory have a bound: past it writes are refused with a delay, and everything else goes on.

Sealing is off but in one test, since it makes room by itself.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

from marigram.v1 import admin_pb2, ingest_pb2, streams_pb2
from tests.server.messages import (
    acks,
    ask,
    batch,
    f64,
    integers,
    open_writer,
    query,
    send,
    stats,
    streams,
    track,
    write,
)
from tests.server.support import ADMIN, INGEST, STREAMS, Client, Refusal, outcome, refused, serving, settings

LIMIT = 100_000


@pytest.fixture
async def full(tmp_path: Path) -> AsyncIterator[tuple[Client, int]]:
    """A server whose tail is full, and the number of rows in it."""
    async with serving(settings(tmp_path / "data", tail_limit_bytes=LIMIT, sealing=False, reflection=True)) as (
        _,
        client,
    ):
        stored = 0
        for rows in (1_000, 1):  # the last room is filled row by row
            while (found := await outcome(send(client, some(rows)))) is None:
                stored += rows
            assert found.reason == "TAIL_FULL"
        yield client, stored


def some(rows: int = 1_000) -> ingest_pb2.WriteRequest:
    """Rows that take about eight bytes each."""
    noise = [(i * 2_654_435_761) % 2**32 / 7 for i in range(rows)]
    return write(batch(f64("value", *noise), times=[time.time_ns()] * rows))


def told(refusal: Refusal) -> None:
    """Unavailable, with the same delay in both places."""
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "TAIL_FULL")
    in_trailer = error_details_pb2.RetryInfo.FromString(refusal.trailers["google.rpc.retryinfo-bin"])
    assert in_trailer == refusal.detail("RetryInfo")
    assert in_trailer.retry_delay.ToMilliseconds() > 0


async def taking(client: Client) -> tuple[bool, str]:
    """Whether the server says that it takes rows, and else why not."""
    answer = await client.unary(f"{ADMIN}/GetStatus", admin_pb2.GetStatusRequest(), admin_pb2.GetStatusResponse)
    return answer.status.accepting_writes, answer.status.refusal_reason


async def test_a_full_tail_refuses_each_way_of_writing_and_changes_nothing(full: tuple[Client, int]) -> None:
    client, stored = full
    assert stored > 1_000
    told(await refused(send(client, some())))
    told(await refused(track(client, ingest_pb2.TrackEventsRequest(events=[ingest_pb2.Event(event="login")]))))
    opened = await open_writer(client)
    numbered = some()
    numbered.writer, numbered.epoch, numbered.sequence = "w", opened.epoch, 1
    told(await refused(send(client, numbered)))
    call = client.both(f"{INGEST}/WriteStream")
    await call.write(numbered.SerializeToString())
    found, refusal = await acks(call)
    assert found == []
    assert refusal is not None
    told(refusal)
    assert (await open_writer(client)).next_sequence == 1
    assert await streams(client) == ["cpu"]
    counted = await stats(client)
    assert (counted.received, counted.stored) == (stored, stored)


async def test_queries_go_on_and_a_delete_makes_room(full: tuple[Client, int]) -> None:
    client, stored = full
    assert (await taking(client)) == (False, "TAIL_FULL")
    ((row,), _) = await ask(client, query())
    assert row["count"] == stored
    gone = streams_pb2.DeleteStreamRequest(name="streams/cpu").SerializeToString()
    assert streams_pb2.DeleteStreamResponse.FromString(await client.raw(f"{STREAMS}/DeleteStream", gone)).rows == stored
    assert (await taking(client)) == (True, "")
    assert (await send(client, some())).stored == 1_000


async def test_a_seal_makes_room(full: tuple[Client, int]) -> None:
    client, stored = full
    asked = streams_pb2.SealStreamRequest(name="streams/cpu")
    sealed = await client.unary(f"{STREAMS}/SealStream", asked, streams_pb2.SealStreamResponse)
    assert sealed.rows == stored
    assert (await taking(client)) == (True, "")
    assert (await send(client, some())).stored == 1_000
    ((row,), _) = await ask(client, query())
    assert row["count"] == stored + 1_000


async def test_with_sealing_on_a_small_tail_refuses_for_a_moment_at_most(tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data", tail_limit_bytes=LIMIT)) as (_, client):
        stored = 0
        async with asyncio.timeout(60):
            while stored < 50_000:  # four times what the tail holds
                found = await outcome(send(client, some()))
                stored += 1_000 if found is None else 0
                assert found is None or found.reason == "TAIL_FULL"
        ((row,), _) = await ask(client, query())
        assert row["count"] == stored


async def test_a_batch_that_can_never_fit_is_not_told_to_come_again(tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data", tail_limit_bytes=LIMIT, sealing=False)) as (_, client):
        rows = 50_000
        column = ingest_pb2.BatchColumn(name="n", i64=integers((i * 0x9E3779B97F4A7C15) % 2**63 for i in range(rows)))
        refusal = await refused(send(client, write(batch(column, times=[time.time_ns()] * rows))))
        assert refusal.reason in ("BATCH_TOO_LARGE", "TAIL_FULL")
        assert await streams(client) == []
        assert (await send(client, some())).stored == 1_000
