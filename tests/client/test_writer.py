"""A writer through lost connections, late acknowledgements and refusals: each row once, in order, in bounded memory."""

import asyncio
import logging
from contextlib import AsyncExitStack
from datetime import timedelta

import grpc
import numpy as np
import pytest

from marigram_client import errors
from marigram_client._pb.marigram.v1 import common_pb2, ingest_pb2
from marigram_client.aio import Client
from marigram_client.aio.writer import Writer
from marigram_client.delivery import Rejection
from tests.client.fake import Context, FakeServer, Messages, polite, refusal, running
from tests.client.sides import Connect
from tests.client.waiting import until

Ack = ingest_pb2.WriteStreamResponse


def columns(rows: int, first: int = 0) -> dict[str, object]:
    return {"time": np.arange(first, first + rows), "value": np.arange(first, first + rows) / 2}


def times(server: FakeServer) -> list[int]:
    """Times of the durable rows, in order of their batches."""
    stored = [server.durable[sequence] for sequence in sorted(server.durable)]
    return [int(time) for message in stored for time in np.frombuffer(message.batch.time, "<i8")]


async def write_on(writer: Writer, pieces: int) -> None:
    for piece in range(pieces):
        await writer.write("cpu", columns(20_000, piece * 20_000))
    await writer.flush()


async def cut_off(server: FakeServer, messages: Messages, context: Context) -> None:
    """Store one batch and break the connection before saying so."""
    async for message in messages:
        server.store(message)
        break
    await context.abort(grpc.StatusCode.UNAVAILABLE, "connection lost")


async def hang_up(server: FakeServer, messages: Messages, context: Context) -> None:
    """End the stream in order, as a server that drains does."""
    async for message in messages:
        server.store(message)
        await context.write(Ack(acked_sequence=server.acked, commit=server.acked))
        return


async def test_columns_arrive_numbered_under_the_name_and_epoch_of_the_writer(
    client: Client, server: FakeServer
) -> None:
    async with client.writer("importer", batch_bytes=4_000) as writer:
        await writer.write("cpu", columns(1_000), labels={"host": "a"})
    assert times(server) == list(range(1_000))
    assert len(server.durable) > 3
    assert {(m.writer, m.epoch, m.stream, m.kind) for m in server.durable.values()} == {
        ("importer", 1, "cpu", common_pb2.STREAM_KIND_METRIC)
    }
    assert writer.totals.stored == 1_000
    assert writer.totals.commit == 100 + len(server.durable)


async def test_a_writer_goes_on_where_its_last_opening_ended(client: Client, server: FakeServer) -> None:
    async with client.writer("importer") as writer:
        await writer.write("cpu", columns(1))
    async with client.writer("importer") as writer:
        assert (writer.epoch, writer.next_sequence, writer.acked_sequence) == (2, 2, 1)
        await writer.write("cpu", columns(1, first=1))
    assert times(server) == [0, 1]


async def test_single_rows_are_sent_together(client: Client, server: FakeServer) -> None:
    async with client.writer("importer", linger=timedelta(minutes=1)) as writer:
        for number in range(20_000):
            await writer.append("cpu", {"time": number, "value": 0.5, "host": "a"}, labels=["host"])
    assert times(server) == list(range(20_000))
    assert len(server.durable) == 3


async def test_single_rows_leave_by_themselves_after_a_while(client: Client, server: FakeServer) -> None:
    arrived = asyncio.Event()

    async def tell(server: FakeServer, messages: Messages, context: Context) -> None:
        async for message in messages:
            server.store(message)
            arrived.set()

    server.talks.append(tell)
    async with client.writer("importer", linger=timedelta(milliseconds=1)) as writer:
        await writer.append("cpu", {"time": 1, "value": 0.5})
        await asyncio.wait_for(arrived.wait(), 5)
        await writer._stop()


async def test_single_rows_wait_once_earlier_ones_find_no_room_and_leave_once(
    client: Client, server: FakeServer
) -> None:
    release = asyncio.Event()

    async def late(server: FakeServer, messages: Messages, context: Context) -> None:
        await release.wait()
        await polite(server, messages, context)

    server.talks.append(late)
    async with client.writer("importer", in_flight_bytes=1, linger=timedelta(0)) as writer:
        await writer.write("cpu", columns(1))
        await writer.append("cpu", {"time": 1, "value": 0.5})
        await until(writer._cutting.locked)
        waiting = asyncio.create_task(writer.append("cpu", {"time": 2, "value": 0.5}))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        release.set()
        await waiting
    assert times(server) == [0, 1, 2]


