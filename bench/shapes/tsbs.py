"""Questions of TSBS's cpu-only: its kinds as its code has them, not its README.

The set is the twelve hours that double-groupby reads. Hosts are random, and so are times, by whole minutes (by whole
hours where windows are hours), since VictoriaMetrics knows no windows that a range cuts short.

Rows of high-cpu are not queries of ours: it is asked how many rows were above 90 and how far, by host.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from bench import messages
from bench.cpu import METRICS, START_NS
from bench.questions import HOUR_NS, MINUTE_NS
from bench.shapes.shape import Asked, Draw, Shape
from bench.tables import DataSet
from marigram_client._pb.marigram.v1 import common_pb2, queries_pb2

MEAN, GREATEST = queries_pb2.MEASURE_KIND_MEAN, queries_pb2.MEASURE_KIND_MAX
COUNT = queries_pb2.Measure(kind=queries_pb2.MEASURE_KIND_COUNT, name="rows")
HOST = [queries_pb2.GroupKey(column=messages.LABEL)]
HOUR_S, MINUTE_S = 3_600, 60
HIGH = 90
TOLD = 20
SINGLE = ((1, 1, 1), (1, 1, 12), (1, 8, 1), (5, 1, 1), (5, 1, 12), (5, 8, 1))  # metrics, hosts, hours
MAX_HOURS, HIGH_HOURS = 8, 12
DOUBLE = {"1": 1, "5": 5, "all": 10}


def _span_ns(data: DataSet) -> int:
    return data.rows // data.keys * 10 * 1_000_000_000


def _draw(hosts: int, hours: int, step_ns: int) -> Draw:
    """Some hosts, and so many hours anywhere, or all there are."""

    def draw(random: np.random.Generator, data: DataSet) -> Asked:
        length = min(hours * HOUR_NS, _span_ns(data))
        keys = random.choice(data.keys, min(hosts, data.keys), replace=False)
        start = START_NS + int(random.integers(0, (_span_ns(data) - length) // step_ns + 1)) * step_ns
        return Asked(tuple(sorted(keys.tolist())), start, start + length)

    return draw


def _before(random: np.random.Generator, data: DataSet) -> Asked:
    """All hosts, up to some minute after the first five."""
    minutes = int(random.integers(5, _span_ns(data) // MINUTE_NS + 1))
    return Asked((), START_NS, START_NS + minutes * MINUTE_NS)


def hosts_filter(keys: tuple[int, ...]) -> queries_pb2.Filter:
    """Rows of these hosts."""
    values = [common_pb2.Value(text=messages.host(key)) for key in keys]
    if len(values) > 1:
        return queries_pb2.Filter(**{"in": queries_pb2.InSet(column=messages.LABEL, values=values)})  # type: ignore[arg-type]
    equal = queries_pb2.COMPARISON_OPERATOR_EQUAL
    return queries_pb2.Filter(compare=queries_pb2.Comparator(column=messages.LABEL, operator=equal, value=values[0]))


def _greatest(metrics: int, step_s: int, asked: Asked) -> queries_pb2.QuerySpec:
    return queries_pb2.QuerySpec(
        range=asked.range(),
        filter=hosts_filter(asked.keys),
        window=messages.tumbling(step_s),
        measures=[messages.measure(GREATEST, name, name) for name in METRICS[:metrics]],
    )


def _high(asked: Asked) -> queries_pb2.QuerySpec:
    above = queries_pb2.Filter(
        compare=queries_pb2.Comparator(
            column="usage_user",
            operator=queries_pb2.COMPARISON_OPERATOR_GREATER,
            value=common_pb2.Value(i64=HIGH),
        )
    )
    both = queries_pb2.FilterList(filters=[hosts_filter(asked.keys), above]) if asked.keys else None
    return queries_pb2.QuerySpec(
        range=asked.range(),
        filter=queries_pb2.Filter(all=both) if both else above,
        group_by=HOST,
        measures=[COUNT, messages.measure(GREATEST, "greatest", "usage_user")],
    )


def _double(metrics: int, _: Asked) -> queries_pb2.QuerySpec:
    return queries_pb2.QuerySpec(
        group_by=HOST,
        window=messages.tumbling(HOUR_S),
        measures=[messages.measure(MEAN, name, name) for name in METRICS[:metrics]],
    )


def _newest_minutes(asked: Asked) -> queries_pb2.QuerySpec:
    return queries_pb2.QuerySpec(
        range=asked.range(),
        window=messages.tumbling(MINUTE_S),
        measures=[messages.measure(GREATEST, "greatest", "usage_user")],
        order_by=[queries_pb2.OrderBy(column="start", descending=True)],
        limit=5,
    )


def _maxima(name: str, metrics: int, hosts: int, hours: int, *, hourly: bool = False) -> Shape:
    word, step_s = ("hour", HOUR_S) if hourly else ("minute", MINUTE_S)
    columns = ", ".join(f"max({metric})" for metric in METRICS[:metrics])
    series = f'{{{{__name__=~"{{table}}_({"|".join(METRICS[:metrics])})",key=~"{{keys}}"}}}}'
    return Shape(
        name=name,
        data="cpu",
        spec=partial(_greatest, metrics, step_s),
        sql=f"SELECT {{{word}}} AS start, {columns} FROM {{table}} WHERE {{within}} GROUP BY start ORDER BY start",
        draw=_draw(hosts, hours, HOUR_NS if hourly else MINUTE_NS),
        told=TOLD,
        victoria=f"max(max_over_time({series}[{step_s}s]) keep_metric_names) by (__name__)",
        step_s=step_s,
    )


def _doubles() -> Iterator[Shape]:
    for name, metrics in DOUBLE.items():
        quotients = ", ".join(f"sum({metric}) / count(*)" for metric in METRICS[:metrics])  # quicker in DuckDB than avg
        means = ", ".join(f"avg({metric})" for metric in METRICS[:metrics])
        yield Shape(
            name=f"double-groupby-{name}",
            data="cpu",
            spec=partial(_double, metrics),
            sql=f"SELECT {{hour}} AS start, host, {quotients} FROM {{table}} GROUP BY start, host ORDER BY start, host",
            chdb=f"SELECT {{hour}} AS start, host, {means} FROM {{table}} GROUP BY host, start ORDER BY start, host",
            streamed=metrics == len(METRICS),
            in_order=True,
        )


HIGH_SQL = (
    "SELECT host, count(*), max(usage_user) FROM {table}"
    f" WHERE {{within}} AND usage_user > {HIGH} GROUP BY host ORDER BY host"
)
DOUBLES = tuple(_doubles())
SHORT = (
    *(_maxima(f"single-groupby-{metrics}-{hosts}-{hours}", metrics, hosts, hours) for metrics, hosts, hours in SINGLE),
    *(_maxima(f"cpu-max-all-{hosts}", len(METRICS), hosts, MAX_HOURS, hourly=True) for hosts in (1, 8)),
    Shape("high-cpu-1", "cpu", _high, HIGH_SQL, draw=_draw(1, HIGH_HOURS, MINUTE_NS), told=TOLD),
)
WHOLE = (
    Shape(
        name="groupby-orderby-limit",
        data="cpu",
        spec=_newest_minutes,
        sql="SELECT {minute} AS start, max(usage_user) FROM {table} WHERE {within}"
        " GROUP BY start ORDER BY start DESC LIMIT 5",
        draw=_before,
        told=TOLD,
    ),
    Shape("high-cpu-all", "cpu", _high, HIGH_SQL, in_order=True),
)
SHAPES = (*DOUBLES, *SHORT, *WHOLE)
