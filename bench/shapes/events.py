"""Questions about visits: many keys, percentiles, distinct users, and eight shapes that ClickBench's are of.

Ties of a top ten are settled by the key. The eighth shape of ClickBench, a text that contains another, is not here: the
contract's ``match`` is not served yet.
"""

from collections.abc import Iterator, Sequence

from bench import messages, tables
from bench.shapes.shape import Asked, Shape
from marigram_client._pb.marigram.v1 import common_pb2, queries_pb2

QUANTILES = (0.5, 0.95, 0.99)
DAY_S = 86_400
TOP = 10
RELATIVE_ERROR = 0.00542  # of our quantiles, as the contract has it; ClickHouse's DDSketch is told the same
COUNT = queries_pb2.Measure(kind=queries_pb2.MEASURE_KIND_COUNT, name="rows")
DISTINCT = queries_pb2.Measure(kind=queries_pb2.MEASURE_KIND_DISTINCT, column="user", name="users")
SUM, MEAN = queries_pb2.MEASURE_KIND_SUM, queries_pb2.MEASURE_KIND_MEAN
LEAST, GREATEST = queries_pb2.MEASURE_KIND_MIN, queries_pb2.MEASURE_KIND_MAX
FILTERED_EVENT, FILTERED_SPENT = 3, 10.0


def _keys(columns: Sequence[str]) -> list[queries_pb2.GroupKey]:
    return [queries_pb2.GroupKey(column=column) for column in columns]


def _top(name: str, *columns: str) -> Shape:
    """The ten groups with most rows."""

    def spec(_: Asked) -> queries_pb2.QuerySpec:
        order = [queries_pb2.OrderBy(column="rows", descending=True), *map(_ascending, columns)]
        return queries_pb2.QuerySpec(group_by=_keys(columns), measures=[COUNT], order_by=order, limit=TOP)

    keys = ", ".join(f'"{column}"' for column in columns)
    sql = f'SELECT {keys}, count(*) AS "rows" FROM {{table}} GROUP BY {keys} ORDER BY "rows" DESC, {keys} LIMIT {TOP}'
    return Shape(name, "visits", spec, sql, in_order=columns == ("user",))


def _ascending(column: str) -> queries_pb2.OrderBy:
    return queries_pb2.OrderBy(column=column)


def _percentiles(column: str) -> Iterator[Shape]:
    """By a column: ours beside one function of a peer each."""

    def spec(_: Asked) -> queries_pb2.QuerySpec:
        kind = queries_pb2.MEASURE_KIND_QUANTILE
        measures = [queries_pb2.Measure(kind=kind, column="spent", quantile=q, name=f"q{q}") for q in QUANTILES]
        return queries_pb2.QuerySpec(group_by=_keys([column]), measures=measures)

    levels = ", ".join(map(str, QUANTILES))
    functions = {
        "approximate": f"approx_quantile(spent, [{levels}])",
        "exact": f"quantile_disc(spent, [{levels}])",
        "dd": f"quantilesDD({RELATIVE_ERROR}, {levels})(spent)",
        "tdigest": f"quantilesTDigest({levels})(spent)",
        "exact-chdb": f"quantilesExact({levels})(spent)",
    }
    for name, function in functions.items():
        sql = f"SELECT {column}, {function} AS q FROM {{table}} GROUP BY {column} ORDER BY {column}"
        yield Shape(f"percentiles-{column}-{name}", "visits", spec, sql)


def _whole(*measures: queries_pb2.Measure) -> queries_pb2.QuerySpec:
    return queries_pb2.QuerySpec(measures=measures)


def _users_a_day(_: Asked) -> queries_pb2.QuerySpec:
    return queries_pb2.QuerySpec(window=messages.tumbling(DAY_S), measures=[DISTINCT])


def _filtered(_: Asked) -> queries_pb2.QuerySpec:
    of_type = queries_pb2.Comparator(
        column="event",
        operator=queries_pb2.COMPARISON_OPERATOR_EQUAL,
        value=common_pb2.Value(text=tables.event(FILTERED_EVENT)),
    )
    long = queries_pb2.Comparator(
        column="spent",
        operator=queries_pb2.COMPARISON_OPERATOR_GREATER,
        value=common_pb2.Value(f64=FILTERED_SPENT),
    )
    both = [queries_pb2.Filter(compare=of_type), queries_pb2.Filter(compare=long)]
    return queries_pb2.QuerySpec(
        filter=queries_pb2.Filter(all=queries_pb2.FilterList(filters=both)),
        group_by=_keys(["country"]),
        measures=[COUNT, messages.measure(MEAN, "mean", "spent")],
    )


PERCENTILES = (*_percentiles("country"), *_percentiles("page"))
KEYS = (_top("top-users", "user"), _top("top-items", "item"))
DISTINCT_DAYS = Shape(
    name="users-a-day",
    data="visits",
    spec=_users_a_day,
    sql='SELECT {day} AS start, count(DISTINCT "user") FROM {table} GROUP BY start ORDER BY start',
)
CLICKBENCH = (
    Shape("count", "visits", lambda _: _whole(COUNT), "SELECT count(*) FROM {table}"),
    Shape(
        name="total",
        data="visits",
        spec=lambda _: _whole(messages.measure(SUM, "sum", "spent"), messages.measure(MEAN, "mean", "spent")),
        sql="SELECT sum(spent), avg(spent) FROM {table}",
    ),
    Shape("users", "visits", lambda _: _whole(DISTINCT), 'SELECT count(DISTINCT "user") FROM {table}'),
    KEYS[0],
    _top("top-pages-of-countries", "country", "page"),
    Shape(
        name="filtered",
        data="visits",
        spec=_filtered,
        sql=f"SELECT country, count(*), avg(spent) FROM {{table}} WHERE event = {FILTERED_EVENT}"
        f" AND spent > {FILTERED_SPENT} GROUP BY country ORDER BY country",
    ),
    Shape(
        name="extremes",
        data="visits",
        spec=lambda _: _whole(
            messages.measure(LEAST, "least", "spent"), messages.measure(GREATEST, "greatest", "spent")
        ),
        sql="SELECT min(spent), max(spent) FROM {table}",
    ),
)
SHAPES = (*PERCENTILES, *KEYS, DISTINCT_DAYS, *(shape for shape in CLICKBENCH if shape not in KEYS))