async def test_a_row_is_taken_as_it_was_when_it_was_appended(client: Client, server: FakeServer) -> None:
    row = {"time": 0, "value": 0.5}
    async with client.writer("importer") as writer:
        for number in range(3):
            row["time"] = number
            await writer.append("cpu", row)
    assert times(server) == [0, 1, 2]


async def test_rows_and_columns_keep_their_order(client: Client, server: FakeServer) -> None:
    async with client.writer("importer") as writer:
        await writer.append("cpu", {"time": 0, "value": 0.5})
        await writer.write("cpu", columns(2, first=1))
        await writer.append("cpu", {"time": 3, "value": 0.5})
    assert times(server) == [0, 1, 2, 3]


async def test_rows_of_different_types_travel_in_batches_of_their_own(client: Client, server: FakeServer) -> None:
    async with client.writer("importer") as writer:
        for number, value in enumerate((1.0, 2.0, "three", 4.0)):
            await writer.append("cpu", {"time": number, "value": value})
    assert times(server) == [0, 1, 2, 3]
    assert [message.batch.rows for _, message in sorted(server.durable.items())] == [2, 1, 1]


async def test_a_row_that_no_batch_can_hold_is_rejected_and_sinks_no_other(client: Client, server: FakeServer) -> None:
    seen: list[Rejection] = []
    async with client.writer("importer", on_rejected=seen.append) as writer:
        for number, value in enumerate((1.0, [2.0], 3.0)):
            await writer.append("cpu", {"time": number, "value": value})
    assert times(server) == [0, 2]
    assert [(one.rejected, one.errors[0].row, one.errors[0].column) for one in seen] == [
        ({"TYPE_MISMATCH": 1}, 1, "value")
    ]
    assert (writer.totals.stored, writer.totals.rejected) == (2, 1)


async def test_unacknowledged_batches_are_sent_again_after_a_broken_connection(
    client: Client, server: FakeServer, pauses: list[float]
) -> None:
    server.talks += [cut_off, cut_off]
    async with client.writer("importer", batch_bytes=4_000) as writer:
        await writer.write("cpu", columns(1_000))
    assert times(server) == list(range(1_000))
    assert server.repeated >= 2
    assert server.epoch == 1
    assert len(pauses) == 2


async def test_a_server_that_drains_is_called_again(client: Client, server: FakeServer, pauses: list[float]) -> None:
    server.talks += [hang_up]
    async with client.writer("importer", batch_bytes=4_000) as writer:
        await writer.write("cpu", columns(1_000))
    assert times(server) == list(range(1_000))


async def test_a_writer_outlives_a_restart_of_the_server(connect: Connect) -> None:
    state = FakeServer()
    async with AsyncExitStack() as stack:
        async with running(state=state):
            client = await stack.enter_async_context(connect(state.address, "secret"))
            writer = await client.writer("importer").open()
            await writer.write("cpu", columns(10))
            await writer.flush()
        await writer.write("cpu", columns(10, first=10))
        async with running(state.port, state):
            await writer.close()
    assert times(state) == list(range(20))


async def test_a_full_tail_is_waited_for_as_long_as_the_server_asks(
    client: Client, server: FakeServer, pauses: list[float]
) -> None:
    async def full(server: FakeServer, messages: Messages, context: Context) -> None:
        await context.abort_with_status(refusal(grpc.StatusCode.UNAVAILABLE, "tail is full", "TAIL_FULL", retry_s=3))

    server.talks += [full]
    async with client.writer("importer") as writer:
        await writer.write("cpu", columns(10))
    assert pauses == [3.0]
    assert times(server) == list(range(10))


async def test_a_slow_server_holds_the_writer_to_its_bound(client: Client, server: FakeServer) -> None:
    release = asyncio.Event()

    async def late(server: FakeServer, messages: Messages, context: Context) -> None:
        async for message in messages:
            server.store(message)
            if server.acked == 1:
                await release.wait()
            await context.write(Ack(acked_sequence=server.acked))

    server.talks += [late]
    async with client.writer("importer", batch_bytes=10_000, in_flight_bytes=40_000) as writer:
        writing = asyncio.create_task(writer.write("cpu", columns(100_000)))
        done, _ = await asyncio.wait([writing], timeout=0.05)
        assert not done
        assert writer._delivery.backlog.size_bytes <= 40_000
        release.set()
        await writing
    assert times(server) == list(range(100_000))


