"""Stored rows as they are: what numbers are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.values import Scalar, scalar

if TYPE_CHECKING:
    from marigram_client.queries import Range, Where

EventOrder = Literal["latest", "earliest"]
"""Which rows come first."""
_ORDERS = {"latest": pb.EVENT_ORDER_TIME_DESCENDING, "earliest": pb.EVENT_ORDER_TIME_ASCENDING}


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of a stream of any kind. ``time_ns`` is in Unix nanoseconds; ``entity`` is the user, or the series as text.

    ``values`` are by column, None being null; those of timestamp columns are Unix nanoseconds. Equal rows have the same
    ``id``, which is that of ``EventResult``.
    """

    id: bytes
    time_ns: int
    entity: str | None
    values: Mapping[str, Scalar | None]


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """A row that was found by its id: in which stream, and how many rows are equal to it, itself among them."""

    stream: str
    event: StoredEvent
    copies: int


def request(
    stream: str,
    *,
    range: "Range | None",  # noqa: A002 (the contract's word)
    where: "Where | Sequence[Where] | None",
    columns: Sequence[str],
    first: EventOrder,
    page_size: int,
) -> pb.ListEventsRequest:
    """Asks for the first page.

    Raises:
        InvalidArgument: there is no such order.
    """
    from marigram_client.errors import InvalidArgument
    from marigram_client.queries import extended

    if first not in _ORDERS:
        rule = f"events come {' or '.join(_ORDERS)} first, got {first}"
        raise InvalidArgument(rule, reason="BAD_ORDER", field="order")
    of = extended(pb.QuerySpec(), range=range, where=where)
    asked = pb.ListEventsRequest(
        stream=stream, filter_text=of.filter_text, columns=columns, order=_ORDERS[first], page_size=page_size
    )
    if of.HasField("range"):
        asked.range.CopyFrom(of.range)
    if of.HasField("filter"):
        asked.filter.CopyFrom(of.filter)
    return asked


def read(columns: Sequence[str], message: pb.StoredEvent) -> StoredEvent:
    """A row of an answer with these columns."""
    values = {name: scalar(value) for name, value in zip(columns, message.values, strict=True)}
    entity = message.entity if message.HasField("entity") else None
    return StoredEvent(message.id, message.time_ns, entity, MappingProxyType(values))
