"""What people type on the command line, and what it means."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from marigram.cli import words
from marigram_client import InvalidArgument, column
from marigram_client._pb.marigram.v1 import queries_pb2 as pb


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("value > 3", column("value") > 3),
        ("value>=3.5", column("value") >= 3.5),
        ("host == a b", column("host") == "a b"),
        ("host=a", column("host") == "a"),
        ("host != 'x'", column("host") != "x"),
        ('flight == "15"', column("flight") == "15"),
        ("up == true", column("up") == True),  # noqa: E712
        ("time < 2013-01-02", column("time") < datetime(2013, 1, 2, tzinfo=UTC)),
        ("carrier in UA, AA", column("carrier").is_in(["UA", "AA"])),
        ("n in 1,2", column("n").is_in([1, 2])),
        ("index <= -1", column("index") <= -1),
    ],
)
def test_a_condition_is_a_column_an_operator_and_a_value(text: str, expected: object) -> None:
    assert words.condition(text).message == expected.message  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["", "value", "value 3", "> 3"])
def test_a_condition_without_an_operator_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="where must be COLUMN OP VALUE"):
        words.condition(text)


def test_conditions_on_the_answer_have_its_time_and_their_own_option() -> None:
    read = words.condition("start >= 2013-01-02", "having", "start")
    assert read.message == (column("start") >= datetime(2013, 1, 2, tzinfo=UTC)).message
    assert words.condition("start == 2013-01-02").message.compare.value.text == "2013-01-02"
    with pytest.raises(InvalidArgument, match="having must be COLUMN OP VALUE"):
        words.condition("count", "having", "start")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2013-01-01", datetime(2013, 1, 1, tzinfo=UTC)),
        ("2013-01-01T12:00Z", datetime(2013, 1, 1, 12, tzinfo=UTC)),
        ("2013-01-01T12:00:00+02:00", datetime(2013, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_a_time_is_utc_unless_it_says_otherwise(text: str, expected: datetime) -> None:
    assert words.time(text) == expected


def test_a_time_keeps_its_nanoseconds() -> None:
    second = 1_356_998_400_000_000_000
    assert words.instant("2013-01-01T00:00:00.123456789Z") == second + 123_456_789
    finest = words.condition("time >= 2013-01-01T00:00:00.000000001Z")
    assert finest.message.compare.value.timestamp_ns == second + 1


def test_a_time_lies_where_64_bits_hold_its_nanoseconds() -> None:
    with pytest.raises(InvalidArgument, match="from must lie between 1677 and 2262, got '9999-01-01'"):
        words.instant("9999-01-01", "from")


def test_what_is_no_time_type_or_setting_is_refused() -> None:
    for read, text in (
        (words.time, "yesterday"),
        (lambda text: words.types([text]), "value=int32"),
        (lambda text: words.types([text]), "f64"),
        (words.setting, "port"),
        (words.stream_of, "-"),
    ):
        with pytest.raises(InvalidArgument):
            read(text)


def test_an_order_with_a_minus_is_descending() -> None:
    assert words.order("-mean_value").message() == pb.OrderBy(column="mean_value", descending=True)
    assert words.order("start").message() == pb.OrderBy(column="start")


@pytest.mark.parametrize(
    ("file", "stream"), [("data/weather.csv", "weather"), ("a b.csv.gz", "a_b"), ("x.parquet", "x")]
)
def test_a_stream_is_named_after_its_file(file: str, stream: str) -> None:
    assert words.stream_of(file) == stream


def test_types_and_settings_are_split_at_the_equals_sign() -> None:
    assert words.types(["a=b=text", "n=i64"]) == {"a=b": "text", "n": "i64"}
    assert words.setting("query-seconds=6=0") == ("query_seconds", "6=0")
