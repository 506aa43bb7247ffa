# Written by `make proto` from aio/events.py: change that one.
"""Rows as they are, and what columns hold."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from marigram_client import dimensions, events
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.blocking.calls import Calls
from marigram_client.dimensions import Dimension, DimensionColumn
from marigram_client.events import EventOrder, FoundEvent, StoredEvent
from marigram_client.queries import Budget, Where

if TYPE_CHECKING:
    from marigram_client.queries import Range


class Events:
    """The part of a client that goes from numbers to rows, and from columns to their values."""

    _calls: Calls

    def list_events(
        self,
        stream: str,
        *,
        range: "Range | None" = None,  # noqa: A002 (the contract's word)
        where: Where | Sequence[Where] | None = None,
        columns: Sequence[str] = (),
        first: EventOrder = "latest",
        page_size: int = 100,
    ) -> Iterator[StoredEvent]:
        """Rows of a stream in order of time, all as of one commit while that can be served: fetched page by page as
        they are asked for, so that the first come at once whatever the stream holds.

        >>> for event in client.list_events("cpu", where=column("host") == "b", columns=["value"]):
        ...     print(event.entity, dict(event.values))
        {host="b"} {'value': 4.0}
        {host="b"} {'value': 3.0}

        Args:
            stream: its id, of either kind.
            range: half-open ``(start, end)`` of event time; without it, all rows.
            where: rows to take, as in ``query``.
            columns: columns and labels to return; without them, all.
            first: ``"latest"`` or ``"earliest"``; rows of one instant by entity, then arrival.
            page_size: rows of a page, at most 1,000.
        Raises:
            NotFound: there is no such stream.
            InvalidArgument: a column is unknown, or a condition breaks a rule.
        """
        request = events.request(stream, range=range, where=where, columns=columns, first=first, page_size=page_size)
        for page in self._calls.pages(request, pb.ListEventsResponse):
            for event in page.events:
                yield events.read(page.columns, event)

    def get_event(self, id: bytes, columns: Sequence[str] = ()) -> FoundEvent:  # noqa: A002 (the contract's word)
        """The row with an id, as ``list_events`` or ``track`` gave it.

        >>> result = client.track("login", user="ada")
        >>> client.get_event(result.id).event.entity
        'ada'

        Raises:
            NotFound: it is gone, or was written anew.
            InvalidArgument: this is no id.
        """
        answer = self._calls.unary(pb.GetEventRequest(id=id, columns=columns), pb.GetEventResponse)
        return FoundEvent(answer.stream, events.read(answer.columns, answer.event), answer.copies)

    def explore(
        self,
        stream: str,
        column: str,
        *,
        range: "Range | None" = None,  # noqa: A002
        where: Where | Sequence[Where] | None = None,
        most: int = 100,
        budget: Budget | None = None,
    ) -> Dimension:
        """What a column, label or ``entity`` holds: how many distinct values, and the most frequent ones.

        >>> found = client.explore("cpu", "host")
        >>> found.cardinality, [(value.value, value.count, value.share) for value in found.values]
        (2, [('a', 2, 0.5), ('b', 2, 0.5)])

        Args:
            range: half-open ``(start, end)`` of event time; without it, all rows.
            where: rows to take, as in ``query``.
            most: values to return, most frequent first, equally frequent ones ascending; as many pages are asked for.
            budget: what a page may cost.
        Raises:
            NotFound: there is no such stream.
            InvalidArgument: the column is unknown, or a condition breaks a rule.
            LimitExceeded: the budget was used up: the column has too many distinct values, or the range too many rows.
        """
        size = max(1, min(most, 1_000))
        request = dimensions.request(stream, column, range=range, where=where, page_size=size, budget=budget)
        found = Dimension(0, 0, 0, (), 0)
        for page in self._calls.pages(request, pb.ExploreDimensionResponse):
            values = (found.values + dimensions.values(page))[: max(most, 0)]
            found = Dimension(page.cardinality, page.rows, page.nulls, values, page.commit)
            if len(values) >= most:
                break
        return found

    def explore_columns(
        self,
        stream: str,
        *,
        range: "Range | None" = None,  # noqa: A002
        where: Where | Sequence[Where] | None = None,
        page_size: int = 100,
        budget: Budget | None = None,
    ) -> Iterator[DimensionColumn]:
        """The columns of a stream and its ``entity`` in order of name, with how many values they have.

        >>> for found in client.explore_columns("cpu"):
        ...     print(found.name, found.type, found.cardinality, found.nulls_share)
        entity symbol 2 0.0
        host label 2 0.0
        value f64 4 0.0

        Raises:
            NotFound: there is no such stream.
            InvalidArgument: a condition breaks a rule.
            LimitExceeded: the budget was used up; it is that of a page.
        """
        request = dimensions.request(stream, "", range=range, where=where, page_size=page_size, budget=budget)
        for page in self._calls.pages(request, pb.ExploreDimensionResponse):
            for found in page.columns:
                yield dimensions.column(found)
