"""Questions about narrow points that grow with them."""

from bench import messages
from bench.shapes.shape import Asked, Shape
from marigram_client._pb.marigram.v1 import queries_pb2

HOUR_S = 3_600


def _hours(_: Asked) -> queries_pb2.QuerySpec:
    mean, greatest = queries_pb2.MEASURE_KIND_MEAN, queries_pb2.MEASURE_KIND_MAX
    return queries_pb2.QuerySpec(
        group_by=[queries_pb2.GroupKey(column=messages.LABEL)],
        window=messages.tumbling(HOUR_S),
        measures=[messages.measure(mean, "mean"), messages.measure(greatest, "greatest")],
    )


SHAPES = (
    Shape(
        name="series-hours",
        data="points",
        spec=_hours,
        sql="SELECT {hour} AS start, series, avg(value), max(value) FROM {table}"
        " GROUP BY start, series ORDER BY start, series",
        chdb="SELECT {hour} AS start, series, avg(value), max(value) FROM {table}"
        " GROUP BY series, start ORDER BY start, series",
        in_order=True,
    ),
)
