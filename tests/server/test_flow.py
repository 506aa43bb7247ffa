"""WriteStream: several batches in flight, acks cumulative and in order."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from marigram.errors import OutOfRange
from marigram.rpc.server import Server
from marigram.v1 import common_pb2, ingest_pb2
from tests.server.fake_core import FakeCore
from tests.server.support import INGEST, Refusal, serving, settings


@pytest.fixture
async def stream(core: FakeCore, tmp_path: Path) -> AsyncIterator[tuple[FakeCore, Any, Server]]:
    async with serving(settings(tmp_path / "data", stream_batches=4, grace_seconds=5)) as (server, client):
        yield core, client.both(f"{INGEST}/WriteStream"), server


async def send(core: FakeCore, call: Any, *sequences: int) -> list[int]:
    """Sends a batch a sequence; the tickets that the core gave out for them."""
    before = core._tickets
    for sequence in sequences:
        await call.write(ingest_pb2.WriteStreamRequest(sequence=sequence).SerializeToString())
    async with asyncio.timeout(10):
        while core._tickets < before + len(sequences):  # noqa: ASYNC110
            await asyncio.sleep(0)
    return list(range(before + 1, core._tickets + 1))


async def ack(call: Any) -> ingest_pb2.WriteStreamResponse:
    async with asyncio.timeout(10):
        return ingest_pb2.WriteStreamResponse.FromString(await call.read())


async def status(call: Any) -> Refusal:
    async with asyncio.timeout(10):
        code = await call.code()
        return Refusal.of(grpc.aio.AioRpcError(code, None, await call.trailing_metadata(), await call.details()))


async def test_a_batch_that_is_done_early_waits_for_those_before_it(stream: tuple[FakeCore, Any, Server]) -> None:
    core, call, _ = stream
    one, two, three = await send(core, call, 7, 8, 9)
    core.outcome(three)
    core.outcome(two)
    core.outcome(one)
    answer = await ack(call)
    while answer.acked_sequence < 9:
        answer = await ack(call)
    assert (answer.acked_sequence, answer.commit) == (9, 9)


async def test_the_first_ack_goes_no_further_than_what_is_contiguous(stream: tuple[FakeCore, Any, Server]) -> None:
    core, call, _ = stream
    one, two, three = await send(core, call, 1, 2, 3)
    core.outcome(three)
    core.outcome(one)
    assert (await ack(call)).acked_sequence == 1
    core.outcome(two)
    assert (await ack(call)).acked_sequence == 3


async def test_only_outcomes_that_matter_are_told_with_pressure(stream: tuple[FakeCore, Any, Server]) -> None:
    core, call, _ = stream
    core.throttle = (40, 123_456)
    tickets = await send(core, call, 1, 2, 3, 4)
    core.outcome(tickets[1], late=1)
    core.outcome(tickets[2], rejected=[common_pb2.RejectionCount(reason="TYPE_MISMATCH", rows=2)])
    core.outcome(tickets[3], duplicate=True)
    core.outcome(tickets[0])
    seen = []
    answer = ingest_pb2.WriteStreamResponse()
    while answer.acked_sequence < 4:
        answer = await ack(call)
        seen += [outcome.sequence for outcome in answer.outcomes]
    assert seen == [2, 3, 4]
    assert (answer.throttle_percent, answer.advised_window_bytes) == (40, 123_456)


async def test_the_first_failure_ends_the_stream_after_acking_what_came_before(
    stream: tuple[FakeCore, Any, Server],
) -> None:
    core, call, server = stream
    one, two, three = await send(core, call, 1, 5, 2)
    core.outcome(three)
    core.answer(two, OutOfRange("the next sequence is 2, got 5", reason="SEQUENCE_GAP"))
    core.outcome(one)
    assert (await ack(call)).acked_sequence == 1
    refusal = await status(call)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.OUT_OF_RANGE, "SEQUENCE_GAP")
    assert server._tools.budget.bytes == 0


async def test_reading_stops_while_too_much_is_in_flight(stream: tuple[FakeCore, Any, Server]) -> None:
    core, call, _ = stream
    await send(core, call, 1, 2, 3, 4)
    await call.write(ingest_pb2.WriteStreamRequest(sequence=5).SerializeToString())
    await call.write(ingest_pb2.WriteStreamRequest(sequence=6).SerializeToString())
    for _ in range(50):
        await asyncio.sleep(0)
    assert core._tickets == 4
    core.outcome(1)
    assert (await ack(call)).acked_sequence == 1
    async with asyncio.timeout(10):
        while core._tickets < 5:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_an_end_waits_for_what_is_in_flight(stream: tuple[FakeCore, Any, Server]) -> None:
    core, call, _ = stream
    await send(core, call, 1)
    await call.done_writing()
    core.outcome(1)
    assert (await ack(call)).acked_sequence == 1
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_an_abort_leaves_nothing_behind(stream: tuple[FakeCore, Any, Server]) -> None:
    core, call, server = stream
    await send(core, call, 1, 2)
    call.cancel()
    async with asyncio.timeout(10):
        while server._tools.budget.calls:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert server._tools.budget.bytes == 0
    core.outcome(1)  # the batch commits all the same, and nobody is told
    core.outcome(2)


async def test_a_drain_acks_what_was_taken_then_says_to_come_again(stream: tuple[FakeCore, Any, Server]) -> None:
    core, call, server = stream
    await send(core, call, 1, 2)
    stopping = asyncio.create_task(server.stop())
    async with asyncio.timeout(10):
        while not server._drain.started:  # noqa: ASYNC110
            await asyncio.sleep(0)
    core.outcome(1)
    core.outcome(2)
    answer = await ack(call)
    while answer.acked_sequence < 2:
        answer = await ack(call)
    refusal = await status(call)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    await stopping
    assert core.closed
