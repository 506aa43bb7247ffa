"""Rows that are sealed: the same answers, the same ledger, and figures that say where they lie."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from marigram.v1 import admin_pb2, ingest_pb2, queries_pb2, streams_pb2
from tests.server.messages import ask, batch, f64, measure, query, send, stats, strings, write
from tests.server.support import ADMIN, QUERIES, STREAMS, Client, refused, serving, settings

FIRST_NS = 1_767_225_600_000_000_000
SECOND_NS = 1_000_000_000
ROWS = 3_000
MEASURES = (
    measure("COUNT"),
    *(measure(kind, "value") for kind in ("SUM", "MIN", "MAX", "FIRST", "LAST", "DISTINCT")),
    measure("QUANTILE", "value", quantile=0.9),
)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    """Rows of two hosts lie in the tail, out of order, and nobody seals them by himself."""
    async with serving(settings(tmp_path / "data", sealing=False)) as (_, client):
        await send(client, some(0, ROWS))
        await send(client, some(1, ROWS))
        yield client


def some(turn: int, rows: int) -> ingest_pb2.WriteRequest:
    """Rows of every other second of an hour or so, newest first; one without a value, one too far ahead in time."""
    times = [FIRST_NS + (2 * row + turn) * SECOND_NS for row in reversed(range(rows))]
    host = ingest_pb2.BatchColumn(name="host", label=strings("a", "b"))
    host.label.codes = bytes(row % 2 for row in range(rows))
    value = f64("value", *(row % 97 + turn / 2 for row in range(rows)))
    given = batch(host, value, times=[*times[:-1], 2**62])
    return write(given)


def windows() -> queries_pb2.QueryRequest:
    """Every measure by host and minute."""
    minute = queries_pb2.Window(tumbling=queries_pb2.TumblingWindow(width=Duration(seconds=60)))
    order = [queries_pb2.OrderBy(column="start"), queries_pb2.OrderBy(column="host")]
    return query(*MEASURES, window=minute, group_by=[queries_pb2.GroupKey(column="host")], order_by=order)


async def seal(client: Client, stream: str = "cpu") -> streams_pb2.SealStreamResponse:
    """Seals all rows of a stream."""
    request = streams_pb2.SealStreamRequest(name=f"streams/{stream}")
    return await client.unary(f"{STREAMS}/SealStream", request, streams_pb2.SealStreamResponse)


async def status(client: Client) -> admin_pb2.ServerStatus:
    """The figures now."""
    answer = await client.unary(f"{ADMIN}/GetStatus", admin_pb2.GetStatusRequest(), admin_pb2.GetStatusResponse)
    return answer.status


def ledger(found: streams_pb2.StreamStats) -> dict[str, Any]:
    """What must not change: everything but where rows lie."""
    plain = streams_pb2.StreamStats()
    plain.CopyFrom(found)
    for name in ("log_bytes", "sealed_rows", "sealed_bytes", "parts", "watermark_ns"):
        plain.ClearField(name)
    return {field.name: value for field, value in plain.ListFields()}


async def test_sealed_rows_are_answered_as_they_were_before(client: Client) -> None:
    before, made = await ask(client, windows())
    assert sum(row["count"] for row in before) == 2 * (ROWS - 1)
    assert (await seal(client)).rows == 2 * (ROWS - 1)
    after, made_again = await ask(client, windows())
    assert after == before
    assert made_again.commit == made.commit


async def test_rows_are_answered_as_they_were_at_a_commit(client: Client) -> None:
    first, made = await ask(client, windows())
    await send(client, some(0, ROWS))
    await seal(client)
    asked = windows()
    asked.spec.as_of = made.commit
    again, made_again = await ask(client, asked)
    assert again == first
    assert (made_again.commit, made_again.rows_scanned) == (made.commit, made.rows_scanned)
    asked.spec.as_of = 1_000
    refusal = await refused(client.unary(f"{QUERIES}/Query", asked, queries_pb2.QueryResponse))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.OUT_OF_RANGE, "COMMIT_NOT_REACHED")
    assert refusal.field == "spec.as_of"


async def test_a_seal_changes_where_rows_lie_and_nothing_of_the_ledger(client: Client) -> None:
    before = await stats(client)
    assert (before.sealed_rows, before.parts, before.sealed_bytes) == (0, 0, 0)
    assert before.log_bytes > 0
    sealed = await seal(client)
    after = await stats(client)
    assert ledger(after) == ledger(before)
    assert after.rejected[0].rows == 2
    assert (after.sealed_rows, after.parts, after.sealed_bytes) == (after.stored, sealed.parts, sealed.bytes)
    assert after.log_bytes == 0


async def test_the_status_says_what_is_sealed_and_what_waits(client: Client) -> None:
    before = (await status(client)).sealing
    assert (before.lag_rows, before.parts, before.sealed_rows, before.seals) == (2 * (ROWS - 1), 0, 0, 0)
    assert before.lag_bytes > 0
    assert before.lag.ToNanoseconds() > 0
    sealed = await seal(client)
    found = await status(client)
    after = found.sealing
    assert (after.lag_rows, after.lag_bytes, after.lag.ToNanoseconds()) == (0, 0, 0)
    assert (after.sealed_rows, after.parts, after.sealed_bytes) == (sealed.rows, sealed.parts, sealed.bytes)
    assert (after.seals, after.failure_reason) == (1, "")
    (stream,) = found.streams
    assert (stream.rows, stream.sealed_rows, stream.parts) == (sealed.rows, sealed.rows, sealed.parts)
    assert stream.sealed_bytes == sealed.bytes > 0
    await ask(client, windows())
    found = await status(client)
    assert found.sealing.footer_bytes > 0
    assert (found.maps.parts, found.maps.part_bytes) == (sealed.parts, sealed.bytes)
    await send(client, some(0, 10))
    assert (await status(client)).sealing.lag_rows == 9
    (stream,) = (await status(client)).streams
    assert (stream.rows, stream.sealed_rows) == (sealed.rows + 9, sealed.rows)


async def test_a_second_seal_has_nothing_to_do(client: Client) -> None:
    await seal(client)
    again = await seal(client)
    assert (again.rows, again.parts, again.bytes) == (0, 0, 0)


async def test_sealed_rows_are_there_after_a_restart(tmp_path: Path) -> None:
    given = settings(tmp_path / "data")
    async with serving(given) as (_, client):
        await send(client, some(0, ROWS))
        before, _ = await ask(client, windows())
        sealed = await seal(client)
    async with serving(given) as (_, client):
        after, _ = await ask(client, windows())
        found = (await status(client)).sealing
    assert after == before
    assert (found.sealed_rows, found.parts, found.lag_rows, found.seals) == (sealed.rows, sealed.parts, 0, 0)


async def test_rows_are_taken_and_answered_while_they_are_sealed(client: Client) -> None:
    async def write_on() -> int:
        stored = 0
        for turn in range(20):
            stored += (await send(client, some(turn, 500))).stored
        return stored

    async def seal_on() -> int:
        return sum([(await seal(client)).rows for _ in range(10)])

    stored, sealed = await asyncio.gather(write_on(), seal_on())
    sealed += (await seal(client)).rows
    assert sealed == 2 * (ROWS - 1) + stored
    ((row,), _) = await ask(client, query())
    assert row["count"] == sealed


async def test_only_a_stream_that_is_there_can_be_sealed(client: Client) -> None:
    missing = await refused(seal(client, "memory"))
    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "STREAM_NOT_FOUND")
    wrong = await refused(seal(client, "no/stream"))
    assert (wrong.code, wrong.reason, wrong.field) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_STREAM_ID", "name")
    await client.new_namespace("other")
    stranger = await client.new_key("admin", namespace="namespaces/other")
    assert (await refused(seal(stranger))).reason == "STREAM_NOT_FOUND"


async def test_administration_goes_on_while_seals_wait(client: Client) -> None:
    seals = [asyncio.create_task(seal(client)) for _ in range(32)]
    began = time.monotonic()
    assert (await status(client)).version
    assert time.monotonic() - began < 5
    assert sum([(await done).rows for done in seals]) == 2 * (ROWS - 1)
