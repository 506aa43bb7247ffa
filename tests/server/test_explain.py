"""How a query is answered is told as the query is: with its numbers, its errors, its scope and its deadline."""

import math
import time
from pathlib import Path

import grpc
import pytest

from marigram.v1 import queries_pb2, streams_pb2
from tests.server.messages import COUNT, ask, batch, f64, measure, query, send, write
from tests.server.support import QUERIES, STREAMS, Client, outcome, refused, serving, settings
from tests.server.test_bad_queries import BROKEN, UNSERVED

Asked = queries_pb2.QueryRequest


async def explained(client: Client, asked: Asked, *, plan_only: bool = False) -> queries_pb2.ExplainQueryResponse:
    request = queries_pb2.ExplainQueryRequest(spec=asked.spec, plan_only=plan_only)
    return await client.unary(f"{QUERIES}/ExplainQuery", request, queries_pb2.ExplainQueryResponse)


@pytest.fixture
async def filled(client: Client) -> Client:
    """Five thousand rows of five seconds, 3,000 of them sealed, and a NaN."""
    start = time.time_ns() // 10**9 * 10**9 - 10**10
    for first, last in ((0, 3_000), (3_000, 5_000)):
        values = [float(at) for at in range(first, last - 1)]
        times = [start + at * 1_000_000 for at in range(first, last)]
        await send(client, write(batch(f64("value", *values, math.nan), times=times)))
        if not first:
            seal = streams_pb2.SealStreamRequest(name="streams/cpu")
            await client.unary(f"{STREAMS}/SealStream", seal, streams_pb2.SealStreamResponse)
    return client


async def test_the_numbers_are_those_of_the_query(filled: Client) -> None:
    asked = query(
        COUNT, measure("MEAN", "value"), window={"tumbling": {"width": {"seconds": 1}}}, filter_text="value > 9"
    )
    rows, made = await ask(filled, asked)
    told = await explained(filled, asked)
    for one in (made, told.provenance):
        one.ClearField("elapsed")
    assert told.provenance == made
    plan = told.plan
    assert (plan.stream, plan.executed, plan.answer_rows) == ("cpu", True, len(rows))
    (look,) = plan.looks
    assert (look.filter, look.windows, look.groups) == ("value > 9", 5, 5)
    assert (look.rows_scanned, look.rows_matched) == (made.rows_scanned, made.rows_matched)
    assert (look.parts.total, look.parts.read, look.batches.read) == (1, 1, 1)
    blocks = look.blocks
    left_out = blocks.pruned_by_time + blocks.pruned_by_entity + blocks.replaced
    assert blocks.total == left_out + blocks.planned == 5
    assert blocks.planned == blocks.pruned_by_filter + blocks.spared + blocks.known + blocks.decoded
    assert 0 < look.rows_decoded <= 5_000
    assert [step.kind for step in plan.steps] == list(range(1, 11))


async def test_a_plan_alone_reads_nothing(filled: Client) -> None:
    told = await explained(filled, query(measure("QUANTILE", "value", quantile=0.5)), plan_only=True)
    assert not told.HasField("provenance")
    assert not told.plan.executed
    (look,) = told.plan.looks
    assert (look.blocks.planned, look.blocks.decoded, look.rows_decoded, look.rows_scanned) == (5, 0, 0, 0)
    assert told.plan.steps[-1].kind == queries_pb2.QUERY_STEP_KIND_PLAN
    (state,) = told.plan.measures[0].states
    assert (state.keeps, state.column) == ("exponential histogram", "value")


@pytest.mark.parametrize("plan_only", [False, True])
async def test_what_a_query_is_refused_with_its_explanation_is_too(filled: Client, plan_only: bool) -> None:
    for spec in [*(case[0] for case in BROKEN), *(case[0] for case in UNSERVED)]:
        wanted = await outcome(ask(filled, Asked(spec=spec)))
        request = queries_pb2.ExplainQueryRequest(spec=spec, plan_only=plan_only)
        found = await outcome(filled.unary(f"{QUERIES}/ExplainQuery", request, queries_pb2.ExplainQueryResponse))
        assert wanted is not None, spec
        assert found is not None, spec
        assert (found.code, found.reason, found.field) == (wanted.code, wanted.reason, wanted.field), spec


async def test_an_explanation_ends_at_its_deadline(tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data", query_seconds=0.001)) as (_, client):
        rows = 500_000
        await send(client, write(batch(f64("value", *range(rows)), times=[time.time_ns()] * rows)))
        refusal = await refused(explained(client, query(measure("DISTINCT", "value"), group_by=[{"column": "value"}])))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
