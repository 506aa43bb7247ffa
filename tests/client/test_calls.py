"""What a call sends, how often it is tried, and which error it ends with."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from marigram_client import errors, policy
from marigram_client._pb.marigram.v1 import admin_pb2, ingest_pb2, streams_pb2
from marigram_client.aio import Client
from marigram_client.policy import Throttle
from tests.client.fake import FakeServer, refusal
from tests.client.sides import Connect

ROOT = Path(__file__).parents[2]
UNAVAILABLE = refusal(grpc.StatusCode.UNAVAILABLE, "later")
ROW = {"time": [0], "value": [1.0]}
STORED = ingest_pb2.WriteResponse(commit=7, stored=1)


def test_the_client_packs_the_one_service_config() -> None:
    ours = ROOT / "clients/python/src/marigram_client/service_config.json"
    assert ours.read_bytes() == (ROOT / "proto/service_config.json").read_bytes()


def test_grpc_itself_takes_the_service_config() -> None:
    config = (ROOT / "proto/service_config.json").read_text()
    with grpc.insecure_channel("127.0.0.1:1", options=[("grpc.service_config", config)]) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/marigram.v1.AdminService/GetStatus")
        with pytest.raises(grpc.RpcError) as raised:
            call(b"", timeout=0.01)
    assert "service config" not in str(raised.value).lower()


def test_the_service_config_names_only_methods_of_the_contract() -> None:
    services = {
        f"marigram.v1.{name}": file.DESCRIPTOR.services_by_name[name].methods_by_name
        for file in (admin_pb2, ingest_pb2, streams_pb2)
        for name in file.DESCRIPTOR.services_by_name
    }
    for entry in json.loads((ROOT / "proto/service_config.json").read_text())["methodConfig"]:
        for part in entry["name"]:
            if "method" in part:
                assert part["method"] in services[part["service"]]


def test_the_most_specific_entry_of_the_service_config_counts() -> None:
    query = policy.method("marigram.v1.QueryService", "Query")
    assert (query.timeout, query.wait_for_ready) == (60.0, False)
    write = policy.method("marigram.v1.IngestService", "Write")
    assert (write.timeout, write.wait_for_ready) == (10.0, True)
    stream = policy.method("marigram.v1.IngestService", "WriteStream")
    assert (stream.timeout, stream.wait_for_ready, stream.retry) == (None, True, None)
    assert policy.method("marigram.v1.AdminService", "GetStatus").timeout == 10.0


def test_delays_double_from_a_tenth_of_a_second_to_five_seconds_off_by_a_fifth() -> None:
    retry = policy.method("marigram.v1.IngestService", "Write").retry
    assert retry is not None
    for attempt, expected in ((1, 0.1), (2, 0.2), (3, 0.4), (7, 5.0), (60, 5.0)):
        assert expected * 0.8 <= retry.delay(attempt) <= expected * 1.2


def test_a_throttle_stops_retries_below_half_of_its_tokens_and_answers_fill_it() -> None:
    throttle = Throttle(tokens=4, ratio=0.5)
    assert [throttle.failed() for _ in range(3)] == [True, False, False]
    for _ in range(6):
        throttle.succeeded()
    assert throttle.failed()


async def test_a_call_carries_the_key(client: Client, server: FakeServer) -> None:
    server.will("Write", STORED)
    await client.write("cpu", ROW)
    assert server.calls[0][2]["authorization"] == "Bearer secret"


async def test_an_unavailable_server_is_tried_again_until_it_answers(
    client: Client, server: FakeServer, pauses: list[float]
) -> None:
    server.will("Write", UNAVAILABLE, UNAVAILABLE, STORED)
    assert (await client.write("cpu", ROW)).commit == 7
    assert len(pauses) == 2
    assert pauses[0] < pauses[1]


async def test_a_call_is_tried_five_times_at_most(client: Client, server: FakeServer, pauses: list[float]) -> None:
    server.will("Write", UNAVAILABLE)
    with pytest.raises(errors.Overloaded, match="later"):
        await client.write("cpu", ROW)
    assert len(server.sent("Write")) == 5


async def test_a_retry_waits_as_long_as_the_server_asks(
    client: Client, server: FakeServer, pauses: list[float]
) -> None:
    server.will("Write", refusal(grpc.StatusCode.UNAVAILABLE, "full", "TAIL_FULL", retry_s=2.5), STORED)
    await client.write("cpu", ROW)
    assert pauses == [2.5]


async def test_a_retry_that_would_come_after_the_deadline_is_not_waited_for(
    client: Client, server: FakeServer, pauses: list[float]
) -> None:
    server.will("Write", refusal(grpc.StatusCode.UNAVAILABLE, "full", "TAIL_FULL", retry_s=2.5))
    with pytest.raises(errors.Overloaded) as raised:
        await client.write("cpu", ROW, timeout=timedelta(seconds=2))
    assert pauses == []
    assert raised.value.retry_after == timedelta(seconds=2.5)
    assert raised.value.reason == "TAIL_FULL"


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "UNEQUAL_LENGTHS", errors.InvalidArgument),
        (grpc.StatusCode.NOT_FOUND, "STREAM_NOT_FOUND", errors.NotFound),
        (grpc.StatusCode.ALREADY_EXISTS, "STREAM_EXISTS", errors.AlreadyExists),
        (grpc.StatusCode.OUT_OF_RANGE, "SEQUENCE_GAP", errors.OutOfRange),
        (grpc.StatusCode.FAILED_PRECONDITION, "WRITER_EXPIRED", errors.FailedPrecondition),
        (grpc.StatusCode.ABORTED, "VERSION_CONFLICT", errors.VersionConflict),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESULT_TOO_LARGE", errors.LimitExceeded),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL", errors.StoreFull),
        (grpc.StatusCode.UNAUTHENTICATED, "KEY_UNKNOWN", errors.Unauthenticated),
        (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING", errors.PermissionDenied),
        (grpc.StatusCode.PERMISSION_DENIED, "WRITER_FENCED", errors.Fenced),
        (grpc.StatusCode.DATA_LOSS, "DATA_CORRUPT", errors.Corrupt),
        (grpc.StatusCode.UNIMPLEMENTED, "NOT_SERVED", errors.Unsupported),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", errors.DeadlineExceeded),
        (grpc.StatusCode.CANCELLED, "CANCELLED", errors.Cancelled),
        (grpc.StatusCode.INTERNAL, "INTERNAL", errors.Internal),
    ],
)
async def test_an_error_has_the_class_that_its_status_and_reason_say(
    client: Client, server: FakeServer, code: grpc.StatusCode, reason: str, expected: type[errors.MarigramError]
) -> None:
    server.will("Write", refusal(code, "the rule, and what was found", reason, "batch.columns[0]"))
    with pytest.raises(errors.MarigramError) as raised:
        await client.write("cpu", ROW)
    assert type(raised.value) is expected
    assert raised.value.message == "the rule, and what was found"
    assert (raised.value.reason, raised.value.field) == (reason, "batch.columns[0]")
    assert len(server.sent("Write")) == 1


@pytest.mark.parametrize("milliseconds", [0, 20])
async def test_a_deadline_that_passed_is_an_error_without_a_reason(
    client: Client, server: FakeServer, milliseconds: int
) -> None:
    server.will("GetStatus", asyncio.Event())
    with pytest.raises(errors.MarigramError) as raised:
        await client.status(timeout=timedelta(milliseconds=milliseconds))
    assert type(raised.value) is errors.DeadlineExceeded
    assert (raised.value.reason, raised.value.field, raised.value.retry_after) == ("", "", None)


async def test_nobody_listening_is_overloaded(connect: Connect) -> None:
    async with connect("127.0.0.1:1", "key") as client:
        with pytest.raises(errors.Overloaded):
            await client.status(timeout=timedelta(milliseconds=50))


async def test_a_closed_client_says_so(client: Client) -> None:
    await client.close()
    for call in (client.status, client.writer("importer").open):
        with pytest.raises(errors.FailedPrecondition) as raised:
            await call()
        assert raised.value.reason == "CLIENT_CLOSED"
