"""Streams over the port: made, shown, changed, deleted, with their rules."""

import re
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from marigram.v1 import common_pb2, streams_pb2
from tests.server.support import STREAMS, Client, refused

EVENT, METRIC = common_pb2.STREAM_KIND_EVENT, common_pb2.STREAM_KIND_METRIC
F64 = common_pb2.COLUMN_TYPE_F64
MANY = [{"name": f"c{i}", "type": F64} for i in range(1_025)]


async def create(client: Client, **fields: Any) -> streams_pb2.Stream:
    request = streams_pb2.CreateStreamRequest(stream=streams_pb2.Stream(**fields))
    return (await client.unary(f"{STREAMS}/CreateStream", request, streams_pb2.CreateStreamResponse)).stream


async def get(client: Client, name: str) -> streams_pb2.Stream:
    request = streams_pb2.GetStreamRequest(name=name)
    return (await client.unary(f"{STREAMS}/GetStream", request, streams_pb2.GetStreamResponse)).stream


async def update(client: Client, *paths: str, **fields: Any) -> streams_pb2.Stream:
    request = streams_pb2.UpdateStreamRequest(stream=streams_pb2.Stream(**fields), update_mask=FieldMask(paths=paths))
    return (await client.unary(f"{STREAMS}/UpdateStream", request, streams_pb2.UpdateStreamResponse)).stream


async def test_a_stream_is_as_it_was_asked_for(client: Client) -> None:
    made = await create(
        client,
        name="streams/cpu",
        kind=METRIC,
        columns=[
            {"name": "host", "type": common_pb2.COLUMN_TYPE_LABEL},
            {"name": "load", "type": F64, "description": "mean of a minute", "unit": "1"},
        ],
        strict=True,
        out_of_orderness={"seconds": 2, "nanos": 500_000_000},
        max_age={"seconds": 86_400},
        description="of the build machines",
    )
    assert [(column.name, column.type, column.unit) for column in made.columns] == [
        ("host", common_pb2.COLUMN_TYPE_LABEL, ""),
        ("load", F64, "1"),
    ]
    assert (made.kind, made.strict, made.description) == (METRIC, True, "of the build machines")
    assert made.out_of_orderness.ToMilliseconds() == 2_500
    assert made.max_age.ToSeconds() == 86_400
    assert made.create_time.seconds > 1_700_000_000
    assert made == await get(client, "streams/cpu")


async def test_settings_that_are_not_given_are_defaults(client: Client) -> None:
    made = await create(client, name="streams/clicks", kind=EVENT)
    assert (made.out_of_orderness.seconds, made.allowed_lateness.seconds, made.idle_after.seconds) == (10, 3_600, 30)
    assert not made.HasField("max_age")
    assert not made.stats.HasField("watermark_ns")


