"""Queries that break a rule name it, what is not served says so, and NaN is counted apart from what is measured."""

import asyncio
import math
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from marigram.v1 import admin_pb2, common_pb2, ingest_pb2, queries_pb2
from tests.server.messages import COUNT, PLACE, ask, batch, f64, measure, query, send, strings, with_surrogate, write
from tests.server.support import ADMIN, QUERIES, Client, outcome, refused, serving, settings

Filter = queries_pb2.Filter
Spec = queries_pb2.QuerySpec
LONG = "x" * 4_096
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
SECOND = {"width": {"seconds": 1}}


@pytest.fixture
async def filled(client: Client) -> Client:
    """Seven rows: 1, 2, 3, NaN, both infinities, and a null."""
    value = f64("value", 1, 2, 3, math.nan, math.inf, -math.inf, 99)
    value.validity = b"\x3f"
    host = ingest_pb2.BatchColumn(name="host", symbol=strings(*"abcdefg"))
    answer = await send(client, write(batch(value, host, times=[time.time_ns() + i for i in range(7)])))
    assert answer.stored == 7
    return client


async def test_nan_is_skipped_and_counted_and_infinities_are_numbers(filled: Client) -> None:
    kinds = ("COUNT", "SUM", "MEAN", "MIN", "MAX", "FIRST", "LAST", "DISTINCT")
    measures = [*(measure(kind, "value") for kind in kinds), COUNT, measure("QUANTILE", "value", quantile=0.5)]
    ((row,), provenance) = await ask(filled, query(*measures))
    assert (row["count_value"], row["count"], row["distinct_value"]) == (5, 7, 5)
    assert (row["min_value"], row["max_value"], row["quantile_value"]) == (-math.inf, math.inf, 2)
    assert math.isnan(row["sum_value"])  # of both infinities
    assert math.isnan(row["mean_value"])
    assert (row["first_value"], row["last_value"]) == (1, -math.inf)
    assert provenance.nan_skipped == len(kinds) + 1
    assert (provenance.rows_scanned, provenance.rows_matched) == (7, 7)


async def test_nothing_compares_with_nan(filled: Client) -> None:
    def over(value: float) -> queries_pb2.Filter:
        compare = queries_pb2.Comparator(
            column="value", operator=queries_pb2.COMPARISON_OPERATOR_GREATER, value=common_pb2.Value(f64=value)
        )
        return Filter(compare=compare)

    ((row,), _) = await ask(filled, query(filter=over(-math.inf)))
    assert row["count"] == 4
    negated = Filter()
    getattr(negated, "not").CopyFrom(over(2))
    ((row,), _) = await ask(filled, query(filter=negated))
    assert row["count"] == 3  # a null or NaN neither holds nor fails
    refusal = await refused(ask(filled, query(filter=over(math.nan))))
    assert (refusal.code, refusal.reason) == (INVALID, "NAN_IN_FILTER")


async def test_a_range_that_ends_where_time_begins_holds_nothing(filled: Client) -> None:
    for end, rows in ((-(2**63), 0), (-(2**63) + 1, 0), (2**63 - 1, 7)):
        _, provenance = await ask(filled, query(range={"end_ns": end}))
        assert (provenance.rows_scanned, provenance.rows_matched) == (rows, rows)


def spec(**fields: Any) -> queries_pb2.QuerySpec:
    return Spec(**{"stream": "cpu", "measures": [COUNT]} | fields)


def compared(column: str, **value: Any) -> queries_pb2.Filter:
    return Filter(
        compare=queries_pb2.Comparator(
            column=column, operator=queries_pb2.COMPARISON_OPERATOR_EQUAL, value=common_pb2.Value(**value)
        )
    )


UNSERVED = [
    (spec(sample=0.5), "spec.sample"),
]


@pytest.mark.parametrize("method", ["Query", "StreamQuery"])
async def test_what_is_not_served_is_named_and_never_ignored(filled: Client, method: str) -> None:
    for asked, field in UNSERVED:
        request = queries_pb2.QueryRequest(spec=asked).SerializeToString()
        refusal = await outcome(filled.shaped(f"{QUERIES}/{method}", request))
        assert refusal is not None, field
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SERVED"), field
        assert (refusal.field, field in refusal.message) == (field, True)
    rows = queries_pb2.QueryRequest(spec=spec(), format=queries_pb2.ANSWER_FORMAT_ROWS)
    refusal = await outcome(filled.shaped(f"{QUERIES}/{method}", rows.SerializeToString()))
    assert refusal is not None
    assert (refusal.code, refusal.reason, refusal.field) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SERVED", "format")


