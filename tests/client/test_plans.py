"""What is asked to be explained, and what is made of the answer."""

from datetime import timedelta

from marigram_client import count, mean, tumbling
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.aio import Client
from tests.client.fake import FakeServer


def told() -> pb.ExplainQueryResponse:
    """What a newer server says, which knows a reason that this client does not."""
    answer = pb.ExplainQueryResponse()
    plan = answer.plan
    plan.stream, plan.commit, plan.executed, plan.workers = "cpu", 7, True, 2
    plan.window.tumbling.width.seconds = 60
    plan.keys.add(name="hour", column="time", made=True)
    plan.measures.add(name="m", filter="v > 1").states.add(keeps="sum", column="v")
    look = plan.looks.add(filter="host = a", windows=3, layout=pb.GROUP_LAYOUT_DENSE, places=9, entities=0)
    look.range.start_ns = 5
    look.pane.nanos = 1
    look.blocks.total = 4
    rollup = look.rollups.add(group_by=["host"], parts_with=2)
    rollup.width.seconds = 3_600
    rollup.refusals.add(reason=pb.ROLLUP_REASON_WINDOW_WIDTH, message="no")
    rollup.refusals.add(reason=99)
    scan = plan.steps.add(kind=pb.QUERY_STEP_KIND_SCAN)
    scan.elapsed.nanos, scan.busy.nanos = 2_000, 3_000
    plan.steps.add(kind=pb.QUERY_STEP_KIND_ORDER).elapsed.nanos = 1_000
    answer.provenance.rows_matched = 11
    return answer


async def test_a_plan_is_read_whole(client: Client, server: FakeServer) -> None:
    server.will("ExplainQuery", told())
    plan = await client.explain("cpu", measures=[mean("v")], window=tumbling(minutes=1), plan_only=True)
    (asked,) = server.sent("ExplainQuery")
    assert (asked.plan_only, asked.spec.stream, len(asked.spec.measures)) == (True, "cpu", 1)
    assert (plan.stream, plan.commit, plan.executed, plan.workers) == ("cpu", 7, True, 2)
    assert plan.window is not None
    assert str(plan.window) == "1m"
    assert (plan.keys[0].column, plan.keys[0].made) == ("time", True)
    assert plan.measures[0].states[0].keeps == "sum"
    (look,) = plan.looks
    assert (look.range, look.filter, look.entities, look.layout) == ((5, None), "host = a", 0, "dense")
    assert (look.pane, look.blocks.total, look.parts.total) == (timedelta(0), 4, 0)
    (rollup,) = look.rollups
    assert (rollup.width, rollup.group_by) == (timedelta(hours=1), ("host",))
    assert [refusal.reason for refusal in rollup.refusals] == ["window_width", "unknown_99"]
    scan, order = plan.steps
    assert (scan.name, scan.elapsed, scan.busy) == ("scan", timedelta(microseconds=2), timedelta(microseconds=3))
    assert (order.name, order.busy) == ("order", None)
    assert plan.provenance is not None
    assert plan.provenance.rows_matched == 11


async def test_a_query_made_call_by_call_is_explained_as_it_is_asked(client: Client, server: FakeServer) -> None:
    server.will("ExplainQuery", pb.ExplainQueryResponse())
    plan = await client.query_of("cpu").measure(count()).explain()
    (asked,) = server.sent("ExplainQuery")
    assert (asked.spec, asked.plan_only) == (client.query_of("cpu").measure(count()).spec, False)
    assert (plan.window, plan.looks, plan.provenance) == (None, (), None)