async def test_a_name_is_taken_once(client: Client) -> None:
    await create(client, name="streams/cpu", kind=METRIC)
    refusal = await refused(create(client, name="streams/cpu", kind=EVENT))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ALREADY_EXISTS, "STREAM_EXISTS")


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"name": "cpu"}, "BAD_STREAM_ID", "stream.name"),
        ({"name": "streams/"}, "BAD_STREAM_ID", "stream.name"),
        ({"name": "streams/1cpu"}, "BAD_STREAM_ID", "stream.name"),
        ({"name": "streams/" + "a" * 129}, "BAD_STREAM_ID", "stream.name"),
        ({"name": "streams/a\nb"}, "BAD_STREAM_ID", "stream.name"),
        ({"kind": 0}, "KIND_MISSING", "stream.kind"),
        ({"kind": 99}, "KIND_MISSING", "stream.kind"),
        ({"out_of_orderness": {"seconds": -1}}, "BAD_DURATION", "stream.out_of_orderness"),
        ({"out_of_orderness": {"seconds": 7 * 86_400, "nanos": 1}}, "BAD_DURATION", "stream.out_of_orderness"),
        ({"allowed_lateness": {"seconds": 367 * 86_400}}, "BAD_DURATION", "stream.allowed_lateness"),
        ({"idle_after": {"nanos": 999_999_999}}, "BAD_DURATION", "stream.idle_after"),
        ({"max_age": {"seconds": 2**60}}, "BAD_DURATION", "stream.max_age"),
        ({"description": "x" * 1_025}, "BAD_TEXT", "stream.description"),
        ({"columns": [{"name": "a"}]}, "COLUMN_TYPE_MISSING", "stream.columns[0].type"),
        ({"columns": [{"name": "a", "type": 99}]}, "COLUMN_TYPE_MISSING", "stream.columns[0].type"),
        (
            {"columns": [{"name": "a", "type": F64}, {"name": "a", "type": F64}]},
            "DUPLICATE_COLUMN",
            "stream.columns[1]",
        ),
        ({"columns": [{"name": "", "type": F64}]}, "BAD_NAME", "stream.columns[0]"),
        ({"columns": [{"name": "x" * 256, "type": F64}]}, "BAD_NAME", "stream.columns[0]"),
        ({"columns": [{"name": "a\0b", "type": F64}]}, "BAD_NAME", "stream.columns[0]"),
        ({"columns": [{"name": "time", "type": F64}]}, "RESERVED_NAME", "stream.columns[0]"),
        ({"columns": [{"name": "a", "type": F64, "unit": "x" * 64}]}, "BAD_TEXT", "stream.columns[0].unit"),
        ({"columns": [{"name": "a", "type": 7}]}, "LABEL_IN_EVENT_STREAM", "stream.columns[0]"),
        ({"kind": METRIC, "columns": MANY}, "TOO_MANY_COLUMNS", "stream.columns[1024]"),
    ],
)
async def test_a_rule_that_is_broken_is_named_and_nothing_is_made(
    client: Client, fields: dict[str, Any], reason: str, field: str
) -> None:
    refusal = await refused(create(client, **{"name": "streams/s", "kind": EVENT} | fields))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert refusal.field.startswith(field)
    assert refusal.detail("BadRequest").field_violations[0].field == refusal.field
    assert await client.raw(f"{STREAMS}/ListStreams") == b""


async def test_state_columns_are_declared_but_not_served(client: Client) -> None:
    columns = [{"name": "sketch", "type": common_pb2.COLUMN_TYPE_STATE}]
    refusal = await refused(create(client, name="streams/s", kind=METRIC, columns=columns))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SERVED")
    assert refusal.field == "stream.columns[0].type"


@pytest.mark.parametrize("method", ["GetStream", "DeleteStream"])
async def test_an_unknown_stream_is_not_found(client: Client, method: str) -> None:
    request = streams_pb2.GetStreamRequest(name="streams/nope").SerializeToString()
    refusal = await refused(client.raw(f"{STREAMS}/{method}", request))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "STREAM_NOT_FOUND")


async def test_only_what_the_mask_names_changes(client: Client) -> None:
    before = await create(client, name="streams/s", kind=EVENT, description="old", max_age={"seconds": 60})
    after = await update(client, "strict", name="streams/s", strict=True, description="new")
    assert (after.strict, after.description, after.max_age.seconds) == (True, "old", 60)
    assert after.version > before.version
    assert after == await get(client, "streams/s")


async def test_what_the_mask_names_and_the_stream_lacks_goes_back_to_its_default(client: Client) -> None:
    await create(client, name="streams/s", kind=EVENT, max_age={"seconds": 60}, idle_after={"seconds": 5})
    after = await update(client, "max_age", "idle_after", name="streams/s")
    assert not after.HasField("max_age")
    assert after.idle_after.seconds == 30


async def test_a_star_replaces_everything_that_can_change(client: Client) -> None:
    await create(client, name="streams/s", kind=METRIC, strict=True, description="old", idle_after={"seconds": 5})
    after = await update(client, "*", name="streams/s", columns=[{"name": "a", "type": F64}])
    assert (after.strict, after.description, after.idle_after.seconds) == (False, "", 30)
    assert [column.name for column in after.columns] == ["a"]