BROKEN: list[tuple[queries_pb2.QuerySpec | None, grpc.StatusCode, str, str]] = [
    (None, INVALID, "SPEC_MISSING", "spec"),
    (spec(stream=""), INVALID, "BAD_STREAM_ID", "spec.stream"),
    (spec(stream="a\0b"), INVALID, "BAD_STREAM_ID", "spec.stream"),
    (spec(stream=LONG), INVALID, "BAD_STREAM_ID", "spec.stream"),
    (spec(stream="nope"), NOT_FOUND, "STREAM_NOT_FOUND", ""),
    (spec(measures=[]), INVALID, "MEASURE_MISSING", "spec.measures"),
    (spec(measures=[{"kind": 0}]), INVALID, "MEASURE_KIND_MISSING", "spec.measures[0].kind"),
    (spec(measures=[{"kind": 99}]), INVALID, "UNKNOWN_ENUM", "spec.measures[0].kind"),
    (spec(measures=[{"kind": 2}]), INVALID, "COLUMN_MISSING", "spec.measures[0].column"),
    (spec(measures=[{"kind": 2, "column": "nope"}]), INVALID, "UNKNOWN_COLUMN", "spec.measures[0].column"),
    (spec(measures=[{"kind": 2, "column": LONG}]), INVALID, "UNKNOWN_COLUMN", "spec.measures[0].column"),
    (spec(measures=[{"kind": 2, "column": "host"}]), INVALID, "NOT_NUMERIC", "spec.measures[0].column"),
    (spec(measures=[{"kind": 1, "name": LONG}]), INVALID, "BAD_NAME", "spec.measures[0].name"),
    (spec(measures=[{"kind": 1, "name": "a\0b"}]), INVALID, "BAD_NAME", "spec.measures[0].name"),
    (spec(measures=[COUNT, COUNT]), INVALID, "DUPLICATE_MEASURE", "spec.measures[1]"),
    (spec(measures=[COUNT] * 65), INVALID, "TOO_MANY", "spec.measures"),
    (spec(measures=[measure("QUANTILE", "value", quantile=1.5)]), INVALID, "BAD_QUANTILE", "spec.measures[0].quantile"),
    (
        spec(measures=[measure("QUANTILE", "value", quantile=math.nan)]),
        INVALID,
        "BAD_QUANTILE",
        "spec.measures[0].quantile",
    ),
    (spec(measures=[{"kind": 1, "second_column": "a"}]), INVALID, "COLUMN_NOT_TAKEN", "spec.measures[0].second_column"),
    (spec(measures=[{"kind": 1, "threshold": 1}]), INVALID, "PARAMETER_NOT_TAKEN", "spec.measures[0].threshold"),
    (spec(measures=[{"kind": 1, "count": 1}]), INVALID, "PARAMETER_NOT_TAKEN", "spec.measures[0].count"),
    (spec(measures=[{"kind": 1, "formula": "a"}]), INVALID, "PARAMETER_NOT_TAKEN", "spec.measures[0].formula"),
    (spec(measures=[{"kind": 1, "bounds": [1]}]), INVALID, "PARAMETER_NOT_TAKEN", "spec.measures[0].bounds"),
    (spec(measures=[{"kind": 1, "sketch": 2}]), INVALID, "PARAMETER_NOT_TAKEN", "spec.measures[0].sketch"),
    (spec(measures=[measure("QUANTILE", "value", sketch=9)]), INVALID, "UNKNOWN_ENUM", "spec.measures[0].sketch"),
    (spec(measures=[measure("TOP_K", "value")]), INVALID, "BAD_COUNT", "spec.measures[0].count"),
    (spec(measures=[measure("HISTOGRAM", "value", bounds=[2, 1])]), INVALID, "BAD_BOUNDS", "spec.measures[0].bounds"),
    (
        spec(measures=[measure("HISTOGRAM", "value", bounds=range(1025))]),
        INVALID,
        "TOO_MANY",
        "spec.measures[0].bounds",
    ),
    (spec(measures=[{"kind": 1, "filter": {}}]), INVALID, "CONDITION_MISSING", "spec.measures[0].filter"),
    (spec(measures=[{"kind": 1, "filter_text": "a ="}]), INVALID, "BAD_FILTER_TEXT", "spec.measures[0].filter_text"),
    (spec(window={"sliding": {}}), INVALID, "BAD_WIDTH", "spec.window.sliding.width"),
    (
        spec(window={"session": {"gap": {"seconds": 1}, "max_length": {"seconds": -9}}}),
        INVALID,
        "BAD_WIDTH",
        "spec.window.session.max_length",
    ),
    (spec(measures=[measure("RATIO", "value")]), INVALID, "COLUMN_MISSING", "spec.measures[0].second_column"),
    (
        spec(measures=[measure("RANK", "value", threshold=math.nan)]),
        INVALID,
        "BAD_THRESHOLD",
        "spec.measures[0].threshold",
    ),
    (spec(measures=[measure("MOVING", "value")]), INVALID, "BAD_COUNT", "spec.measures[0].count"),
    (spec(measures=[measure("CUMULATIVE", "value")]), INVALID, "WINDOW_MISSING", "spec.measures[0].kind"),
    (spec(measures=[measure("FORMULA", formula="1 +")]), INVALID, "BAD_FORMULA", "spec.measures[0].formula"),
    (spec(measures=[measure("FORMULA", formula="a")]), INVALID, "UNKNOWN_MEASURE", "spec.measures[0].formula"),
    (spec(window={"hopping": SECOND}), INVALID, "BAD_WIDTH", "spec.window.hopping.step"),
    (spec(window={"session": {}}), INVALID, "BAD_WIDTH", "spec.window.session.gap"),
    (spec(window={"calendar": {}}), INVALID, "BAD_CALENDAR", "spec.window.calendar.unit"),
    (
        spec(window={"calendar": {"unit": 2, "time_zone": "Europe/Nowhere"}}),
        INVALID,
        "BAD_CALENDAR",
        "spec.window.calendar.time_zone",
    ),
    (spec(fill=5), INVALID, "BAD_FILL", "spec.fill"),
    (spec(top_groups=3), INVALID, "BAD_TOP_GROUPS", "spec.top_groups"),
    (spec(other=True), INVALID, "BAD_TOP_GROUPS", "spec.other"),
    (spec(range={"start_ns": 2, "end_ns": 1}), INVALID, "RANGE_REVERSED", "spec.range"),
    (spec(window={}), INVALID, "WINDOW_MISSING", "spec.window"),
    (spec(window={"tumbling": {}}), INVALID, "BAD_WIDTH", "spec.window.tumbling.width"),
    (spec(window={"tumbling": {"width": {"seconds": -1}}}), INVALID, "BAD_WIDTH", "spec.window.tumbling.width"),
    (spec(window={"tumbling": {"width": {"seconds": 2**62}}}), INVALID, "BAD_WIDTH", "spec.window.tumbling.width"),
    (spec(window={"tumbling": {"width": {"nanos": 2**30}}}), INVALID, "BAD_DURATION", "spec.window.tumbling.width"),
    (spec(group_by=[{"column": "nope"}]), INVALID, "UNKNOWN_COLUMN", "spec.group_by[0].column"),
    (spec(group_by=[{"column": "a\0b"}]), INVALID, "UNKNOWN_COLUMN", "spec.group_by[0].column"),
    (spec(group_by=[{}]), INVALID, "COLUMN_MISSING", "spec.group_by[0].column"),
    (spec(group_by=[{"column": "time"}]), INVALID, "GROUP_BY_TIME", "spec.group_by[0].column"),
    (spec(group_by=[{"column": "host"}] * 2), INVALID, "DUPLICATE_GROUP_KEY", "spec.group_by[1].column"),
    (spec(order_by=[{"column": "nope"}]), INVALID, "UNKNOWN_COLUMN", "spec.order_by[0].column"),
    (spec(filter={}), INVALID, "CONDITION_MISSING", "spec.filter"),
    (spec(filter=compared("nope", f64=1)), INVALID, "UNKNOWN_COLUMN", "spec.filter.compare.column"),
    (spec(filter=compared("value", text="1")), INVALID, "TYPE_MISMATCH", "spec.filter.compare.value"),
    (spec(filter=compared("host", f64=1)), INVALID, "TYPE_MISMATCH", "spec.filter.compare.value"),
    (spec(filter=compared("value")), INVALID, "NULL_IN_FILTER", "spec.filter.compare.value"),
    (spec(filter=compared("host", text="x" * 65_537)), INVALID, "TEXT_TOO_LONG", "spec.filter.compare.value"),
    (spec(filter={"null": {"column": "nope"}}), INVALID, "UNKNOWN_COLUMN", "spec.filter.null.column"),
    (spec(filter={"match": {"column": "host"}}), INVALID, "MATCH_KIND_MISSING", "spec.filter.match.kind"),
    (spec(filter={"match": {"column": "value", "kind": 1}}), INVALID, "TYPE_MISMATCH", "spec.filter.match.column"),
    (spec(filter={"match": {"kind": 3, "pattern": "("}}), INVALID, "BAD_PATTERN", "spec.filter.match.pattern"),
    (spec(filter_text="value = "), INVALID, "BAD_FILTER_TEXT", "spec.filter_text"),
    (spec(filter_text="matches(host, '(')"), INVALID, "BAD_PATTERN", "spec.filter_text"),
    (spec(filter_text="nope = 1"), INVALID, "UNKNOWN_COLUMN", "spec.filter_text"),
    (spec(fill=99), INVALID, "UNKNOWN_ENUM", "spec.fill"),
]


