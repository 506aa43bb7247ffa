"""Points as encoded messages of the contract, and the questions asked about them."""

from collections.abc import Sequence

import numpy as np

from bench.data import SERIES, Points
from bench.questions import Question
from marigram_client._pb.marigram.v1 import common_pb2, ingest_pb2, queries_pb2

STREAM = "points"
WARM_STREAM = "warm"
LABEL = "host"
MINUTE_SECONDS = 60


def host(series: int) -> str:
    """Value of the label of a series."""
    return f"host-{series:04d}"


def write_request(points: Points, *, stream: str = STREAM, writer: str, sequence: int) -> bytes:
    """One unary Write of the points, by the first epoch of a writer."""
    return ingest_pb2.WriteRequest(
        stream=stream,
        kind=common_pb2.STREAM_KIND_METRIC,
        batch=_batch(points),
        writer=writer,
        epoch=1,
        sequence=sequence,
    ).SerializeToString()


def stream_requests(
    batches: Sequence[Points], *, stream: str = STREAM, writer: str, first_sequence: int = 1
) -> list[bytes]:
    """The messages of one WriteStream, by the first epoch of a writer, numbered from ``first_sequence``."""
    return [
        ingest_pb2.WriteStreamRequest(
            stream=stream,
            kind=common_pb2.STREAM_KIND_METRIC,
            batch=_batch(batch),
            writer=writer if number == 0 else "",
            epoch=1 if number == 0 else 0,
            sequence=first_sequence + number,
        ).SerializeToString()
        for number, batch in enumerate(batches)
    ]


def _batch(points: Points) -> ingest_pb2.Batch:
    """The points with a table of just the series that occur among them."""
    codes = np.unique(points.series)
    place = np.zeros(SERIES, dtype="<u2")
    place[codes] = np.arange(len(codes), dtype="<u2")
    width = 1 if len(codes) <= 256 else 2
    table = ingest_pb2.SeriesTable(
        series=[ingest_pb2.Series(labels=[common_pb2.Label(name=LABEL, value=host(int(code)))]) for code in codes],
        index=place[points.series].astype("<u1" if width == 1 else "<u2").tobytes(),
        index_width=width,
    )
    value = ingest_pb2.BatchColumn(name="value", f64=points.value.astype("<f8", copy=False).tobytes())
    time = points.time.astype("<i8", copy=False).tobytes()
    return ingest_pb2.Batch(rows=len(points), time=time, columns=[value], series=table)


def measure(kind: "queries_pb2.MeasureKind.ValueType", name: str, column: str = "value") -> queries_pb2.Measure:
    """A measure of a column; of count without one, rows."""
    return queries_pb2.Measure(kind=kind, column=column, name=name)


def query(spec: queries_pb2.QuerySpec) -> bytes:
    """A request for an answer in Arrow, computed anew each time."""
    spec.hints.no_cache = True
    return queries_pb2.QueryRequest(spec=spec, format=queries_pb2.ANSWER_FORMAT_ARROW).SerializeToString()


def whole_query(stream: str = STREAM) -> bytes:
    """Count, sum, least and greatest of all rows: columns ``rows``, ``total``, ``least``, ``greatest``."""
    measures = [
        queries_pb2.Measure(kind=queries_pb2.MEASURE_KIND_COUNT, name="rows"),
        measure(queries_pb2.MEASURE_KIND_SUM, "total"),
        measure(queries_pb2.MEASURE_KIND_MIN, "least"),
        measure(queries_pb2.MEASURE_KIND_MAX, "greatest"),
    ]
    return query(queries_pb2.QuerySpec(stream=stream, measures=measures))


def by_series_query(stream: str = STREAM) -> bytes:
    """Rows and their sum by series: columns ``host``, ``rows``, ``total``."""
    measures = [
        queries_pb2.Measure(kind=queries_pb2.MEASURE_KIND_COUNT, name="rows"),
        measure(queries_pb2.MEASURE_KIND_SUM, "total"),
    ]
    keys = [queries_pb2.GroupKey(column=LABEL)]
    return query(queries_pb2.QuerySpec(stream=stream, group_by=keys, measures=measures))


def by_minute_query(stream: str = STREAM) -> bytes:
    """Rows by minute, ascending: columns ``start``, ``rows``."""
    measures = [queries_pb2.Measure(kind=queries_pb2.MEASURE_KIND_COUNT, name="rows")]
    return query(queries_pb2.QuerySpec(stream=stream, window=tumbling(MINUTE_SECONDS), measures=measures))


def question(asked: Question, stream: str = STREAM) -> bytes:
    """A small question: columns ``start`` (only by the minute), ``rows``, ``least``, ``greatest``, and
    ``newest`` or, by the minute, ``mean``."""
    by_minute = asked.by_minute
    last = (queries_pb2.MEASURE_KIND_MEAN, "mean") if by_minute else (queries_pb2.MEASURE_KIND_LAST, "newest")
    measures = [
        queries_pb2.Measure(kind=queries_pb2.MEASURE_KIND_COUNT, name="rows"),
        measure(queries_pb2.MEASURE_KIND_MIN, "least"),
        measure(queries_pb2.MEASURE_KIND_MAX, "greatest"),
        measure(*last),
    ]
    spec = queries_pb2.QuerySpec(
        stream=stream,
        range=common_pb2.TimeRange(start_ns=asked.start_ns, end_ns=asked.end_ns),
        filter=queries_pb2.Filter(
            compare=queries_pb2.Comparator(
                column=LABEL,
                operator=queries_pb2.COMPARISON_OPERATOR_EQUAL,
                value=common_pb2.Value(text=host(asked.series)),
            )
        ),
        window=tumbling(MINUTE_SECONDS) if by_minute else None,
        measures=measures,
    )
    return query(spec)


def busiest_hours() -> bytes:
    """The ten hours of the demo's flights with most departures: columns ``start``, ``departures``."""
    departures = queries_pb2.Measure(kind=queries_pb2.MEASURE_KIND_COUNT, name="departures")
    order = [queries_pb2.OrderBy(column="departures", descending=True), queries_pb2.OrderBy(column="start")]
    hours = tumbling(60 * MINUTE_SECONDS)
    spec = queries_pb2.QuerySpec(stream="flights", window=hours, measures=[departures], order_by=order, limit=10)
    return query(spec)


def tumbling(seconds: int) -> queries_pb2.Window:
    """Windows side by side."""
    window = queries_pb2.Window(tumbling=queries_pb2.TumblingWindow())
    window.tumbling.width.FromSeconds(seconds)
    return window
