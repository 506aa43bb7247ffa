"""What columns hold: their values and how frequent they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marigram_client import kinds
from marigram_client._pb.marigram.v1 import common_pb2
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.values import Scalar, scalar

if TYPE_CHECKING:
    from marigram_client.queries import Budget, Range, Where


@dataclass(frozen=True, slots=True)
class DimensionValue:
    """A value of a column, the rows that have it, and their share in all rows taken, in [0, 1]. Of a timestamp column
    it is in Unix nanoseconds."""

    value: Scalar
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Dimension:
    """What a column holds: distinct values without null, rows taken, those of them that are null, and the most frequent
    values, all exact; as of ``commit``."""

    cardinality: int
    rows: int
    nulls: int
    values: tuple[DimensionValue, ...]
    commit: int


@dataclass(frozen=True, slots=True)
class DimensionColumn:
    """A column of a stream: its type, how many distinct values it has without null and NaN, whether that is exact (else
    it is within 1.8 %), and the share of rows that are null in it, in [0, 1]."""

    name: str
    type: str
    cardinality: int
    exact: bool
    nulls_share: float


def request(
    stream: str,
    column: str,
    *,
    range: "Range | None",  # noqa: A002 (the contract's word)
    where: "Where | Sequence[Where] | None",
    page_size: int,
    budget: "Budget | None",
) -> pb.ExploreDimensionRequest:
    """Asks for the first page."""
    from marigram_client.queries import extended

    of = extended(pb.QuerySpec(), range=range, where=where, budget=budget)
    asked = pb.ExploreDimensionRequest(stream=stream, column=column, filter_text=of.filter_text, page_size=page_size)
    for part in ("range", "filter", "budget"):
        if of.HasField(part):
            getattr(asked, part).CopyFrom(getattr(of, part))
    return asked


def values(message: pb.ExploreDimensionResponse) -> tuple[DimensionValue, ...]:
    """The values of a page."""
    read = ((scalar(found.value), found) for found in message.values)
    return tuple(DimensionValue(value, found.count, found.share) for value, found in read if value is not None)


def column(message: pb.DimensionColumn) -> DimensionColumn:
    """A column of a page."""
    kind = kinds.word(common_pb2.ColumnType, "COLUMN_TYPE_", message.type)
    return DimensionColumn(message.name, kind, message.cardinality, message.exact, message.nulls_share)
