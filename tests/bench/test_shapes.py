"""Questions of the query engine, as each side gets them."""

import re

import numpy as np
import pyarrow as pa
import pytest

from bench.cpu import METRICS, START_NS
from bench.questions import HOUR_NS, MINUTE_NS
from bench.shapes import SHAPES, Asked, Shape, events, points, tsbs
from bench.shapes.answers import told
from bench.tables import DataSet, cpu_set, points_set, visits_set
from marigram_client._pb.marigram.v1 import queries_pb2

SETS: dict[str, DataSet] = {"cpu": cpu_set(50, 3), "visits": visits_set(2_000, 100), "points": points_set(3_000)}
ALL = pytest.mark.parametrize("shape", SHAPES.values(), ids=lambda shape: shape.name)


def test_no_two_shapes_have_the_same_name() -> None:
    several = {shape.name: shape for shape in events.CLICKBENCH}  # one of them is among the keys too
    lists = [*tsbs.SHAPES, *points.SHAPES, *events.PERCENTILES, *events.KEYS, events.DISTINCT_DAYS]
    assert len(SHAPES) == len(lists) + len(several) - 1


@ALL
def test_everybody_is_asked_the_same_in_every_run(shape: Shape) -> None:
    data = SETS[shape.data]
    assert shape.asked(5, data) == shape.asked(5, data)
    assert shape.asked(3, data) == shape.asked(5, data)[:3]


@ALL
def test_a_statement_has_nothing_left_to_fill_in(shape: Shape) -> None:
    for asked in shape.asked(3, SETS[shape.data]):
        for dialect in ("duckdb", "chdb"):
            statement = shape.statement(dialect, "data", asked)
            assert "{" not in statement
            assert "FROM data" in statement


@ALL
def test_our_query_has_as_many_columns_as_theirs(shape: Shape) -> None:
    asked = shape.asked(1, SETS[shape.data])[0]
    spec = shape.spec(asked)
    ours = spec.HasField("window") + len(spec.group_by) + len(spec.measures)
    selected = re.sub(r"\([^()]*\)", "", shape.statement("duckdb", "data", asked).split(" FROM ")[0])
    found = re.sub(r"\[[^\]]*\]", "", selected).count(",") + 1
    quantiles = len(events.QUANTILES) - 1 if shape in events.PERCENTILES else 0  # a list in theirs
    assert ours == found + quantiles


def test_hosts_and_times_are_within_the_set_and_windows_are_whole() -> None:
    shape = SHAPES["single-groupby-5-8-1"]
    for asked in shape.asked(50, SETS["cpu"]):
        assert len(set(asked.keys)) == 8
        assert max(asked.keys) < 50
        assert asked.end_ns - asked.start_ns == HOUR_NS
        assert (asked.start_ns - START_NS) % MINUTE_NS == 0
        assert asked.start_ns >= START_NS
        assert asked.end_ns <= START_NS + 3 * HOUR_NS
    assert len({asked.start_ns for asked in shape.asked(50, SETS["cpu"])}) > 10


def test_a_range_longer_than_the_set_is_the_set() -> None:
    [asked] = SHAPES["single-groupby-1-1-12"].asked(1, SETS["cpu"])
    assert (asked.start_ns, asked.end_ns) == (START_NS, START_NS + 3 * HOUR_NS)


def test_one_host_is_compared_and_eight_are_a_set() -> None:
    assert tsbs.hosts_filter((3,)).compare.value.text == "host-0003"
    several = tsbs.hosts_filter((3, 7))
    assert several.WhichOneof("condition") == "in"
    values = getattr(several, "in").values
    assert [value.text for value in values] == ["host-0003", "host-0007"]


def test_high_cpu_of_all_hosts_has_no_condition_on_hosts() -> None:
    spec = SHAPES["high-cpu-all"].spec(Asked())
    assert spec.filter.WhichOneof("condition") == "compare"
    assert spec.filter.compare.value.i64 == 90
    of_one = SHAPES["high-cpu-1"].spec(Asked((3,), 0, 10))
    assert [one.compare.column for one in of_one.filter.all.filters] == ["host", "usage_user"]


def test_double_groupby_of_all_is_ten_means_by_host_and_hour() -> None:
    spec = SHAPES["double-groupby-all"].spec(Asked())
    assert [measure.column for measure in spec.measures] == list(METRICS)
    assert {measure.kind for measure in spec.measures} == {queries_pb2.MEASURE_KIND_MEAN}
    assert spec.window.tumbling.width.ToSeconds() == 3_600


def test_ties_of_a_top_ten_are_settled_by_the_key() -> None:
    spec = SHAPES["top-items"].spec(Asked())
    assert [(order.column, order.descending) for order in spec.order_by] == [("rows", True), ("item", False)]
    assert spec.limit == 10


def test_a_window_tells_its_start_and_a_name_its_code() -> None:
    ours = pa.table(
        {
            "start": pa.array([60_000_000_000], pa.timestamp("ns", "UTC")),
            "end": pa.array([120_000_000_000], pa.timestamp("ns", "UTC")),
            "host": ["host-0042"],
            "mean": [1.5],
        }
    )
    theirs = pa.table({"start": np.array([60], np.uint32), "host": [42], "avg": [1.5]})
    assert told(ours) == told(theirs) == [[60_000_000_000, 42, 1.5]]


def test_a_dictionary_of_names_tells_codes() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.int32()), ["item-0000007", "item-0000009"])
    assert told(pa.table({"item": column, "rows": [5, 4]})) == [[9, 5], [7, 4]]