async def test_no_more_is_in_flight_than_the_server_advises(client: Client, server: FakeServer) -> None:
    most = 0

    async def narrow(server: FakeServer, messages: Messages, context: Context) -> None:
        nonlocal most
        incoming: asyncio.Queue[ingest_pb2.WriteStreamRequest] = asyncio.Queue()

        async def listen() -> None:
            async for message in messages:
                incoming.put_nowait(message)

        listening = asyncio.create_task(listen())
        try:
            while True:
                server.store(await incoming.get())
                await context.write(Ack(acked_sequence=server.acked, advised_window_bytes=1))
                if server.acked > 20:  # all that was sent before the first advice has come by now
                    most = max(most, incoming.qsize())
        finally:
            listening.cancel()

    server.talks += [narrow]
    async with client.writer("importer", batch_bytes=1_000) as writer:
        for first in range(0, 10_000, 100):
            await writer.write("cpu", columns(100, first))
    assert times(server) == list(range(10_000))
    assert most <= 1


async def test_a_throttled_writer_pauses_between_batches(
    client: Client, server: FakeServer, pauses: list[float]
) -> None:
    async def throttling(server: FakeServer, messages: Messages, context: Context) -> None:
        async for message in messages:
            server.store(message)
            await context.write(Ack(acked_sequence=server.acked, throttle_percent=50))

    server.talks += [throttling]
    async with client.writer("importer") as writer:
        for first in range(5):
            await writer.write("cpu", columns(1, first))
            await writer.flush()
    assert len(pauses) >= 3
    assert all(0 <= pause <= 1 for pause in pauses)


async def test_quarantined_rows_are_told_with_their_place_in_the_stream(
    client: Client, server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def strict(server: FakeServer, messages: Messages, context: Context) -> None:
        async for message in messages:
            server.store(message)
            told = []
            if message.sequence == 2:
                outcome = ingest_pb2.WriteResponse(commit=2, stored=9, late=3)
                outcome.rejected.add(reason="TIME_OUT_OF_RANGE", rows=1)
                outcome.errors.add(row=4, reason="TIME_OUT_OF_RANGE", message="time must …")
                told = [ingest_pb2.BatchOutcome(sequence=2, outcome=outcome)]
            await context.write(Ack(acked_sequence=server.acked, commit=server.acked, outcomes=told))

    seen: list[Rejection] = []
    server.talks += [strict, strict]
    async with client.writer("importer", on_rejected=seen.append) as writer:
        await writer.write("cpu", columns(10))
        await writer.write("cpu", columns(10, first=10))
    assert [(one.stream, one.sequence, one.errors[0].row) for one in seen] == [("cpu", 2, 14)]
    assert (writer.totals.stored, writer.totals.rejected, writer.totals.late) == (19, 1, 3)
    server.durable.clear()
    with caplog.at_level(logging.WARNING, "marigram_client"):
        async with client.writer("importer") as writer:
            await writer.write("cpu", columns(1))
            await writer.write("cpu", columns(10))
    assert "1 rows were rejected" in caplog.text


async def test_a_duplicate_counts_as_stored_and_as_duplicate(client: Client, server: FakeServer) -> None:
    async def again(server: FakeServer, messages: Messages, context: Context) -> None:
        async for message in messages:
            server.store(message)
            outcome = ingest_pb2.WriteResponse(commit=1, duplicate=True, verified=True)
            told = [ingest_pb2.BatchOutcome(sequence=message.sequence, outcome=outcome)]
            await context.write(Ack(acked_sequence=server.acked, outcomes=told))

    server.talks += [again]
    async with client.writer("importer") as writer:
        await writer.write("cpu", columns(10))
    assert (writer.totals.stored, writer.totals.duplicate) == (10, 10)


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "ROW_REJECTED", errors.InvalidArgument),
        (grpc.StatusCode.PERMISSION_DENIED, "WRITER_FENCED", errors.Fenced),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL", errors.StoreFull),
        (grpc.StatusCode.INTERNAL, "INTERNAL", errors.Internal),
    ],
)
async def test_a_refusal_ends_the_writer_and_each_call_says_so(
    client: Client, server: FakeServer, code: grpc.StatusCode, reason: str, expected: type[errors.MarigramError]
) -> None:
    async def refuse(server: FakeServer, messages: Messages, context: Context) -> None:
        async for _ in messages:
            await context.abort_with_status(refusal(code, "the rule", reason))

    server.talks += [refuse]
    writer = await client.writer("importer").open()
    await writer.write("cpu", columns(1))
    for again in (writer.flush, writer.close):
        with pytest.raises(expected):
            await again()
    assert writer.acked_sequence == 0


@pytest.mark.parametrize("stored", [0, 1, 2])
async def test_a_refusal_is_heard_while_further_batches_are_being_sent(
    client: Client, server: FakeServer, stored: int
) -> None:
    async def refuse(server: FakeServer, messages: Messages, context: Context) -> None:
        for _ in range(stored):
            server.store(await anext(aiter(messages)))
        await context.abort_with_status(refusal(grpc.StatusCode.PERMISSION_DENIED, "the rule", "WRITER_FENCED"))

    server.talks += [refuse]  # and only once: whoever does not hear it is served the second time
    writer = await client.writer("importer", batch_bytes=200_000).open()
    with pytest.raises(errors.Fenced):
        await write_on(writer, 50)
    with pytest.raises(errors.Fenced):
        await writer.close()


