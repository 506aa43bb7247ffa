"""What is measured at start-up."""

from bench import demo_rows
from bench.cases.startup import Import


def test_an_import_of_pyarrow_is_told() -> None:
    assert Import("pyarrow", "pass", without_arrow=True).round().wrong == ["pyarrow was imported"]


def test_an_import_without_it_is_timed_and_well() -> None:
    measured = Import("json", "json.dumps([])", without_arrow=True).round()
    assert measured.wrong == []
    assert measured.value >= measured.also["import_ms"] >= 0.0


def test_generated_rows_stand_for_the_real_ones() -> None:
    flights, weather = demo_rows.generated()
    assert (len(flights), len(weather)) == (336_776, 26_115)
    assert {"time", "event", "user", "origin", "dep_delay"} <= set(flights.column_names)
    assert flights["time"].type == weather["time"].type
    assert flights.equals(demo_rows.generated()[0])