async def test_a_query_that_cannot_be_is_refused_by_field(filled: Client) -> None:
    found, wanted = [], []
    for asked, code, reason, field in BROKEN:
        refusal = await outcome(ask(filled, queries_pb2.QueryRequest(spec=asked)))
        assert refusal is not None, (reason, field)
        found.append((refusal.code, refusal.reason, refusal.field[: len(field)]))
        wanted.append((code, reason, field))
        assert len(refusal.message) < 500, field
    assert found == wanted


@pytest.mark.parametrize("wire", [b"\xff", b"\x0a\x7f", with_surrogate(query(stream=PLACE)), b"\x0a\x02\x9a\x00"])
@pytest.mark.parametrize("method", ["Query", "ExplainQuery", "StreamQuery"])
async def test_bytes_that_are_no_query_are_refused(filled: Client, method: str, wire: bytes) -> None:
    refusal = await outcome(filled.shaped(f"{QUERIES}/{method}", wire))
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (INVALID, "MALFORMED_MESSAGE")


@pytest.mark.parametrize("depth", [101, 10_000])
async def test_a_filter_that_nests_too_deep_is_refused_and_the_server_lives_on(filled: Client, depth: int) -> None:
    wire = compared("value", f64=1).SerializeToString()
    for _ in range(depth):
        wire = b"\x2a" + _varint(len(wire)) + wire  # `not`
    inner = b"\x0a\x03cpu\x1a" + _varint(len(wire)) + wire
    refusal = await refused(filled.raw(f"{QUERIES}/Query", b"\x0a" + _varint(len(inner)) + inner))
    assert (refusal.code, refusal.reason) == (INVALID, "MALFORMED_MESSAGE")
    assert "100 deep" in refusal.message
    ((row,), _) = await ask(filled, query())
    assert row["count"] == 7


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


