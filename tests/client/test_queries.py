"""Queries as they are asked, and answers as they are read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import numpy as np
import pyarrow as pa
import pytest

from marigram_client import (
    Budget,
    Hints,
    InvalidArgument,
    LimitExceeded,
    ascending,
    calendar,
    column,
    count,
    descending,
    distinct,
    formula,
    hopping,
    mean,
    min_,
    moving,
    provenance,
    quantile,
    rank,
    ratio,
    session,
    share_below,
    sum_,
    tumbling,
    weighted_mean,
    whole,
)
from marigram_client._pb.marigram.v1 import common_pb2
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.aio import Client
from marigram_client.filters import Condition
from marigram_client.queries import specification
from tests.client.fake import FakeServer, refusal

TABLE = pa.table({"host": ["a", "b"], "mean_value": [1.5, 2.5]})


def ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def made() -> pb.Provenance:
    message = pb.Provenance(commit=7, watermark_ns=5, tier=pb.TIER_RAW, rows_scanned=10, rows_matched=4, complete=True)
    message.measures.add(name="mean_value", exact=True)
    message.elapsed.FromTimedelta(timedelta(milliseconds=3))
    return message


def test_a_query_is_asked_as_it_was_said() -> None:
    spec = specification(
        "cpu",
        [mean("value"), quantile("value", 0.99), count()],
        range=(datetime(2013, 1, 1, tzinfo=UTC), None),
        where=(column("host") == "a") & (column("value") > 3),
        window=tumbling(minutes=1),
        group_by="host",
        order_by=descending("mean_value"),
        limit=5,
        as_of=7,
        budget=Budget(max_rows=100),
        hints=Hints(no_rollups=True, no_cache=True),
    )
    expected = pb.QuerySpec(stream="cpu", limit=5, as_of=7, budget=pb.Budget(max_rows=100))
    expected.hints.MergeFrom(pb.QueryHints(no_rollups=True, no_cache=True))
    expected.range.start_ns = 1_356_998_400 * 10**9
    expected.filter.all.filters.add().compare.MergeFrom(
        pb.Comparator(column="host", operator=pb.COMPARISON_OPERATOR_EQUAL, value=common_pb2.Value(text="a"))
    )
    expected.filter.all.filters.add().compare.MergeFrom(
        pb.Comparator(column="value", operator=pb.COMPARISON_OPERATOR_GREATER, value=common_pb2.Value(i64=3))
    )
    expected.window.tumbling.width.seconds = 60
    expected.group_by.add(column="host")
    expected.measures.add(kind=pb.MEASURE_KIND_MEAN, column="value")
    expected.measures.add(kind=pb.MEASURE_KIND_QUANTILE, column="value", quantile=0.99, name="p99_value")
    expected.measures.add(kind=pb.MEASURE_KIND_COUNT)
    expected.order_by.add(column="mean_value", descending=True)
    assert spec == expected


def test_an_open_range_without_window_or_groups_says_nothing_of_them() -> None:
    assert specification("cpu", [count()]) == pb.QuerySpec(
        stream="cpu", measures=[pb.Measure(kind=pb.MEASURE_KIND_COUNT)]
    )


@pytest.mark.parametrize(
    ("time", "expected_ns"),
    [
        (5, 5),
        (datetime(1970, 1, 1, 0, 0, 0, 1), 1000),  # noqa: DTZ001
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), -(10**9)),
        (np.datetime64(5, "ms"), 5_000_000),
        (np.int64(5), 5),
    ],
)
def test_the_ends_of_a_range_are_nanoseconds(time: Any, expected_ns: int) -> None:
    assert specification("cpu", [count()], range=(time, time)).range.end_ns == expected_ns


@pytest.mark.parametrize("time", [1.5, "2013", None.__class__, np.datetime64("NaT"), datetime(9999, 1, 1, tzinfo=UTC)])
def test_what_is_no_time_is_refused(time: Any) -> None:
    with pytest.raises(InvalidArgument):
        specification("cpu", [count()], range=(time, None))


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (column("a") != 1.5, 'compare { column: "a" operator: COMPARISON_OPERATOR_NOT_EQUAL value { f64: 1.5 } }'),
        (
            column("a") <= True,
            'compare { column: "a" operator: COMPARISON_OPERATOR_LESS_OR_EQUAL value { boolean: true } }',
        ),
        (
            column("a") >= np.int32(2),
            'compare { column: "a" operator: COMPARISON_OPERATOR_GREATER_OR_EQUAL value { i64: 2 } }',
        ),
        (
            column("time") < datetime(1970, 1, 1, tzinfo=UTC),
            'compare { column: "time" operator: COMPARISON_OPERATOR_LESS value { timestamp_ns: 0 } }',
        ),
        (column("a").is_in(["x", 1]), 'in { column: "a" values { text: "x" } values { i64: 1 } }'),
        (~column("a").is_in([]), 'not { in { column: "a" } }'),
    ],
)
def test_conditions_read_like_python(condition: Condition, text: str) -> None:
    assert " ".join(str(condition.message).split()) == text


def test_chains_of_conditions_stay_flat() -> None:
    a, b, c = (column(name) == 1 for name in "abc")
    assert [part.compare.column for part in (a & b & c).message.all.filters] == ["a", "b", "c"]
    assert [part.compare.column for part in (a | b | c).message.any.filters] == ["a", "b", "c"]
    assert len(((a & b) | c).message.any.filters) == 2


def test_and_instead_of_ampersand_is_refused() -> None:
    with pytest.raises(TypeError, match="&"):
        bool((column("a") > 1) and (column("a") < 3))


def test_a_value_that_no_column_has_is_refused() -> None:
    for value in (None, [1], b"a", 2**63, "\ud800"):
        with pytest.raises(InvalidArgument):
            column("a") == value  # noqa: B015


def test_windows_have_a_positive_width() -> None:
    assert tumbling(timedelta(hours=1), minutes=30).message.tumbling.width.seconds == 5400
    assert tumbling(days=7).message.tumbling.width.seconds == 604_800
    assert whole().message.WhichOneof("kind") == "whole"
    with pytest.raises(InvalidArgument, match="width must be positive, got 0 s"):
        tumbling(seconds=0)


def test_windows_that_overlap_have_a_positive_width_and_step() -> None:
    window = hopping(timedelta(minutes=10), timedelta(minutes=1)).message.hopping
    assert (window.width.seconds, window.step.seconds) == (600, 60)
    for width, step, part in ((0, 1, "width"), (1, 0, "step")):
        with pytest.raises(InvalidArgument, match=f"{part} must be positive, got 0 s") as raised:
            hopping(timedelta(seconds=width), timedelta(seconds=step))
        assert (raised.value.reason, raised.value.field) == ("NOT_POSITIVE", f"window.hopping.{part}")


def test_sessions_have_a_positive_gap() -> None:
    assert session(timedelta(minutes=20), minutes=10).message.session.gap.seconds == 1800
    with pytest.raises(InvalidArgument, match="gap must be positive, got 0 s"):
        session()


def test_windows_of_a_calendar_have_a_unit_a_zone_and_beginnings() -> None:
    fiscal = calendar("quarter", "Europe/London", year_start_month=4).message.calendar
    assert (fiscal.unit, fiscal.time_zone) == (pb.CALENDAR_UNIT_QUARTER, "Europe/London")
    assert (fiscal.week_start, fiscal.year_start_month) == (1, 4)
    assert calendar("week", week_start=7).message.calendar.week_start == 7
    assert calendar("day").message.calendar.time_zone == "UTC"
    unknown: Any = "decade"
    with pytest.raises(InvalidArgument, match="a unit is one of hour, day, week, month, quarter, year, got decade"):
        calendar(unknown)


def test_measures_carry_what_they_are_of() -> None:
    assert weighted_mean("price", "volume").message().second_column == "volume"
    assert ratio("errors", "requests", "e").message() == pb.Measure(
        kind=pb.MEASURE_KIND_RATIO, column="errors", second_column="requests", name="e"
    )
    assert rank("delay", 100).message().threshold == share_below("delay", 100).message().threshold == 100
    assert moving("value", 5).message().count == 5
    assert formula("a / b", "c").message() == pb.Measure(kind=pb.MEASURE_KIND_FORMULA, formula="a / b", name="c")


def test_conditions_and_texts_must_all_hold() -> None:
    a, b = column("a") == 1, column("b") == 2
    assert specification("cpu", [count()], where=[a, b]) == specification("cpu", [count()], where=a & b)
    assert specification("cpu", [count()], where="x > 3").filter_text == "x > 3"
    both = specification("cpu", [count()], where=["x > 3", a, "y = 1 OR z = 2"])
    assert both.filter_text == "(x > 3) AND (y = 1 OR z = 2)"
    assert both.filter == a.message
    assert not specification("cpu", [count()], where=[]).HasField("filter")


def test_a_dictionary_is_the_json_of_the_contract() -> None:
    read = specification(
        {
            "stream": "cpu",
            "range": {"startNs": "5"},
            "window": {"tumbling": {"width": "60s"}},
            "measures": [{"kind": "MEASURE_KIND_RANK", "column": "value", "threshold": 3}],
            "group_by": [{"column": "host"}],
            "filterText": "value > 3",
        }
    )
    assert read == specification(
        "cpu", [rank("value", 3)], range=(5, None), window=tumbling(minutes=1), group_by="host", where="value > 3"
    )


@pytest.mark.parametrize(
    ("query", "field", "rule"),
    [
        ({"colum": 1}, "spec", 'has no field named "colum"'),
        ({"measures": [{"colum": 1}]}, "spec.measures[0]", 'has no field named "colum"'),
        ({"measures": [{"kind": "MEAN"}]}, "spec.measures[0].kind", "Invalid enum value MEAN"),
        ({"measures": {"kind": 1}}, "spec", "measures must be in"),
        ({"window": {"tumbling": {"width": "1m"}}}, "spec.window.tumbling.width", 'must end with letter "s"'),
        ({"window": 3}, "spec.window", "not iterable"),
        ({"limit": -1}, "spec.limit", "out of range"),
        ({"filter": {"compare": {"column": 3}}}, "spec.filter.column", "expected string"),
    ],
)
def test_a_dictionary_that_is_no_query_is_refused_by_field(query: dict[str, Any], field: str, rule: str) -> None:
    with pytest.raises(InvalidArgument, match=rule) as raised:
        specification(query)
    assert (raised.value.reason, raised.value.field) == ("QUERY_UNREADABLE", field)
    assert "Failed to parse" not in raised.value.message


def test_a_dictionary_may_have_what_keywords_have_a_default_for() -> None:
    read = specification({"stream": "cpu", "limit": "5", "topGroups": 3, "other": True, "fill": "FILL_ZERO"})
    assert (read.limit, read.top_groups, read.other, read.fill) == (5, 3, True, pb.FILL_ZERO)


def test_windows_without_rows_are_filled_by_a_word_or_a_number() -> None:
    assert specification("cpu", [count()], fill="linear").fill == pb.FILL_LINEAR
    constant = specification("cpu", [count()], fill=-1.5)
    assert (constant.fill, constant.fill_value) == (pb.FILL_CONSTANT, -1.5)
    assert specification("cpu", [count()], fill=0).fill == pb.FILL_CONSTANT
    assert specification("cpu", [count()]).fill == pb.FILL_UNSPECIFIED
    with pytest.raises(InvalidArgument, match="a number or one of null, previous, linear, zero, got mean"):
        specification("cpu", [count()], fill="mean")


def test_a_period_to_compare_with_is_one_of_three() -> None:
    assert specification("cpu", [count()], compare="year_ago").compare.period == pb.COMPARISON_PERIOD_YEAR_AGO
    with pytest.raises(InvalidArgument, match="one of previous, same_weekday, year_ago, got never"):
        specification("cpu", [count()], compare="never")


def test_rows_of_the_answer_are_kept_by_conditions_and_groups_by_their_rank() -> None:
    a, b = column("count") > 1, column("count") < 9
    spec = specification("cpu", [count()], having=[a, b], top_groups=3, other=True)
    assert spec.having == (a & b).message
    assert (spec.top_groups, spec.other) == (3, True)
    assert specification("cpu", [count()], having=a).having == a.message
    assert not specification("cpu", [count()]).HasField("having")


def test_a_dictionary_is_the_whole_query() -> None:
    more: Any
    for more in ({"measures": [count()]}, {"limit": 1}, {"where": "a"}, {"window": whole()}, {"group_by": "host"}):
        with pytest.raises(InvalidArgument, match="whole in it") as raised:
            specification({"stream": "cpu"}, **more)
        assert raised.value.reason == "QUERY_IN_TWO"


async def test_a_query_is_made_call_by_call(client: Client, server: FakeServer) -> None:
    server.will("Query", pb.QueryResponse(arrow=ipc(TABLE), provenance=made()))
    built = (
        client.query_of("cpu")
        .measure(mean("value"))
        .measure(count())
        .range("2013-01-01")
        .where(column("host") == "a")
        .where(column("value") > 3, "n = 1")
        .where("m = 2")
        .window(tumbling(days=1))
        .window(tumbling(minutes=1))
        .by("host")
        .by("core", "entity")
        .order_by(descending("mean_value"))
        .order_by(ascending("host"))
        .compare("previous")
        .fill("zero")
        .fill(1.5)
        .having(column("count") > 1)
        .having(column("count") < 9)
        .top(3, other=True)
        .top(2)
        .limit(9)
        .limit(5)
        .as_of(6)
        .as_of(7)
        .budget(Budget(max_rows=100))
    )
    assert built.spec == specification(
        "cpu",
        [mean("value"), count()],
        range=("2013-01-01", None),
        where=[column("host") == "a", column("value") > 3, "n = 1", "m = 2"],
        window=tumbling(minutes=1),
        group_by=["host", "core", "entity"],
        fill=1.5,
        compare="previous",
        having=[column("count") > 1, column("count") < 9],
        order_by=[descending("mean_value"), ascending("host")],
        top_groups=2,
        limit=5,
        as_of=7,
        budget=Budget(max_rows=100),
    )
    assert (await built.run()).equals(TABLE)
    assert server.sent("Query")[0].spec == built.spec


async def test_a_call_leaves_the_query_that_it_began_with_as_it_was(client: Client) -> None:
    beginning = client.query_of("cpu").measure(count()).by("host")
    one, other = beginning.limit(1), beginning.by("core")
    assert beginning.spec == specification("cpu", [count()], group_by="host")
    assert one.spec == specification("cpu", [count()], group_by="host", limit=1)
    assert other.spec == specification("cpu", [count()], group_by=["host", "core"])
    assert one.limit(0).spec == beginning.spec


def test_measures_and_orders_can_be_named() -> None:
    assert sum_("value", name="total").message() == pb.Measure(kind=pb.MEASURE_KIND_SUM, column="value", name="total")
    assert quantile("delay", 0.5).name == "p50_delay"
    assert quantile("delay", 0.999).name == "p99.9_delay"
    assert min_("value").message().kind == pb.MEASURE_KIND_MIN
    assert distinct("entity").message().column == "entity"
    assert ascending("a").message() == pb.OrderBy(column="a")


async def test_an_answer_is_a_table_that_knows_its_provenance(client: Client, server: FakeServer) -> None:
    server.will("Query", pb.QueryResponse(arrow=ipc(TABLE), provenance=made()))
    table = await client.query("cpu", measures=[mean("value")], group_by=["host"])
    assert table.to_pydict() == {"host": ["a", "b"], "mean_value": [1.5, 2.5]}
    how = provenance(table.select(["host"]).slice(1))
    assert (how.commit, how.watermark_ns, how.tier, how.rows_scanned, how.complete) == (7, 5, "raw", 10, True)
    assert how.measures[0].name == "mean_value"
    assert how.elapsed == timedelta(milliseconds=3)


async def test_an_answer_too_large_for_one_message_is_streamed(client: Client, server: FakeServer) -> None:
    server.will("Query", refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "4 MiB", "RESULT_TOO_LARGE"))
    whole_answer = ipc(TABLE)
    server.will(
        "StreamQuery",
        [
            pb.StreamQueryResponse(arrow=whole_answer[:37]),
            pb.StreamQueryResponse(arrow=whole_answer[37:]),
            pb.StreamQueryResponse(provenance=made()),
        ],
    )
    table = await client.query("cpu", measures=[mean("value")])
    assert table.equals(TABLE)
    assert provenance(table).commit == 7
    assert server.sent("Query")[0].spec == server.sent("StreamQuery")[0].spec


async def test_a_streamed_answer_is_asked_for_at_once_when_wanted(client: Client, server: FakeServer) -> None:
    server.will("StreamQuery", [pb.StreamQueryResponse(arrow=ipc(TABLE), provenance=made())])
    table = await client.query("cpu", measures=[mean("value")], stream_answer=True)
    assert table.num_rows == 2
    assert server.sent("Query") == []


async def test_a_streamed_answer_is_asked_for_again_from_the_start(
    client: Client, server: FakeServer, pauses: list[float]
) -> None:
    server.will(
        "StreamQuery",
        refusal(grpc.StatusCode.UNAVAILABLE, "queue", "QUERY_QUEUE_FULL", retry_s=1),
        [pb.StreamQueryResponse(arrow=ipc(TABLE), provenance=made())],
    )
    assert (await client.query("cpu", measures=[mean("value")], stream_answer=True)).num_rows == 2
    assert pauses == [1.0]


@pytest.mark.parametrize(("stream_answer", "reason"), [(False, "RESULT_TOO_LARGE"), ("auto", "TOO_MANY_GROUPS")])
async def test_other_limits_are_errors(client: Client, server: FakeServer, stream_answer: Any, reason: str) -> None:
    server.will("Query", refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "too much", reason))
    with pytest.raises(LimitExceeded) as raised:
        await client.query("cpu", measures=[mean("value")], stream_answer=stream_answer)
    assert raised.value.reason == reason
    assert server.sent("StreamQuery") == []
