"""The large questions, encoded."""

import pytest

from bench import specs
from bench.cpu import METRICS
from bench.questions import hours
from bench.tables import Name
from marigram_client._pb.marigram.v1 import queries_pb2


def read(request: bytes) -> queries_pb2.QuerySpec:
    return queries_pb2.QueryRequest.FromString(request).spec


def test_the_newest_of_each_host_is_ten_measures_by_host() -> None:
    spec = read(specs.request("lastpoint", "cpu", "cpu"))
    assert [measure.name for measure in spec.measures] == list(METRICS)
    assert {measure.kind for measure in spec.measures} == {queries_pb2.MEASURE_KIND_LAST}
    assert [key.column for key in spec.group_by] == ["host"]


@pytest.mark.parametrize(("data", "key"), [("points", "host"), ("cpu", "host"), ("events", "event")])
def test_a_check_is_by_key_and_begins_with_rows(data: Name, key: str) -> None:
    spec = read(specs.request("check", data, data))
    assert spec.stream == data
    assert [group.column for group in spec.group_by] == [key]
    assert spec.measures[0].name == "rows"


def test_an_hour_is_asked_of_the_stream_that_is_named() -> None:
    [asked] = hours(1, 8_000_000)
    spec = read(specs.request("hour", "points", "warm", asked))
    assert spec.stream == "warm"
    assert (spec.range.start_ns, spec.range.end_ns) == (asked.start_ns, asked.end_ns)


def test_footers_are_left_out_if_the_contract_can_say_so() -> None:
    with_them = specs.request("sum", "points", "points")
    without = specs.request("sum", "points", "points", footers=False)
    assert with_them != without