async def test_each_breach_of_a_budget_has_a_reason_and_a_quota(filled: Client) -> None:
    keys = [{"column": "host"}]
    for budget, reason in (
        ({"max_rows": 1}, "QUERY_ROWS_EXCEEDED"),
        ({"max_groups": 1}, "QUERY_GROUPS_EXCEEDED"),
        ({"max_bytes": 1}, "QUERY_BYTES_EXCEEDED"),
    ):
        refusal = await refused(ask(filled, query(budget=budget, group_by=keys)))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
        assert refusal.detail("QuotaFailure").violations[0].subject == reason
        assert "RetryInfo" not in {type(detail).__name__ for detail in refusal.details}


async def in_the_engine(client: Client) -> int:
    """Queries that run or wait there."""
    answer = await client.unary(f"{ADMIN}/GetStatus", admin_pb2.GetStatusRequest(), admin_pb2.GetStatusResponse)
    return answer.status.queries_running + answer.status.queries_waiting


async def test_queries_that_were_cancelled_give_their_slots_back(tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data", query_workers=1)) as (server, client):
        rows = 500_000
        start = time.time_ns()
        times = [start + i for i in range(rows)]
        await send(client, write(batch(f64("value", *range(rows)), times=times)))
        slow = query(measure("DISTINCT", "value"), window={"tumbling": {"width": {"nanos": 3}}}).SerializeToString()
        for _ in range(200):  # more than slots and waiting places together
            call = client.raw(f"{QUERIES}/Query", slow)
            await call.wait_for_connection()
            call.cancel()
        async with asyncio.timeout(20):
            while server.metrics.methods[f"{QUERIES}/Query"].running:  # noqa: ASYNC110
                await asyncio.sleep(0)
            while await in_the_engine(client):
                pass
        ((row,), _) = await ask(client, query())
        assert row["count"] == rows


async def test_a_query_whose_deadline_passes_ends_in_the_engine_too(tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data", query_seconds=0.001)) as (_, client):
        rows = 500_000
        times = [time.time_ns()] * rows
        await send(client, write(batch(f64("value", *range(rows)), times=times)))
        slow = query(measure("DISTINCT", "value"), group_by=[{"column": "value"}])
        refusal = await refused(ask(client, slow))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
