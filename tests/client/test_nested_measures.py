"""Measures of lists and structs, of rows of their own, and windows that rows make: what is asked of the server."""

from datetime import timedelta

import pytest

import marigram_client as mc
from marigram_client import InvalidArgument
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.queries import specification


def test_a_measure_carries_its_bounds_and_number() -> None:
    asked = mc.histogram("delay", [0, 15.5]).message()
    assert (asked.kind, list(asked.bounds)) == (pb.MEASURE_KIND_HISTOGRAM, [0, 15.5])
    assert not mc.histogram("delay").message().bounds
    assert list(mc.cumulative_distribution("delay", (1, 2)).message().bounds) == [1, 2]
    assert mc.top_k("carrier", 7).message().count == 7
    assert mc.box("delay", "spread").message() == pb.Measure(kind=pb.MEASURE_KIND_BOX, column="delay", name="spread")


def test_a_quantile_says_its_sketch_if_it_is_not_the_usual_one() -> None:
    assert mc.quantile("delay", 0.5).message().sketch == pb.QUANTILE_SKETCH_UNSPECIFIED
    assert mc.quantile("delay", 0.5, sketch="kll").message().sketch == pb.QUANTILE_SKETCH_KLL
    with pytest.raises(InvalidArgument, match="a sketch is one of exponential, kll, got tdigest"):
        mc.quantile("delay", 0.5, sketch="tdigest")  # type: ignore[arg-type]


def test_all_that_a_measure_takes_rows_by_must_hold() -> None:
    late, far = mc.column("delay") > 15, mc.column("distance") > 1_000
    asked = mc.count().where(late, "origin = JFK").where(far, "carrier = UA").message()
    assert asked.filter == (late & far).message
    assert asked.filter_text == "(origin = JFK) AND (carrier = UA)"
    assert mc.count().where("a = 1").message().filter_text == "a = 1"
    assert not mc.count().where(late).message().filter_text
    assert not mc.count().message().HasField("filter")


def test_a_dictionary_may_have_them_all() -> None:
    query = {
        "stream": "flights",
        "measures": [
            {"kind": "MEASURE_KIND_TOP_K", "column": "carrier", "count": 3, "filterText": "delay > 15"},
            {"kind": "MEASURE_KIND_QUANTILE", "column": "delay", "quantile": 0.5, "sketch": "QUANTILE_SKETCH_KLL"},
        ],
        "window": {"sliding": {"width": "600s"}},
    }
    top = mc.top_k("carrier", 3).where("delay > 15")
    middle = mc.Measure(pb.MEASURE_KIND_QUANTILE, "delay", q=0.5, sketch=pb.QUANTILE_SKETCH_KLL)
    assert specification(query) == specification("flights", [top, middle], window=mc.sliding(minutes=10))


def test_windows_that_rows_make_have_positive_lengths() -> None:
    assert mc.sliding(timedelta(minutes=5), hours=1).message.sliding.width.seconds == 3_900
    cut = mc.session(minutes=30, max_length=timedelta(hours=8)).message.session
    assert (cut.gap.seconds, cut.max_length.seconds) == (1_800, 28_800)
    assert not mc.session(minutes=30).message.session.HasField("max_length")
    with pytest.raises(InvalidArgument, match="width must be positive, got 0 s"):
        mc.sliding()
    with pytest.raises(InvalidArgument, match="max_length must be positive, got 0 s"):
        mc.session(minutes=1, max_length=timedelta())
