"""What people type into the explorer is what `marigram query` takes, and what is copied is what was asked."""

import shlex
from datetime import timedelta

import pytest

import marigram_client as mc
from marigram.cli import question
from marigram_client import InvalidArgument, measures
from marigram_tui.explore import choices, copying, form, grammar, kinds
from marigram_tui.explore.calls import Call, written
from marigram_tui.explore.form import Form
from marigram_tui.explore.grammar import Unreadable
from marigram_tui.explore.kinds import MeasureKind, Part

KINDS = kinds.of(measures)
EDGE_NS = 1_772_366_400 * 10**9
"""2026-03-01 12:00."""


def made(call: Call) -> object:
    """What the client's function makes of a call."""
    found = getattr(mc, call.function)(*call.arguments, **dict(call.named))
    return found.where(call.where) if call.where else found


def typed(kind: MeasureKind) -> list[str]:
    """Measures of this kind as they are typed."""
    return [":".join([choice.text, "a", "b"][: 1 + kind.columns]) for choice in choices.measures([kind])]


def test_every_function_of_the_client_that_makes_a_measure_is_a_kind() -> None:
    own = {name for name in mc.__all__ if getattr(measures, name, None) is getattr(mc, name)}
    functions = {name for name in own if getattr(mc, name).__module__ == measures.__name__} - {"Measure"}
    assert {kind.function for kind in KINDS} == functions


def test_what_a_kind_takes_is_read_from_its_function() -> None:
    found = {kind.word: kind for kind in KINDS}
    assert found["ratio"].parts == (Part.COLUMN, Part.COLUMN)
    assert found["rank"].parts == (Part.COLUMN, Part.NUMBER)
    assert found["moving"].number is Part.WHOLE
    assert (found["count"].needs_column, found["mean"].needs_column) == (False, True)
    assert found["mean"].about == "Arithmetic mean."


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.is_formula], ids=lambda kind: kind.word)
def test_a_measure_means_what_it_means_to_the_command_line(kind: MeasureKind) -> None:
    for text in typed(kind):
        call, _ = grammar.measure(text, KINDS)
        assert made(call) == question.measure(text)


@pytest.mark.parametrize(
    "text", ["count=rows", "count:delay", "mean:a:b", "mean:value=average", "p99.9:delay=slow", "p100:delay",
             "ratio:errors:http:requests", "share_below(-2.5e-3):latency=fast", "mean:a=b=c", "p50(kll):delay=half",
             "histogram(-1,2.5):delay", "count=errors where status >= 500 AND x = 'where'", "top_k(3):user"],
)  # fmt: skip
def test_parameters_columns_and_names_are_read_as_the_command_line_reads_them(text: str) -> None:
    ours, theirs = made(grammar.measure(text, KINDS)[0]), question.measure(text)
    assert ours == theirs


@pytest.mark.parametrize(
    "text",
    ["mean", "median:value", "p101:value", "p99", "=x", "x=", "mean(3):value", "count(3)", "ratio:errors",
     "rank:latency", "ratio:errors:", "rank():latency", "rank(fast):latency", "rank(1)", "moving(1.5):value",
     "p95(3):value", "quantile:a", "formula:a", "cumulative_distribution:a", "histogram(1;2):a", "histogram():a",
     "mean(kll):a", "count where ", "count where", "moving(-1):a", "moving(1_0):a", "top_k(99999999999):a"],
)  # fmt: skip
def test_a_measure_that_is_none_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(Unreadable, match=r"must be KIND.*share_below") as raised:
        grammar.measure(text, KINDS)
    assert raised.value.field == "measures"


def test_a_formula_is_a_name_and_arithmetic() -> None:
    call, name = grammar.measure("percent = ratio_a * (100 - 1)", KINDS)
    assert (made(call), name) == (mc.formula("ratio_a * (100 - 1)", "percent"), "percent")


@pytest.mark.parametrize(
    "text",
    ["1m", "250ms", "1.5h", "7d", "2w", "10m/1m", "session:30m", "hour", "day@Europe/Berlin", "week(7)",
     "quarter(4)", "year(4)@Europe/London", "sliding:10m", "session:30m/8h"],
)  # fmt: skip
def test_a_window_means_what_it_means_to_the_command_line(text: str) -> None:
    call = grammar.window(text)
    assert call is not None
    assert made(call) == question.window(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [("host", "host"), ("a:b", "a:b"), ("hour_of_day:time@Europe/Berlin", "hour_of_day"), ("month:seen", "month_seen"),
     ("month:seen=m", "m"), ("bin(2.5):delay", "bin_delay"), ("bin(2.5):delay=late", "late"),
     ("capture(^/([^/]+)):path", "capture_path")],
)  # fmt: skip
def test_a_key_of_groups_means_what_it_means_to_the_command_line(text: str, name: str) -> None:
    key, found = grammar.key(text)
    theirs = question.group(text)
    assert (key if isinstance(key, str) else made(key)) == theirs
    assert found == name


@pytest.mark.parametrize("text", ["bin(x):delay", "bin(0):delay", "capture():path", "bin(1):delay@Europe/Berlin"])
def test_a_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Unreadable) as raised:
        grammar.key(text)
    assert raised.value.field == "group"
    with pytest.raises(InvalidArgument):
        question.group(text)


@pytest.mark.parametrize(
    "text",
    [
        "0s",
        "day(3)",
        "fortnight",
        "1h/",
        "1x",
        "session:",
        "sliding:",
        "session:1m/",
        "999999999w",
        "session:1m/999999999w",
        "@Europe/Berlin",
        "10m/0s",
    ],
)
def test_a_window_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Unreadable) as raised:
        grammar.window(text)
    assert raised.value.field == "window"
    with pytest.raises(InvalidArgument):
        question.window(text)


