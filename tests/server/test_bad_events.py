"""Events tracked one by one: each has its verdict, and what breaks a rule is named and counted."""

import time
from typing import Any

import grpc
import pytest

from marigram.v1 import common_pb2, ingest_pb2
from tests.server.messages import COUNT, PLACE, ask, open_writer, query, stats, streams, track, with_surrogate
from tests.server.support import INGEST, Client, refused

NOW = time.time_ns()
LATE = NOW + 10**18
LONG = "x" * 4_096
FAR = -(2**63)


def event(kind: str = "login", **fields: Any) -> ingest_pb2.Event:
    return ingest_pb2.Event(event=kind, **{"time_ns": NOW} | fields)


def tracked(*events: ingest_pb2.Event, **fields: Any) -> ingest_pb2.TrackEventsRequest:
    return ingest_pb2.TrackEventsRequest(events=events, **fields)


def text(value: str) -> common_pb2.Value:
    return common_pb2.Value(text=value)


async def test_one_event_is_enough_and_has_an_id(client: Client) -> None:
    answer = await track(client, tracked(ingest_pb2.Event(event="login", user="ada")))
    assert answer.outcome.stored == 1
    (result,) = answer.results
    assert (result.stored, bool(result.id), result.reason, result.message) == (True, True, "", "")
    assert (await stats(client, "events")).entities == 1


async def test_good_events_are_stored_beside_bad_ones_and_equal_ones_share_an_id(client: Client) -> None:
    answer = await track(
        client,
        tracked(
            event(user="ada"),
            event(""),
            event(time_ns=LATE),
            event(user="ada"),
            event(user="bob"),
            event(time_ns=FAR),
            event(LONG + "x"),
            event(user=LONG + "x"),
            event(properties={"time": text("a")}),
            event(properties={"": text("a")}),
            event(properties={"n": common_pb2.Value(f64=1)}),
            event(properties={"n": text("one")}),
            event(properties={"n": common_pb2.Value(i64=2**53 + 1)}),
            event(properties={"n": common_pb2.Value()}),
        ),
    )
    reasons = [result.reason for result in answer.results]
    assert reasons == [
        "",
        "EVENT_MISSING",
        "TIME_IN_FUTURE",
        "",
        "",
        "TIME_MISSING",
        "SYMBOL_TOO_LONG",
        "SYMBOL_TOO_LONG",
        "RESERVED_NAME",
        "BAD_NAME",
        "",
        "TYPE_MISMATCH",
        "INTEGER_TOO_LARGE",
        "",
    ]
    for result in answer.results:
        assert result.stored == (not result.reason) == bool(result.id) == (not result.message)
        assert len(result.message) < 500
    ids = [result.id for result in answer.results if result.stored]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    found = await stats(client, "events")
    assert (found.received, found.stored) == (14, 5)
    assert sum(count.rows for count in found.rejected) == 9
    again = await track(client, tracked(event(user="ada")))
    assert again.results[0].id == ids[0]


async def test_one_bad_event_refuses_an_atomic_request_and_leaves_its_number_free(client: Client) -> None:
    epoch = (await open_writer(client)).epoch
    request = tracked(event(), event(""), writer="w", epoch=epoch, sequence=1, atomic=True)
    refusal = await refused(track(client, request))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ROWS_REJECTED")
    assert "EVENT_MISSING" in refusal.message
    assert await streams(client) == []
    answer = await track(client, tracked(event(), writer="w", epoch=epoch, sequence=1))
    assert [result.stored for result in answer.results] == [True]


async def test_events_that_are_sent_again_are_told_as_a_duplicate(client: Client) -> None:
    epoch = (await open_writer(client)).epoch
    request = tracked(event(), event(""), writer="w", epoch=epoch, sequence=1)
    first, again = await track(client, request), await track(client, request)
    assert (first.outcome.duplicate, len(first.results)) == (False, 2)
    assert (again.outcome.duplicate, again.outcome.verified, len(again.results)) == (True, True, 0)
    found = await stats(client, "events")
    assert (found.received, found.stored, found.duplicate) == (4, 1, 2)


@pytest.mark.parametrize(
    "request_",
    [
        tracked(event(PLACE)),
        tracked(event(user=PLACE)),
        tracked(event(session=PLACE)),
        tracked(event(service=PLACE)),
        tracked(event(properties={PLACE: text("a")})),
        tracked(event(properties={"a": text(PLACE)})),
        tracked(event(), stream=PLACE),
        tracked(event(), writer=PLACE, epoch=1, sequence=1),
    ],
    ids=["event", "user", "session", "service", "property", "value", "stream", "writer"],
)
async def test_a_lone_surrogate_is_no_text_wherever_it_stands(
    client: Client, request_: ingest_pb2.TrackEventsRequest
) -> None:
    refusal = await refused(client.raw(f"{INGEST}/TrackEvents", with_surrogate(request_)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
    assert await streams(client) == []


@pytest.mark.parametrize("value", [LONG, "a\0b"], ids=["4 KiB", "NUL"])
async def test_texts_of_4_kib_and_with_nul_are_stored_and_found_as_they_are(client: Client, value: str) -> None:
    one = event(value, user=value, session=value, service=value, properties={"p": text(value)})
    answer = await track(client, tracked(one))
    assert answer.results[0].stored
    keys = ("event", "user", "session", "service", "p")
    rows, _ = await ask(client, query(COUNT, stream="events", group_by=[{"column": key} for key in keys]))
    assert rows == [dict.fromkeys(keys, value) | {"count": 1}]


@pytest.mark.parametrize(
    ("property_", "reason"),
    [("a\0b", "BAD_NAME"), (LONG, "BAD_NAME"), ("entity", "RESERVED_NAME")],
    ids=["NUL", "4 KiB", "entity"],
)
async def test_a_property_s_name_has_a_rule(client: Client, property_: str, reason: str) -> None:
    answer = await track(client, tracked(event(properties={property_: text("a")})))
    assert [(result.stored, result.reason) for result in answer.results] == [(False, reason)]


@pytest.mark.parametrize("count", [0, 100_001])
async def test_a_request_has_1_to_100_000_events(client: Client, count: int) -> None:
    refusal = await refused(track(client, tracked(*[ingest_pb2.Event(event="x")] * count)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ROWS_OUT_OF_RANGE")
    assert refusal.field == "events"
    assert str(count) in refusal.message
    assert await streams(client) == []
