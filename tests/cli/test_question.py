"""Measures and windows that people type, and what they mean."""

from datetime import timedelta

import pytest

import marigram_client as mc
from marigram.cli import question
from marigram_client import InvalidArgument
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.measures import Measure
from marigram_client.windows import Window


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count", mc.count()),
        ("count:delay", mc.count("delay")),
        ("count=rows", mc.count(name="rows")),
        ("sum:value", mc.sum_("value")),
        ("mean:value", mc.mean("value")),
        ("mean:value=average", mc.mean("value", name="average")),
        ("mean:a:b", mc.mean("a:b")),
        ("min:value", mc.min_("value")),
        ("max:value", mc.max_("value")),
        ("first:value", mc.first("value")),
        ("last:value", mc.last("value")),
        ("distinct:entity", mc.distinct("entity")),
        ("distinct_sketch:entity", mc.distinct_sketch("entity")),
        ("mode:carrier", mc.mode("carrier")),
        ("range:value", mc.range_("value")),
        ("variance:value", mc.variance("value")),
        ("standard_deviation:value=spread", mc.standard_deviation("value", "spread")),
        ("rate:requests", mc.rate("requests")),
        ("increase:requests", mc.increase("requests")),
        ("delta:level", mc.delta("level")),
        ("derivative:level", mc.derivative("level")),
        ("time_weighted_mean:level", mc.time_weighted_mean("level")),
        ("share_of_total:sales", mc.share_of_total("sales")),
        ("cumulative:sales", mc.cumulative("sales")),
        ("weighted_mean:price:volume", mc.weighted_mean("price", "volume")),
        ("ratio:errors:requests=error_rate", mc.ratio("errors", "requests", "error_rate")),
        ("ratio:errors:http:requests", mc.ratio("errors", "http:requests")),
        ("rank(100):latency", mc.rank("latency", 100)),
        ("share_below(-2.5e-3):latency=fast", mc.share_below("latency", -0.0025, "fast")),
        ("moving(5):value", mc.moving("value", 5)),
        ("top_k(10):carrier=often", mc.top_k("carrier", 10, "often")),
        ("histogram:delay", mc.histogram("delay")),
        ("histogram(-5,0,1e3):delay", mc.histogram("delay", [-5, 0, 1_000])),
        ("cumulative_distribution(0,15):delay=on_time", mc.cumulative_distribution("delay", [0, 15], "on_time")),
        ("box:delay", mc.box("delay")),
        ("p99(kll):delay", mc.quantile("delay", 0.99, sketch="kll")),
        ("count=errors where status >= 500", mc.count(name="errors").where("status >= 500")),
        ("mean:a where b:x where c", mc.mean("a").where("b:x where c")),
    ],
)
def test_a_measure_is_its_kind_parameter_columns_and_name(text: str, expected: Measure) -> None:
    assert question.measure(text) == expected


@pytest.mark.parametrize(
    ("text", "q", "name"),
    [("p99:delay", 0.99, "p99_delay"), ("p99.9:delay=slow", 0.999, "slow"), ("p100:delay", 1.0, "p100_delay")],
)
def test_a_quantile_is_a_percentile(text: str, q: float, name: str) -> None:
    read = question.measure(text)
    assert (read.kind, read.column, read.name) == (pb.MEASURE_KIND_QUANTILE, "delay", name)
    assert read.q == pytest.approx(q)


@pytest.mark.parametrize(
    "text",
    [
        "", "mean", "median:value", "p101:value", "p99", "=x", "mean(3):value", "count(3)", "ratio:errors",
        "ratio:errors:", "rank:latency", "rank():latency", "rank(fast):latency", "rank(1)", "moving(1.5):value",
        "moving(-1):value", "moving(9999999999):value", "rank(1:latency", "top_k:a", "top_k(1.5):a", "histogram():a",
        "histogram(1,x):a", "p99(ddsketch):a", "count where ", " where a = 1", "box(1):a", "cumulative_distribution:a",
    ],
)  # fmt: skip
def test_a_measure_that_is_none_is_refused_with_the_option_and_its_rule(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"measure must be KIND\[\(PARAMETER\)\]:COLUMN.*moving") as raised:
        question.measure(text)
    assert raised.value.field == "measure"


def test_every_kind_that_is_served_can_be_typed() -> None:
    typed = {function("a", "b").kind for function in (*question._OF_ONE.values(), *question._OF_TWO.values())}
    typed |= {function("a", 1).kind for function in question._WITH_THRESHOLD.values()}
    typed |= {function("a", 1).kind for function in question._WITH_COUNT.values()}
    typed |= {function("a", [1]).kind for function in question._WITH_BOUNDS.values()}
    typed |= {question.measure("p50:a").kind, question.formula("a=1").kind}
    assert typed == set(pb.MeasureKind.values()) - {pb.MEASURE_KIND_UNSPECIFIED}


