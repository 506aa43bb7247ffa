"""Words of the schema: kinds of streams and types of columns."""

from typing import Any, Literal

from marigram_client._pb.marigram.v1 import common_pb2
from marigram_client.errors import InvalidArgument

Kind = Literal["event", "metric"]
ColumnType = Literal["f64", "i64", "bool", "timestamp", "symbol", "text", "label"]

_KINDS = {"event": common_pb2.STREAM_KIND_EVENT, "metric": common_pb2.STREAM_KIND_METRIC}


def stream_kind(kind: Kind | None, labels: object, series: object) -> common_pb2.StreamKind.ValueType:
    """The kind as the contract has it; labels and series belong to metrics."""
    if kind is None:
        metric = bool(labels) or series is not None
        return common_pb2.STREAM_KIND_METRIC if metric else common_pb2.STREAM_KIND_UNSPECIFIED
    if kind not in _KINDS:
        raise InvalidArgument(f"kind must be event or metric, got {kind}", reason="INVALID_KIND", field="kind")
    return _KINDS[kind]


def word(enumeration: Any, prefix: str, number: int) -> str:
    """The word for a value of the contract; its number where a newer server has one that this client does not know."""
    known = number in enumeration.values()
    return str(enumeration.Name(number)).removeprefix(prefix).lower() if known else f"unknown_{number}"
