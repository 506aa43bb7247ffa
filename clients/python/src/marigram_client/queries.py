"""Queries, as callers say them and as the contract has them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any, Literal

from marigram_client import groups, times
from marigram_client._pb.marigram.v1 import common_pb2
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.errors import InvalidArgument
from marigram_client.filters import Condition
from marigram_client.groups import Group
from marigram_client.measures import Measure
from marigram_client.orders import Order
from marigram_client.windows import Window

if TYPE_CHECKING:
    Range = tuple[times.Time | None, times.Time | None]
    """Half-open ``[start, end)``; None is open."""

_STEP = re.compile(r"Failed to parse (\S+) field: ")
_PLACE = re.compile(r' at "?QuerySpec(?P<path>[\w.\[\]]*?)[".]*(?=\s|$)')

Where = Condition | str
"""Rows to take: a condition, or text that the server reads."""

Fill = Literal["null", "previous", "linear", "zero"] | float
"""What stands in windows without rows; a number is that number."""
_FILLS = {"null": pb.FILL_NULL, "previous": pb.FILL_PREVIOUS, "linear": pb.FILL_LINEAR, "zero": pb.FILL_ZERO}

Period = Literal["previous", "same_weekday", "year_ago"]
"""What to compare with: the range of the same length just before, the same weekday a week before, the same dates a year
before."""
_PERIODS = {
    "previous": pb.COMPARISON_PERIOD_PREVIOUS,
    "same_weekday": pb.COMPARISON_PERIOD_SAME_WEEKDAY,
    "year_ago": pb.COMPARISON_PERIOD_YEAR_AGO,
}


@dataclass(frozen=True, slots=True)
class Budget:
    """What a query may cost; 0 is the server's limit. A breach raises LimitExceeded with a reason of its own."""

    max_rows: int = 0
    max_groups: int = 0
    max_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Hints:
    """How to go about a query, to measure what its parts are worth; the answer is the same.

    Attributes:
        no_footers: read the rows, not what is kept beside them of sums, extremes and texts.
        no_rollups: read no rollups where rows are still there.
        no_cache: compute the answer, also where an earlier one of the same rows is kept, and do not keep it.
    """

    no_footers: bool = False
    no_rollups: bool = False
    no_cache: bool = False


def specification(stream: str | Mapping[str, Any], measures: Sequence[Measure] = (), **parts: Any) -> pb.QuerySpec:
    """The query as the contract has it, of the parts that ``extended`` names.

    Raises:
        InvalidArgument: a query that comes as a dictionary is none, or not all of it does.
    """
    if not isinstance(stream, Mapping):
        return extended(pb.QuerySpec(stream=stream), measures=measures, **parts)
    spec = _of_dictionary(stream)
    if extended(spec, measures=measures, **parts) != spec:
        rule = "a query that comes as a dictionary is whole in it, got more of it by keyword"
        raise InvalidArgument(rule, reason="QUERY_IN_TWO", field="spec")
    return spec


