"""Answers of VictoriaMetrics to short questions."""

import json

from bench.peers.victoria_cpu import Peer
from bench.shapes import SHAPES


def series(metric: str, values: list[tuple[float, str]]) -> dict[str, object]:
    return {"metric": {"__name__": f"data_{metric}"}, "values": values}


def test_a_window_that_ends_just_before_a_minute_began_a_minute_before_it() -> None:
    result = [series("usage_system", [(119.999, "7")]), series("usage_user", [(119.999, "93")])]
    answer = json.dumps({"data": {"result": result}}).encode()
    assert Peer()._told(SHAPES["single-groupby-5-1-1"], (answer, 60)) == [[60_000_000_000, 93, 7]]


def test_a_window_of_an_hour_is_an_hour_long() -> None:
    answer = json.dumps({"data": {"result": [series("usage_user", [(7199.999, "93")])]}}).encode()
    assert Peer()._told(SHAPES["cpu-max-all-1"], (answer, 3_600)) == [[3_600_000_000_000, 93]]
