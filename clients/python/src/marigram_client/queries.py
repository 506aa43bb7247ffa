"""Queries, as callers say them and as the contract has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marigram_client import times
from marigram_client._pb.marigram.v1 import common_pb2
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.filters import Condition
from marigram_client.measures import Measure, Order, Window

if TYPE_CHECKING:
    Range = tuple[times.Time | None, times.Time | None]
    """Half-open ``[start, end)``; None is open."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a query may cost; 0 is the server's limit. A breach raises LimitExceeded with a reason of its own."""

    max_rows: int = 0
    max_groups: int = 0
    max_bytes: int = 0


def specification(
    stream: str,
    measures: Sequence[Measure],
    *,
    range: "Range | None" = None,  # noqa: A002
    where: Condition | None = None,
    window: Window | None = None,
    group_by: str | Sequence[str] = (),
    order_by: Order | Sequence[Order] = (),
    limit: int = 0,
    budget: Budget | None = None,
) -> pb.QuerySpec:
    """The query as the contract has it."""
    keys = (group_by,) if isinstance(group_by, str) else group_by
    orders = (order_by,) if isinstance(order_by, Order) else order_by
    spec = pb.QuerySpec(
        stream=stream,
        measures=[measure.message() for measure in measures],
        group_by=[pb.GroupKey(column=key) for key in keys],
        order_by=[order.message() for order in orders],
        limit=limit,
    )
    if range is not None:
        start, end = (None if bound is None else times.nanoseconds(bound) for bound in range)
        spec.range.CopyFrom(common_pb2.TimeRange(start_ns=start, end_ns=end))
    if where is not None:
        spec.filter.CopyFrom(where.message)
    if window is not None:
        spec.window.CopyFrom(window.message)
    if budget is not None:
        spec.budget.CopyFrom(
            pb.Budget(max_rows=budget.max_rows, max_groups=budget.max_groups, max_bytes=budget.max_bytes)
        )
    return spec
