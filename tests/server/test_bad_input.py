"""Batches that break a rule are refused whole over the port: the rule is named, and nothing is stored or made."""

import time

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from marigram.v1 import common_pb2, ingest_pb2, streams_pb2
from tests.server.messages import (
    EVENT,
    PLACE,
    batch,
    f64,
    integers,
    open_writer,
    packed,
    send,
    stats,
    streams,
    strings,
    with_surrogate,
    write,
)
from tests.server.support import INGEST, STREAMS, Client, Refusal, refused

Column = ingest_pb2.BatchColumn
LONG = "x" * 4_096
FAR = 2**63 - 1


def told(refusal: Refusal) -> tuple[grpc.StatusCode, str, str]:
    """What a client acts on; the field stands in both places."""
    if refusal.code is grpc.StatusCode.INVALID_ARGUMENT:
        assert refusal.detail("BadRequest").field_violations[0].field == refusal.field
    return refusal.code, refusal.reason, refusal.field


def series(*labels: tuple[str, str]) -> ingest_pb2.Batch:
    made = batch(f64("value", 1))
    table = [ingest_pb2.Series(labels=[common_pb2.Label(name=name, value=value) for name, value in labels])]
    made.series.CopyFrom(ingest_pb2.SeriesTable(series=table, index=b"\0", index_width=1))
    return made