def extended(
    beginning: pb.QuerySpec,
    *,
    measures: Sequence[Measure] = (),
    range: "Range | None" = None,  # noqa: A002
    where: Where | Sequence[Where] | None = None,
    window: Window | None = None,
    group_by: str | Group | Sequence[str | Group] = (),
    fill: Fill | None = None,
    compare: Period | None = None,
    having: Condition | Sequence[Condition] = (),
    order_by: Order | Sequence[Order] = (),
    top_groups: int | None = None,
    other: bool = False,
    limit: int | None = None,
    as_of: int | None = None,
    budget: Budget | None = None,
    hints: Hints | None = None,
) -> pb.QuerySpec:
    """The query with more to it: measures, groups and orders are added to those it has, rows that it takes must meet
    these conditions too, and what there is one of replaces what was there."""
    spec = pb.QuerySpec()
    spec.CopyFrom(beginning)
    keys = (group_by,) if isinstance(group_by, str | Group) else group_by
    orders = (order_by,) if isinstance(order_by, Order) else order_by
    wheres = (where,) if isinstance(where, Condition | str) else where or ()
    spec.measures.extend(measure.message() for measure in measures)
    spec.group_by.extend(map(groups.message, keys))
    spec.order_by.extend(order.message() for order in orders)
    if top_groups is not None or other:
        spec.top_groups, spec.other = top_groups or 0, other
    if limit is not None:
        spec.limit = limit
    if as_of is not None:
        spec.as_of = as_of
    if range is not None:
        start, end = (None if bound is None else times.nanoseconds(bound) for bound in range)
        spec.range.CopyFrom(common_pb2.TimeRange(start_ns=start, end_ns=end))
    _narrow(spec, wheres)
    _keep(spec, (having,) if isinstance(having, Condition) else having)
    if fill is not None:
        _put(spec, fill)
    if compare is not None:
        if compare not in _PERIODS:
            rule = f"a period to compare with is one of {', '.join(_PERIODS)}, got {compare}"
            raise InvalidArgument(rule, reason="BAD_COMPARISON", field="spec.compare.period")
        spec.compare.period = _PERIODS[compare]
    if window is not None:
        spec.window.CopyFrom(window.message)
    if budget is not None:
        spec.budget.CopyFrom(
            pb.Budget(max_rows=budget.max_rows, max_groups=budget.max_groups, max_bytes=budget.max_bytes)
        )
    if hints is not None:
        spec.hints.CopyFrom(
            pb.QueryHints(no_footers=hints.no_footers, no_rollups=hints.no_rollups, no_cache=hints.no_cache)
        )
    return spec


def _narrow(spec: pb.QuerySpec, wheres: Sequence[Where]) -> None:
    conditions = [where for where in wheres if isinstance(where, Condition)]
    texts = [where for where in wheres if isinstance(where, str)]
    if conditions:
        known = [Condition(spec.filter)] if spec.HasField("filter") else []
        spec.filter.CopyFrom(reduce(and_, [*known, *conditions]).message)
    if spec.filter_text and texts:
        texts.insert(0, spec.filter_text)
    if texts:
        spec.filter_text = texts[0] if len(texts) == 1 else " AND ".join(f"({text})" for text in texts)


def _keep(spec: pb.QuerySpec, conditions: Sequence[Condition]) -> None:
    if conditions:
        known = [Condition(spec.having)] if spec.HasField("having") else []
        spec.having.CopyFrom(reduce(and_, [*known, *conditions]).message)


def _put(spec: pb.QuerySpec, fill: Fill) -> None:
    if isinstance(fill, str) and fill not in _FILLS:
        rule = f"windows without rows are filled with a number or one of {', '.join(_FILLS)}, got {fill}"
        raise InvalidArgument(rule, reason="BAD_FILL", field="spec.fill")
    spec.fill = _FILLS[fill] if isinstance(fill, str) else pb.FILL_CONSTANT
    spec.fill_value = 0.0 if isinstance(fill, str) else fill


def _of_dictionary(query: Mapping[str, Any]) -> pb.QuerySpec:
    """From the JSON form of the contract, as a dictionary."""
    from google.protobuf import json_format

    try:
        return json_format.ParseDict(dict(query), pb.QuerySpec())
    except json_format.ParseError as error:
        raise _unreadable(str(error)) from None


def _unreadable(why: str) -> InvalidArgument:
    """What ``json_format`` says: the fields on the way down, the cause, and often where, with places in lists."""
    place = _PLACE.search(why)
    path = place["path"] if place else "".join(f".{name}" for name in _STEP.findall(why))
    cause = _STEP.sub("", _PLACE.sub("", why)).partition("\n")[0].strip(" .")
    message = f"a query as a dictionary must be the contract's JSON: {cause}"
    return InvalidArgument(message, reason="QUERY_UNREADABLE", field=f"spec{path}")