async def test_a_stream_that_ends_in_order_while_batches_are_being_sent_goes_on(
    client: Client, server: FakeServer, pauses: list[float]
) -> None:
    async def end(server: FakeServer, messages: Messages, context: Context) -> None:
        server.store(await anext(aiter(messages)))

    server.talks += [end, end]
    async with client.writer("importer", batch_bytes=200_000) as writer:
        await write_on(writer, 20)
    assert times(server) == list(range(20 * 20_000))


@pytest.mark.parametrize("code", [grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN])
async def test_a_status_without_a_reason_is_a_broken_connection(
    client: Client, server: FakeServer, pauses: list[float], code: grpc.StatusCode
) -> None:
    async def broken(server: FakeServer, messages: Messages, context: Context) -> None:
        await context.abort(code, "Stream removed")

    server.talks += [broken]
    async with client.writer("importer") as writer:
        await writer.write("cpu", columns(1))
    assert times(server) == [0]


async def test_a_server_that_acknowledges_nothing_is_given_up_after_a_while(client: Client, server: FakeServer) -> None:
    async def deaf(server: FakeServer, messages: Messages, context: Context) -> None:
        async for _ in messages:
            pass
        await asyncio.Event().wait()

    server.talks += [deaf]
    writer = await client.writer("importer", patience=timedelta(milliseconds=50)).open()
    await writer.write("cpu", columns(1))
    with pytest.raises(errors.Overloaded) as raised:
        await writer.close()
    assert raised.value.reason == "NO_ACKNOWLEDGEMENT"


async def test_what_the_caller_s_own_function_raises_is_raised_to_the_caller(
    client: Client, server: FakeServer
) -> None:
    async def strict(server: FakeServer, messages: Messages, context: Context) -> None:
        async for message in messages:
            outcome = ingest_pb2.WriteResponse()
            outcome.rejected.add(reason="TIME_OUT_OF_RANGE", rows=1)
            told = ingest_pb2.BatchOutcome(sequence=message.sequence, outcome=outcome)
            await context.write(Ack(acked_sequence=message.sequence, outcomes=[told]))

    def fail(rejection: Rejection) -> None:
        raise ZeroDivisionError

    server.talks.append(strict)
    writer = await client.writer("importer", on_rejected=fail).open()
    await writer.write("cpu", columns(1))
    with pytest.raises(ZeroDivisionError):
        await writer.close()


async def test_a_writer_whose_client_was_closed_says_so(connect: Connect, server: FakeServer) -> None:
    started = asyncio.Event()

    async def deaf(server: FakeServer, messages: Messages, context: Context) -> None:
        async for _ in messages:
            started.set()

    server.talks.append(deaf)
    client = connect(server.address, "secret")
    writer = await client.writer("importer").open()
    await writer.write("cpu", columns(1))
    await started.wait()
    await client.close()
    with pytest.raises(errors.Cancelled):
        await writer.close()


async def test_an_exception_inside_leaves_without_waiting(client: Client, server: FakeServer) -> None:
    async def deaf(server: FakeServer, messages: Messages, context: Context) -> None:
        await asyncio.Event().wait()

    server.talks += [deaf]
    writer = client.writer("importer")

    async def fail() -> None:
        async with writer:
            await writer.write("cpu", columns(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    with pytest.raises(errors.FailedPrecondition):
        await writer.write("cpu", columns(1))


async def test_a_writer_that_is_not_open_takes_nothing(client: Client) -> None:
    with pytest.raises(errors.FailedPrecondition):
        await client.writer("importer").write("cpu", columns(1))


async def test_a_writer_is_opened_once(client: Client, server: FakeServer) -> None:
    async with client.writer("importer") as writer:
        with pytest.raises(errors.FailedPrecondition):
            await writer.open()
    with pytest.raises(errors.FailedPrecondition):
        await writer.open()
    assert server.epoch == 1


async def test_a_row_of_no_kind_is_refused_when_it_is_given(client: Client, server: FakeServer) -> None:
    async with client.writer("importer") as writer:
        with pytest.raises(errors.InvalidArgument, match="kind must be event or metric"):
            await writer.append("cpu", {"time": 1}, kind="other")  # type: ignore[arg-type]


async def test_a_row_without_time_is_refused(client: Client, server: FakeServer) -> None:
    async with client.writer("importer") as writer:
        with pytest.raises(errors.InvalidArgument, match="time"):
            await writer.append("cpu", {"value": 1.0})