@pytest.mark.parametrize(
    ("given", "reason", "field"),
    [
        (None, "BATCH_MISSING", "batch"),
        (ingest_pb2.Batch(rows=0), "ROWS_OUT_OF_RANGE", "batch.rows"),
        (ingest_pb2.Batch(rows=2**32 - 1), "ROWS_OUT_OF_RANGE", "batch.rows"),
        (ingest_pb2.Batch(rows=2, time=integers([1])), "UNEQUAL_LENGTHS", "batch.time"),
        (batch(f64("value", 1, 2)), "UNEQUAL_LENGTHS", "batch.columns[0].f64"),
        (batch(Column(name="value", f64=b"\0" * 7)), "UNEQUAL_LENGTHS", "batch.columns[0].f64"),
        (batch(Column(name="value", i64=b"")), "UNEQUAL_LENGTHS", "batch.columns[0].i64"),
        (batch(Column(name="ok", boolean=b"\0\0")), "UNEQUAL_LENGTHS", "batch.columns[0].boolean"),
        (batch(Column(name="a", f64=packed([1]), validity=b"\1\1")), "UNEQUAL_LENGTHS", "batch.columns[0].validity"),
        (batch(Column(name="a", symbol=strings("a", "b"))), "UNEQUAL_LENGTHS", "batch.columns[0].symbol.codes"),
        (batch(Column(name="a")), "VALUES_MISSING", "batch.columns[0]"),
        (
            batch(Column(name="a", symbol=ingest_pb2.StringColumn(values=["a"], codes=b"\1", code_width=1))),
            "CODE_OUT_OF_RANGE",
            "batch.columns[0].symbol.codes",
        ),
        (
            batch(Column(name="a", text=ingest_pb2.StringColumn(values=["a"], codes=b"\0\0\0", code_width=3))),
            "BAD_CODE_WIDTH",
            "batch.columns[0].text.code_width",
        ),
        (batch(f64("value", 1), f64("value", 1)), "DUPLICATE_COLUMN", "batch.columns[1].name"),
        (batch(f64("time", 1)), "RESERVED_NAME", "batch.columns[0].name"),
        (batch(f64("entity", 1)), "RESERVED_NAME", "batch.columns[0].name"),
        (batch(f64("", 1)), "BAD_NAME", "batch.columns[0].name"),
        (batch(f64(LONG, 1)), "BAD_NAME", "batch.columns[0].name"),
        (batch(f64("a\0b", 1)), "BAD_NAME", "batch.columns[0].name"),
        (batch(Column(name=LONG, label=strings("a"))), "BAD_NAME", "batch.columns[0].name"),
        (batch(Column(name="\0", label=strings("a"))), "BAD_NAME", "batch.columns[0].name"),
        (batch(*(f64(f"c{i}", 1) for i in range(1_025))), "TOO_MANY_COLUMNS", "batch.columns"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_batch_that_cannot_be_is_refused_by_field(
    client: Client, given: ingest_pb2.Batch | None, reason: str, field: str
) -> None:
    refusal = await refused(send(client, write(given)))
    assert told(refusal) == (grpc.StatusCode.INVALID_ARGUMENT, reason, field)
    assert await streams(client) == []


@pytest.mark.parametrize("stream", ["", "1st", "a/b", "a\0b", "a\n", "é", LONG])
async def test_a_stream_s_id_has_a_rule(client: Client, stream: str) -> None:
    refusal = await refused(send(client, write(batch(f64("value", 1)), stream)))
    assert told(refusal) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_STREAM_ID", "stream")
    assert len(refusal.message) < 500  # it shows what was found, not all of it
    assert await streams(client) == []


@pytest.mark.parametrize(
    "request_",
    [
        write(batch(f64("value", 1)), PLACE),
        write(batch(f64(PLACE, 1))),
        write(batch(Column(name="host", label=strings(PLACE)))),
        write(batch(Column(name="host", symbol=strings(PLACE)))),
        write(batch(Column(name="host", text=strings(PLACE)))),
        write(series((PLACE, "a"))),
        write(series(("host", PLACE))),
        write(batch(f64("value", 1)), writer=PLACE, epoch=1, sequence=1),
    ],
    ids=["stream", "column", "label", "symbol", "text", "label name", "label value", "writer"],
)
async def test_a_lone_surrogate_is_no_text_wherever_it_stands(
    client: Client, request_: ingest_pb2.WriteRequest
) -> None:
    refusal = await refused(client.raw(f"{INGEST}/Write", with_surrogate(request_)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
    assert await streams(client) == []


@pytest.mark.parametrize("method", ["Write", "TrackEvents"])
@pytest.mark.parametrize(
    "wire", [b"\xff", b"\x0a\x7fcpu", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x0b"]
)
async def test_bytes_that_are_no_write_are_refused(client: Client, method: str, wire: bytes) -> None:
    refusal = await refused(client.raw(f"{INGEST}/{method}", wire))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
    assert await streams(client) == []


@pytest.mark.parametrize("name", ["", "a\0b", "a\n", LONG])
async def test_a_writer_s_name_has_a_rule(client: Client, name: str) -> None:
    refusal = await refused(open_writer(client, name))
    assert told(refusal) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_NAME", "writer")


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([("host", "a"), ("host", "b")], "BAD_LABELS"),
        ([("value", "a")], "BAD_LABELS"),
        ([(LONG, "a")], "BAD_NAME"),
        ([("a\0b", "c")], "BAD_NAME"),
        ([("", "a")], "BAD_NAME"),
    ],
    ids=["twice", "a column", "4 KiB", "NUL", "empty"],
)
async def test_labels_that_break_a_rule_cost_their_rows(
    client: Client, labels: list[tuple[str, str]], reason: str
) -> None:
    answer = await send(client, write(series(*labels)))
    assert [(error.row, error.reason) for error in answer.errors] == [(0, reason)]
    assert (answer.stored, (await stats(client)).stored) == (0, 0)


async def test_values_of_4_kib_and_with_nul_are_stored_as_they_are(client: Client) -> None:
    columns = [Column(name="host", label=strings(LONG, "a\0b")), Column(name="s", symbol=strings("a\0b", LONG))]
    answer = await send(client, write(batch(*columns, rows=2)))
    assert (answer.stored, (await stats(client)).entities) == (2, 2)


async def test_values_that_are_too_long_cost_their_rows(client: Client) -> None:
    columns = [Column(name="host", label=strings("a", LONG + "x")), Column(name="s", symbol=strings(LONG + "x", "a"))]
    answer = await send(client, write(batch(*columns, Column(name="t", text=strings("y" * 65_537, "")), rows=2)))
    assert answer.stored == 0
    assert sum(count.rows for count in answer.rejected) == 2
    assert {error.reason for error in answer.errors} <= {"SYMBOL_TOO_LONG", "TEXT_TOO_LONG"}
    assert all(len(error.message) < 500 for error in answer.errors)


async def test_times_out_of_range_are_quarantined_and_counted_by_rule(client: Client) -> None:
    now = time.time_ns()
    request = streams_pb2.CreateStreamRequest(
        stream=streams_pb2.Stream(name="streams/cpu", kind=write(None).kind, max_age=Duration(seconds=60))
    )
    await client.unary(f"{STREAMS}/CreateStream", request, streams_pb2.CreateStreamResponse)
    times = [now, now + 601 * 10**9, FAR, -FAR - 1, -FAR, now - 61 * 10**9, now]
    answer = await send(client, write(batch(f64("value", *range(7)), times=times)))
    assert [(error.row, error.reason) for error in answer.errors] == [
        (1, "TIME_IN_FUTURE"),
        (2, "TIME_IN_FUTURE"),
        (3, "TIME_MISSING"),
        (4, "TIME_TOO_OLD"),
        (5, "TIME_TOO_OLD"),
    ]
    counted = {count.reason: count.rows for count in answer.rejected}
    assert counted == {"TIME_IN_FUTURE": 2, "TIME_MISSING": 1, "TIME_TOO_OLD": 2}
    found = await stats(client)
    assert {count.reason: count.rows for count in found.rejected} == counted
    assert (found.received, found.stored) == (7, 2)


async def test_a_column_of_a_strict_stream_must_be_declared_and_a_type_be_kept(client: Client) -> None:
    column = streams_pb2.Column(name="value", type=common_pb2.COLUMN_TYPE_F64)
    made = streams_pb2.Stream(name="streams/cpu", kind=write(None).kind, strict=True, columns=[column])
    request = streams_pb2.CreateStreamRequest(stream=made)
    await client.unary(f"{STREAMS}/CreateStream", request, streams_pb2.CreateStreamResponse)
    refusal = await refused(send(client, write(batch(f64("valu", 1)))))
    assert told(refusal) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_COLUMN", "batch.columns[0].name")
    assert '"valu"' in refusal.message
    refusal = await refused(send(client, write(batch(Column(name="value", symbol=strings("a"))))))
    assert told(refusal) == (grpc.StatusCode.INVALID_ARGUMENT, "WRONG_COLUMN_TYPE", "batch.columns[0].symbol")
    assert (await stats(client)).received == 0


async def test_a_kind_that_is_not_the_stream_s_is_refused(client: Client) -> None:
    await send(client, write(batch(f64("value", 1))))
    refusal = await refused(send(client, write(batch(f64("value", 1)), kind=EVENT)))
    assert told(refusal) == (grpc.StatusCode.FAILED_PRECONDITION, "STREAM_KIND_MISMATCH", "kind")
    event = ingest_pb2.TrackEventsRequest(stream="cpu", events=[ingest_pb2.Event(event="login")])
    refusal = await refused(client.raw(f"{INGEST}/TrackEvents", event.SerializeToString()))
    assert refusal.reason in ("KIND_MISMATCH", "STREAM_KIND_MISMATCH")
    refusal = await refused(send(client, write(batch(f64("value", 1)), kind=99)))
    assert told(refusal) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_KIND", "kind")
    assert (await stats(client)).received == 1


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (write(batch(f64("value", 1)), durability=common_pb2.DURABILITY_BUFFERED), "durability"),
        (write(batch(f64("value", 1)), durability=common_pb2.DURABILITY_REPLICATED), "durability"),
        (write(batch(Column(name="s", state=strings("a")))), "batch.columns[0].state"),
        (write(ingest_pb2.Batch(rows=1, time=integers([1]), arrow=b"x")), "batch.arrow"),
    ],
    ids=["buffered", "replicated", "state", "arrow"],
)
async def test_what_is_reserved_is_not_served(client: Client, request_: ingest_pb2.WriteRequest, field: str) -> None:
    refusal = await refused(send(client, request_))
    assert told(refusal) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SERVED", field)
    assert await streams(client) == []


async def test_a_durability_has_a_rule(client: Client) -> None:
    refusal = await refused(send(client, write(batch(f64("value", 1)), durability=9)))
    assert told(refusal) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_DURABILITY", "durability")


async def test_a_deleted_stream_begins_anew(client: Client) -> None:
    await send(client, write(batch(f64("value", 1, 2), rows=2)))
    request = streams_pb2.DeleteStreamRequest(name="streams/cpu")
    gone = await client.unary(f"{STREAMS}/DeleteStream", request, streams_pb2.DeleteStreamResponse)
    assert gone.rows == 2
    assert await streams(client) == []
    answer = await send(client, write(batch(Column(name="value", symbol=strings("a")))))
    assert answer.commit > gone.commit
    found = await stats(client)
    assert (found.received, found.stored, found.entities) == (1, 1, 1)
