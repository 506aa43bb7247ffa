"""Batches of a writer: each is stored once, one that is refused leaves its number free, and the counters balance."""

import time
from typing import Any

import grpc
import pytest

from marigram.v1 import ingest_pb2
from tests.server.messages import acks, batch, f64, open_writer, send, stats, streams, write
from tests.server.support import INGEST, Client, refused

LATE = time.time_ns() + 10**18
"""An event time of decades ahead, which quarantines its row."""


def numbered(epoch: int, sequence: int, *times: int, **fields: Any) -> ingest_pb2.WriteRequest:
    columns = f64("value", *range(len(times) or 1))
    return write(batch(columns, times=times or None), writer="w", epoch=epoch, sequence=sequence, **fields)


def streamed(request: ingest_pb2.WriteRequest) -> bytes:
    """As a message of WriteStream, which has the same fields."""
    return request.SerializeToString()


async def test_an_atomic_refusal_stores_nothing_and_leaves_its_number_free(client: Client) -> None:
    opened = await open_writer(client)
    now = time.time_ns()
    refusal = await refused(send(client, numbered(opened.epoch, 1, now, LATE, atomic=True)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ROWS_REJECTED")
    assert "TIME_IN_FUTURE" in refusal.message
    assert await streams(client) == []
    answer = await send(client, numbered(opened.epoch, 1, now, now))
    assert (answer.stored, answer.duplicate) == (2, False)
    found = await stats(client)
    assert (found.received, found.stored, len(found.rejected)) == (2, 2, 0)


async def test_received_is_stored_and_rejected_and_duplicate(client: Client) -> None:
    opened = await open_writer(client)
    now = time.time_ns()
    request = numbered(opened.epoch, 1, now, LATE, now)
    first, again = await send(client, request), await send(client, request)
    assert (first.stored, first.rejected[0].rows, first.duplicate) == (2, 1, False)
    assert (again.stored, again.rejected[0].rows, again.duplicate, again.verified) == (2, 1, True, True)
    assert again.commit == first.commit
    await send(client, numbered(opened.epoch, 2, now))
    found = await stats(client)
    assert (found.received, found.stored, found.duplicate) == (7, 3, 3)
    assert [(count.reason, count.rows) for count in found.rejected] == [("TIME_IN_FUTURE", 1)]


@pytest.mark.parametrize(
    ("epoch", "fields", "code", "reason"),
    [
        (1, {"sequence": 3}, grpc.StatusCode.OUT_OF_RANGE, "SEQUENCE_GAP"),
        (1, {"sequence": 0}, grpc.StatusCode.INVALID_ARGUMENT, "SEQUENCE_MISSING"),
        (1, {"sequence": 1, "atomic": True}, grpc.StatusCode.ALREADY_EXISTS, "SEQUENCE_REUSED"),
        (2, {"sequence": 2}, grpc.StatusCode.FAILED_PRECONDITION, "WRITER_NOT_OPEN"),
        (0, {"sequence": 2}, grpc.StatusCode.PERMISSION_DENIED, "WRITER_FENCED"),
    ],
)
async def test_a_number_that_is_not_the_next_is_refused(
    client: Client, epoch: int, fields: dict[str, Any], code: grpc.StatusCode, reason: str
) -> None:
    opened = await open_writer(client)
    assert (opened.epoch, opened.next_sequence) == (1, 1)
    await send(client, numbered(1, 1))
    refusal = await refused(send(client, numbered(epoch, **fields)))
    assert (refusal.code, refusal.reason) == (code, reason)
    assert (await stats(client)).received == 1
    assert (await open_writer(client)).next_sequence == 2
    refusal = await refused(send(client, numbered(1, 2)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "WRITER_FENCED")


async def test_a_writer_that_nobody_opened_writes_nothing(client: Client) -> None:
    refusal = await refused(send(client, numbered(1, 1)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "WRITER_NOT_OPEN")
    assert await streams(client) == []


@pytest.mark.parametrize(
    ("bad", "code", "reason"),
    [
        ({"atomic": True, "times": [LATE]}, grpc.StatusCode.INVALID_ARGUMENT, "ROWS_REJECTED"),
        ({"sequence": 7}, grpc.StatusCode.OUT_OF_RANGE, "SEQUENCE_GAP"),
        ({"writer": "other"}, grpc.StatusCode.INVALID_ARGUMENT, "WRITER_CHANGED"),
        ({"batch": None}, grpc.StatusCode.INVALID_ARGUMENT, "BATCH_MISSING"),
        ({"wire": b"\xff"}, grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE"),
    ],
    ids=["atomic", "gap", "writer", "no batch", "malformed"],
)
async def test_a_refused_batch_ends_a_write_stream_after_acks_of_what_came_before(
    client: Client, bad: dict[str, Any], code: grpc.StatusCode, reason: str
) -> None:
    epoch = (await open_writer(client)).epoch
    fields = dict(bad)
    wire, times = fields.pop("wire", None), fields.pop("times", ())
    broken = numbered(epoch, 4, *times)
    for name, value in fields.items():
        if value is None:
            broken.ClearField(name)  # type: ignore[arg-type]
        else:
            setattr(broken, name, value)
    call = client.both(f"{INGEST}/WriteStream")
    for sequence in (1, 2, 3):
        await call.write(streamed(numbered(epoch, sequence)))
    await call.write(wire or streamed(broken))
    found, refusal = await acks(call)
    assert found[-1].acked_sequence == 3
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (code, reason)
    assert (await stats(client)).received == 3
    answer = await send(client, numbered(epoch, 4))
    assert (answer.stored, answer.duplicate) == (1, False)


async def test_a_write_stream_tells_of_rejected_rows_and_of_what_it_had_before(client: Client) -> None:
    epoch = (await open_writer(client)).epoch
    now = time.time_ns()
    sent = [numbered(epoch, 1, now), numbered(epoch, 2, now, LATE)]
    call = client.both(f"{INGEST}/WriteStream")
    for request in (*sent, sent[0]):
        await call.write(streamed(request))
    await call.done_writing()
    found, refusal = await acks(call)
    assert refusal is None
    assert found[-1].acked_sequence == 2
    outcomes = [(one.sequence, one.outcome.stored, one.outcome.duplicate) for ack in found for one in ack.outcomes]
    assert outcomes == [(2, 1, False), (1, 1, True)]
    assert (await stats(client)).duplicate == 1


async def test_a_write_stream_names_its_writer(client: Client) -> None:
    call = client.both(f"{INGEST}/WriteStream")
    await call.write(streamed(write(batch(f64("value", 1)))))
    found, refusal = await acks(call)
    assert found == []
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "WRITER_MISSING")