def test_a_formula_is_a_name_and_arithmetic() -> None:
    assert question.formula("percent = errors / requests * 100") == mc.formula("errors / requests * 100", "percent")
    for text in ("", "errors / requests", "=1", "a="):
        with pytest.raises(InvalidArgument, match="formula must be NAME=TEXT"):
            question.formula(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", mc.tumbling(timedelta(milliseconds=250))),
        ("30s", mc.tumbling(seconds=30)),
        ("1m", mc.tumbling(minutes=1)),
        ("1.5h", mc.tumbling(hours=1.5)),
        ("7d", mc.tumbling(days=7)),
        ("1w", mc.tumbling(weeks=1)),
        ("10m/1m", mc.hopping(timedelta(minutes=10), timedelta(minutes=1))),
        ("session:30m", mc.session(minutes=30)),
        ("session:30m/8h", mc.session(minutes=30, max_length=timedelta(hours=8))),
        ("sliding:10m", mc.sliding(minutes=10)),
        ("hour@Asia/Kolkata", mc.calendar("hour", "Asia/Kolkata")),
        ("day", mc.calendar("day")),
        ("week@Europe/Berlin", mc.calendar("week", "Europe/Berlin")),
        ("week(7)", mc.calendar("week", week_start=7)),
        ("month", mc.calendar("month")),
        ("quarter", mc.calendar("quarter")),
        ("year(4)@Europe/London", mc.calendar("year", "Europe/London", year_start_month=4)),
    ],
)
def test_a_window_is_a_length_two_lengths_a_session_or_of_a_calendar(text: str, expected: Window) -> None:
    assert question.window(text) == expected
    assert question.window(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "must be LENGTH, WIDTH/STEP, sliding:WIDTH, session:GAP"),
        ("m", "must be LENGTH, WIDTH/STEP"),
        ("-1m", "must be LENGTH, WIDTH/STEP"),
        ("decade", "UNIT one of hour, day, week, month, quarter, year, got 'decade'"),
        ("day(2)", "must be a week, quarter or year"),
        ("1", "must be a number and one of"),
        ("1y", "must be a number and one of"),
        ("10m/", "must be a number and one of"),
        ("session:", "must be a number and one of"),
        ("0s", "width must be positive"),
        ("10m/0s", "step must be positive"),
        ("session:0s", "gap must be positive"),
        ("session:1s/0s", "max_length must be positive"),
        ("session:1s/", "must be a number and one of"),
        ("sliding:0s", "width must be positive"),
    ],
)
def test_a_window_that_is_none_is_refused_with_the_option_and_its_rule(text: str, rule: str) -> None:
    with pytest.raises(InvalidArgument, match=rule) as raised:
        question.window(text)
    assert raised.value.field.startswith("window")


def test_windows_without_rows_are_filled_with_a_word_or_a_number() -> None:
    assert [question.fill(text) for text in ("previous", "zero", "-1.5")] == ["previous", "zero", -1.5]
    with pytest.raises(InvalidArgument, match="fill must be null, previous, linear, zero or a number, got 'mean'"):
        question.fill("mean")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hour_of_day:time@Europe/Berlin", mc.time_part("hour_of_day", time_zone="Europe/Berlin")),
        ("month:born=birthday", mc.time_part("month", "born", name="birthday")),
        ("bin(15):delay", mc.bins("delay", 15)),
        ("bin(0.5):delay=late", mc.bins("delay", 0.5, "late")),
        ("capture(^/([^/]+)):path", mc.captured("path", "^/([^/]+)")),
        ("capture(a=(b)):path=section", mc.captured("path", "a=(b)", "section")),
    ],
)
def test_a_key_is_what_it_is_made_of_its_column_and_name(text: str, expected: mc.Group) -> None:
    assert question.group(text) == expected


@pytest.mark.parametrize("text", ["host", "month", "hour_of_day", "bin", "a:b", "other(1):x"])
def test_what_is_made_of_nothing_is_a_column(text: str) -> None:
    assert question.group(text) == text


@pytest.mark.parametrize(
    "text", ["bin(x):delay", "bin():delay", "bin(1):delay@UTC", "capture((a)):path@UTC", "bin(-1):d"]
)
def test_a_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(mc.InvalidArgument):
        question.group(text)