@pytest.mark.parametrize(
    ("text", "last", "start", "end"),
    [
        ("15m", timedelta(minutes=15), None, None),
        ("last 7d", timedelta(days=7), None, None),
        ("all", None, None, None),
        ("", None, None, None),
        ("2013-01-01 .. 2013-02-01T12:00Z", None, "2013-01-01", "2013-02-01T12:00Z"),
        ("2013-01-01..", None, "2013-01-01", None),
        (".. 2013-01-01", None, None, "2013-01-01"),
    ],
)
def test_a_range_is_a_length_or_two_instants(
    text: str, last: timedelta | None, start: str | None, end: str | None
) -> None:
    assert grammar.span(text) == grammar.Range(last, start, end)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("range", "999999999w"),
        ("range", "yesterday"), ("range", "0s"), ("range", "noon .. "), ("fill", "nothing"), ("compare", "yesterday"),
        ("top", "five"), ("top", "5 others"), ("measures", " , "), ("stream", " "),
    ],
)  # fmt: skip
def test_a_field_that_means_nothing_is_named(field: str, text: str) -> None:
    with pytest.raises(Unreadable) as raised:
        form.read(Form(**({"stream": "flights"} | {field: text})), KINDS)
    assert raised.value.field == field


def test_commas_separate_and_quotes_keep_them() -> None:
    assert grammar.items(' mean:a ,"mean:b,c", ') == ["mean:a", "mean:b,c"]
    assert grammar.items("histogram(1,2):a, count") == ["histogram(1,2):a", "count"]
    for name in ("a,b", 'a"b', '"', " a", "a\nb", "plain"):
        assert grammar.items(grammar.joined("count, ", name)) == ["count", name]


def test_the_last_hours_begin_where_a_window_does() -> None:
    query = form.read(Form(stream="flights", range="1d", window="1h"), KINDS)
    start, end = query.bounds(EDGE_NS + 90 * 10**9)
    assert (start, end) == (EDGE_NS - 86_400 * 10**9, EDGE_NS + 90 * 10**9 + 1)


def test_nothing_is_asked_for_from_before_time() -> None:
    with pytest.raises(Unreadable, match="before 1677"):
        form.read(Form(stream="flights", range="200000w"), KINDS).bounds(EDGE_NS)


def test_nothing_is_the_last_of_a_stream_without_rows() -> None:
    with pytest.raises(Unreadable, match="no rows yet"):
        form.read(Form(stream="flights"), KINDS).bounds(None)


def test_top_groups_are_ordered_by_the_first_measure_unless_something_else_is_said() -> None:
    asked = Form(stream="flights", measures="p95:delay, count", group="carrier", top="5 other")
    query = form.read(asked, KINDS)
    assert (query.top, query.other, query.order) == (5, True, ("-p95_delay",))


FULL = Form(
    stream="it's", range="2026-01-01 .. 2026-02-01",
    measures="p95:delay where late, ratio:a:b=share, percent=share * 100", group="carrier, bin(5):delay",
    window="1h/5m", filter="origin = 'JFK' AND delay > -5", fill="0", order="-count, start", top="5 other",
)  # fmt: skip


def test_the_command_is_one_that_a_shell_reads_back() -> None:
    query = form.read(FULL, KINDS)
    words = shlex.split(copying.shell(query, query.bounds(None)).replace("\\\n", ""))
    assert words == [
        "marigram", "query", "it's", "--measure", "p95:delay where late", "--measure", "ratio:a:b=share", "--formula",
        "percent=share * 100", "--group-by", "carrier", "--group-by", "bin(5):delay", "--window", "1h/5m", "--filter",
        "origin = 'JFK' AND delay > -5", "--from", "2026-01-01", "--to", "2026-02-01", "--fill", "0.0",
        "--order-by=-count", "--order-by", "start", "--top", "5", "--other",
    ]  # fmt: skip


def test_the_python_is_a_program_and_asks_the_same() -> None:
    query = form.read(FULL, KINDS)
    source = copying.python(query, query.bounds(None))
    compile(source, "query", "exec")
    assert 'group_by=["carrier", bins("delay", 5.0)]' in source
    assert (
        'quantile("delay", 0.95).where("late"), ratio("a", "b", name="share"), formula("share * 100", "percent")'
        in source
    )
    assert "window=hopping(timedelta(hours=1), timedelta(minutes=5))" in source
    assert source.startswith("from datetime import timedelta\n\nfrom marigram_client import Client, ")


def test_instants_are_written_to_the_nanosecond() -> None:
    query = form.read(Form(stream="flights", window="", range="1h"), KINDS)
    text = copying.shell(query, query.bounds(EDGE_NS))
    assert "--from 2026-03-01T11:00:00Z" in text
    assert "--to 2026-03-01T12:00:00.000000001Z" in text


@pytest.mark.parametrize("text", ["plain", "it's", 'a "b"', "\x1b[2J", "\u202e", "\\", "", "\"'"])
def test_texts_are_written_so_that_python_reads_them_back_and_a_terminal_obeys_none(text: str) -> None:
    source = written(text)
    assert eval(source) == text
    assert source.isprintable()


def test_the_order_offers_the_columns_of_the_answer() -> None:
    offered = choices.orders("p95:delay, nonsense", "carrier", "1h", KINDS)
    assert [choice.text for choice in offered] == ["start", "-p95_delay", "p95_delay", "carrier"]


@pytest.mark.parametrize("field", ["window", "range", "fill", "compare", "top"])
def test_every_choice_of_a_field_can_be_read(field: str) -> None:
    for choice in choices.fixed(field):
        form.read(Form(**({"stream": "flights"} | {field: choice.text})), KINDS)
