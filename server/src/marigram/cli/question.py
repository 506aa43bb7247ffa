"""Measures and windows as people type them.

A measure is ``KIND[(PARAMETER)]:COLUMN[:SECOND][=NAME][ where FILTER]``, a key of groups a column,
``PART:COLUMN[@ZONE][=NAME]``, ``bin(WIDTH):COLUMN[=NAME]`` or ``capture(PATTERN):COLUMN[=NAME]``, a window a length,
two lengths, ``sliding:LENGTH``, ``session:LENGTH[/LENGTH]`` or ``UNIT[(FIRST)][@ZONE]``.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, cast, get_args

import marigram_client as mc
from marigram.cli import words
from marigram.cli.options import Period
from marigram.cli.words import duration, wrong
from marigram_client.groups import Group, Part
from marigram_client.measures import Measure
from marigram_client.queries import Fill
from marigram_client.windows import Unit, Window

_OF_ONE: dict[str, Callable[[str, str], Measure]] = {
    "count": mc.count,
    "sum": mc.sum_,
    "mean": mc.mean,
    "min": mc.min_,
    "max": mc.max_,
    "first": mc.first,
    "last": mc.last,
    "distinct": mc.distinct,
    "distinct_sketch": mc.distinct_sketch,
    "mode": mc.mode,
    "range": mc.range_,
    "variance": mc.variance,
    "standard_deviation": mc.standard_deviation,
    "rate": mc.rate,
    "increase": mc.increase,
    "delta": mc.delta,
    "derivative": mc.derivative,
    "time_weighted_mean": mc.time_weighted_mean,
    "share_of_total": mc.share_of_total,
    "cumulative": mc.cumulative,
    "histogram": lambda column, name: mc.histogram(column, name=name),
    "box": mc.box,
}
_OF_TWO = {"weighted_mean": mc.weighted_mean, "ratio": mc.ratio}
_WITH_THRESHOLD = {"rank": mc.rank, "share_below": mc.share_below}
_WITH_COUNT = {"moving": mc.moving, "top_k": mc.top_k}
_WITH_BOUNDS = {"histogram": mc.histogram, "cumulative_distribution": mc.cumulative_distribution}
_KINDS = ", ".join(
    [
        *_OF_ONE,
        "p0 to p100",
        *(f"{kind} with :SECOND" for kind in _OF_TWO),
        *(f"{kind}(THRESHOLD)" for kind in _WITH_THRESHOLD),
        "moving(WINDOWS)",
        "top_k(VALUES)",
        *(f"{kind}(BOUND,BOUND...)" for kind in _WITH_BOUNDS),
        "p0(kll) to p100(kll)",
    ]
)
_FILLS = ("null", "previous", "linear", "zero")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")
_MEASURE = re.compile(
    r"(?P<kind>[\w.]+)(?:\((?P<parameter>[^()]*)\))?(?::(?P<column>[^=]+))?(?:=(?P<name>.*))?", re.DOTALL
)
_KEY = re.compile(
    rf"(?:(?P<part>{'|'.join(get_args(Part))})|bin\((?P<width>[^()]*)\)|capture\((?P<pattern>.*)\))"
    r":(?P<column>[^:=@]+)(?:@(?P<zone>[^=]+))?(?:=(?P<name>.+))?",
    re.DOTALL,
)
_CALENDAR = re.compile(rf"(?P<unit>{'|'.join(get_args(Unit))})(?:\((?P<first>\d\d?)\))?(?:@(?P<zone>.+))?")


def asked(
    *,
    measures: Sequence[str] | None,
    formulas: Sequence[str] | None,
    group_by: Sequence[str] | None,
    cut: str | None,
    where: Sequence[str] | None,
    filter_text: str | None,
    since: str | None,
    until: str | None,
    fill_with: str | None,
    compare: Period | None,
    having: Sequence[str] | None,
    order_by: Sequence[str] | None,
    top: int,
    other: bool,
    limit: int,
    as_of: int,
) -> dict[str, Any]:
    """A question as the client takes it, by keyword."""
    return {
        "measures": [*map(measure, measures or ("count",)), *map(formula, formulas or ())],
        "group_by": [group(text) for text in group_by or ()],
        "window": None if cut is None else window(cut),
        "where": words.conditions(where, filter_text),
        "range": words.span(since, until),
        "fill": None if fill_with is None else fill(fill_with),
        "compare": None if compare is None else compare.value,
        "having": [words.condition(text, "having", "start") for text in having or ()],
        "order_by": [words.order(text) for text in order_by or ()],
        "top_groups": top,
        "other": other,
        "limit": limit,
        "as_of": as_of,
    }


def measure(text: str) -> Measure:
    """A measure from ``count``, ``mean:value``, ``p99:delay``, ``ratio:errors:requests``, ``rank(100):delay``,
    ``mean:value=average`` or ``count=errors where status >= 500``."""
    plain, where, condition = text.partition(" where ")
    match = _MEASURE.fullmatch(plain.rstrip())
    found = None
    if match is not None:
        found = _found(match["kind"], match["parameter"], match["column"] or "", match["name"] or "")
    if found is None or (where and not condition.strip()):
        grammar = "KIND[(PARAMETER)]:COLUMN[:SECOND][=NAME][ where FILTER]"
        raise wrong("measure", f"must be {grammar} with KIND one of {_KINDS}, got {text!r}")
    return found.where(condition.strip()) if where else found


def _found(kind: str, parameter: str | None, column: str, name: str) -> Measure | None:
    if parameter is not None:
        return _with_parameter(kind, parameter, column, name) if column else None
    percentile = _PERCENTILE.fullmatch(kind)
    if percentile and column:
        return mc.quantile(column, _share(percentile[1]), name)
    if kind in _OF_TWO:
        first, _, second = column.partition(":")
        return _OF_TWO[kind](first, second, name) if second else None
    return _OF_ONE[kind](column, name) if kind in _OF_ONE and (column or kind == "count") else None


def _with_parameter(kind: str, parameter: str, column: str, name: str) -> Measure | None:
    percentile = _PERCENTILE.fullmatch(kind)
    if percentile:
        return mc.quantile(column, _share(percentile[1]), name, sketch="kll") if parameter == "kll" else None
    if kind in _WITH_COUNT:
        return _WITH_COUNT[kind](column, int(parameter), name) if re.fullmatch(r"\d{1,9}", parameter) else None
    try:
        if kind in _WITH_BOUNDS:
            return _WITH_BOUNDS[kind](column, [float(bound) for bound in parameter.split(",")], name)
        return _WITH_THRESHOLD[kind](column, float(parameter), name) if kind in _WITH_THRESHOLD else None
    except ValueError:
        return None


def _share(percent: str) -> float:
    # p99.9 is 0.999, not what a division by 100 leaves.
    return round(float(percent) / 100, 12)


def formula(text: str) -> Measure:
    """A formula from ``percent=ratio_errors * 100``."""
    name, _, arithmetic = text.partition("=")
    if not (name.strip() and arithmetic.strip()):
        raise wrong("formula", f"must be NAME=TEXT with TEXT arithmetic on other measures, got {text!r}")
    return mc.formula(arithmetic.strip(), name.strip())


def window(text: str) -> Window:
    """A window from ``1m``, ``10m/1m`` (a width and a step), ``sliding:10m``, ``session:30m``, ``session:30m/8h``
    (a gap and the longest session), ``day``, ``week@Europe/Berlin`` or ``year(4)``."""
    calendar = _CALENDAR.fullmatch(text)
    if calendar is not None:
        return _calendar(cast("Unit", calendar["unit"]), calendar["first"], calendar["zone"] or "UTC")
    if text.startswith("session:"):
        gap, slash, longest = text.removeprefix("session:").partition("/")
        return mc.session(duration(gap, "window"), max_length=duration(longest, "window") if slash else None)
    if text.startswith("sliding:"):
        return mc.sliding(duration(text.removeprefix("sliding:"), "window"))
    if not text[:1].isdecimal():
        rule = (
            "must be LENGTH, WIDTH/STEP, sliding:WIDTH, session:GAP[/LONGEST] or UNIT[(FIRST)][@ZONE] with UNIT one of"
        )
        raise wrong("window", f"{rule} {', '.join(get_args(Unit))}, got {text!r}")
    width, slash, step = text.partition("/")
    if slash:
        return mc.hopping(duration(width, "window"), duration(step, "window"))
    return mc.tumbling(duration(width, "window"))


def group(text: str) -> str | Group:
    """A key of groups from ``host``, ``hour_of_day:time@Europe/Berlin``, ``bin(15):delay=late`` or
    ``capture(^/([^/]+)):path``."""
    match = _KEY.fullmatch(text)
    if match is None:
        return text
    column, zone, name = match["column"], match["zone"] or "", match["name"] or ""
    if match["part"]:
        return mc.time_part(cast("Part", match["part"]), column, time_zone=zone, name=name)
    if zone:
        raise wrong("group-by", f"must have a part of time before @ZONE, got {text!r}")
    if match["width"] is None:
        return mc.captured(column, match["pattern"], name)
    try:
        return mc.bins(column, float(match["width"]), name)
    except ValueError:
        raise wrong("group-by", f"must have a number as width of bins, got {text!r}") from None


def fill(text: str) -> Fill:
    """What windows without rows are filled with: a word, or a number."""
    if text in _FILLS:
        return cast("Fill", text)
    try:
        return float(text)
    except ValueError:
        raise wrong("fill", f"must be {', '.join(_FILLS)} or a number, got {text!r}") from None


def _calendar(unit: Unit, first: str | None, zone: str) -> Window:
    if first is None:
        return mc.calendar(unit, zone)
    if unit == "week":
        return mc.calendar(unit, zone, week_start=int(first))
    if unit in ("quarter", "year"):
        return mc.calendar(unit, zone, year_start_month=int(first))
    raise wrong("window", f"must be a week, quarter or year to have a first day or month, got {unit}({first})")