async def test_columns_are_added_and_described_but_keep_their_type(client: Client) -> None:
    await create(client, name="streams/s", kind=METRIC, columns=[{"name": "a", "type": F64}])
    columns: list[dict[str, Any]] = [{"name": "a", "type": F64, "unit": "s"}, {"name": "b", "type": 3}]
    after = await update(client, "columns", name="streams/s", columns=columns)
    assert [(column.name, column.unit) for column in after.columns] == [("a", "s"), ("b", "")]
    columns = [{"name": "c", "type": F64}, {"name": "a", "type": 2}]
    refusal = await refused(update(client, "columns", name="streams/s", columns=columns))
    assert refusal.reason == "COLUMN_TYPE_CHANGED"
    assert after == await get(client, "streams/s")


@pytest.mark.parametrize(
    ("paths", "reason", "field"),
    [
        ((), "UPDATE_MASK_EMPTY", "update_mask"),
        (("strict", "kind"), "UPDATE_MASK_INVALID", "update_mask.paths[1]"),
        (("stats.received",), "UPDATE_MASK_INVALID", "update_mask.paths[0]"),
    ],
)
async def test_a_mask_names_what_can_change(client: Client, paths: tuple[str, ...], reason: str, field: str) -> None:
    await create(client, name="streams/s", kind=EVENT)
    refusal = await refused(update(client, *paths, name="streams/s"))
    assert (refusal.reason, refusal.field) == (reason, field)


@pytest.mark.parametrize(
    "given",
    [
        {"out_of_orderness": {"nanos": -1}},
        {"out_of_orderness": {"seconds": 7 * 86_400 + 1}},
        {"allowed_lateness": {"seconds": -1}},
        {"allowed_lateness": {"seconds": 366 * 86_400 + 1}},
        {"idle_after": {}},
        {"idle_after": {"seconds": 86_401}},
        {"max_age": {}},
        {"max_age": {"seconds": 2**62}},
        {"max_age": {"nanos": 10**9}},
    ],
    ids=str,
)
async def test_a_duration_out_of_its_bounds_changes_nothing(client: Client, given: dict[str, Any]) -> None:
    before = await create(client, name="streams/s", kind=EVENT)
    (field,) = given
    refusal = await refused(update(client, "description", field, name="streams/s", description="new", **given))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_DURATION")
    assert refusal.field == f"stream.{field}"
    assert await get(client, "streams/s") == before


async def test_a_version_that_is_sent_back_must_be_the_current_one(client: Client) -> None:
    first = await create(client, name="streams/s", kind=EVENT)
    await update(client, "strict", name="streams/s", strict=True, version=first.version)
    refusal = await refused(update(client, "strict", name="streams/s", version=first.version))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "VERSION_CONFLICT")
    assert (await get(client, "streams/s")).strict


async def test_a_deleted_stream_s_name_may_be_used_again(client: Client) -> None:
    await create(client, name="streams/s", kind=EVENT)
    request = streams_pb2.DeleteStreamRequest(name="streams/s")
    await client.unary(f"{STREAMS}/DeleteStream", request, streams_pb2.DeleteStreamResponse)
    assert (await refused(get(client, "streams/s"))).reason == "STREAM_NOT_FOUND"
    await create(client, name="streams/s", kind=METRIC)
    assert (await get(client, "streams/s")).kind == METRIC


async def test_streams_are_listed_by_name_a_page_at_a_time(client: Client) -> None:
    for name in ("b", "a", "c", "B", "_z"):
        await create(client, name=f"streams/{name}", kind=EVENT)
    seen: list[str] = []
    token = ""
    while True:
        request = streams_pb2.ListStreamsRequest(page_size=2, page_token=token)
        page = await client.unary(f"{STREAMS}/ListStreams", request, streams_pb2.ListStreamsResponse)
        seen += [re.sub("^streams/", "", stream.name) for stream in page.streams]
        token = page.next_page_token
        if not token:
            break
    assert seen == ["B", "_z", "a", "b", "c"]
