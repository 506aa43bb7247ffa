"""The large questions of ``questions.What`` as encoded queries of the contract."""

from bench import messages
from bench.cpu import METRICS
from bench.questions import Question, What
from bench.tables import Name
from marigram_client._pb.marigram.v1 import queries_pb2

COUNT = queries_pb2.Measure(kind=queries_pb2.MEASURE_KIND_COUNT, name="rows")
SUM, MEAN = queries_pb2.MEASURE_KIND_SUM, queries_pb2.MEASURE_KIND_MEAN
LEAST, GREATEST, LAST = queries_pb2.MEASURE_KIND_MIN, queries_pb2.MEASURE_KIND_MAX, queries_pb2.MEASURE_KIND_LAST
DISTINCT = queries_pb2.MEASURE_KIND_DISTINCT
HOST = [queries_pb2.GroupKey(column=messages.LABEL)]


def spec(what: What, data: Name, stream: str) -> queries_pb2.QuerySpec:
    """A question other than ``hour``; keys come first and ascending, then the measures in the order of the peers'."""
    measure = messages.measure
    if what == "minutes":
        both = [measure(MEAN, "mean", "usage_user"), measure(GREATEST, "greatest", "usage_user")]
        return queries_pb2.QuerySpec(stream=stream, window=messages.tumbling(messages.MINUTE_SECONDS), measures=both)
    if what == "sum":
        return queries_pb2.QuerySpec(stream=stream, measures=[measure(SUM, "total")])
    if what == "lastpoint":
        newest = [measure(LAST, name, name) for name in METRICS]
        return queries_pb2.QuerySpec(stream=stream, group_by=HOST, measures=newest)
    if data == "points":
        values = [measure(LEAST, "least"), measure(GREATEST, "greatest"), measure(MEAN, "mean")]
        return queries_pb2.QuerySpec(stream=stream, group_by=HOST, measures=[COUNT, *values])
    if data == "cpu":
        sums = [measure(SUM, name, name) for name in METRICS]
        return queries_pb2.QuerySpec(stream=stream, group_by=HOST, measures=[COUNT, *sums])
    who = [measure(DISTINCT, name, name) for name in ("user", "country")]
    keys = [queries_pb2.GroupKey(column="event")]
    return queries_pb2.QuerySpec(stream=stream, group_by=keys, measures=[COUNT, *who])


def request(what: What, data: Name, stream: str, asked: Question | None = None, *, footers: bool = True) -> bytes:
    """A question, encoded. Without ``footers`` nothing is answered from what parts hold beside their rows."""
    if asked is not None:
        return messages.question(asked, stream)
    said = spec(what, data, stream)
    said.hints.no_footers = not footers
    return messages.query(said)
