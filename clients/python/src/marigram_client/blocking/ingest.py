# Written by `make proto` from aio/ingest.py: change that one.
"""Ingest: rows in. What returns without an error is on the server's disk."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from marigram_client import outcomes
from marigram_client._pb.marigram.v1 import ingest_pb2 as pb
from marigram_client.blocking.calls import Calls
from marigram_client.channel import MEBIBYTE
from marigram_client.errors import InvalidArgument
from marigram_client.ingest import Event
from marigram_client.kinds import ColumnType, Kind, stream_kind
from marigram_client.outcomes import EventResult, TrackResult, WriteResult

if TYPE_CHECKING:
    from marigram_client.batches import Labels, SeriesOfRows
    from marigram_client.blocking.writer import Writer
    from marigram_client.delivery import Rejection
    from marigram_client.times import Time

_MESSAGE_BYTES = 4 * MEBIBYTE


class Ingest:
    """The part of a client that writes."""

    _calls: Calls

    def write(
        self,
        stream: str,
        columns: object,
        *,
        kind: Kind | None = None,
        labels: "Labels | None" = None,
        series: "SeriesOfRows | None" = None,
        types: Mapping[str, ColumnType] | None = None,
        atomic: bool = False,
        timeout: timedelta | None = None,
    ) -> WriteResult:
        """Store rows given as columns; a missing stream is made.

        A call that is retried after a broken connection may store rows twice; a ``writer`` never does.

        >>> rows = {"time": [datetime(2026, 1, 1, tzinfo=UTC)], "value": [0.5]}
        >>> client.write("cpu", rows, labels={"host": "a"}).stored
        1

        Args:
            columns: names to numpy arrays, Arrow arrays or lists of equal length, or a data frame. ``time`` is needed:
                datetimes (UTC without a zone), ``datetime64``, ISO 8601 texts or integers of Unix nanoseconds.
            kind: ``"event"`` or ``"metric"``, to make the stream with; it must agree with a stream that exists. Labels
                or series mean metric.
            labels: which of the columns are labels, or labels by name: a text for all rows or one a row.
            series: instead of labels, the distinct series and the index of its series for each row.
            types: column types that differ from what the values look like, such as ``{"note": "text", "n": "i64"}``.
            atomic: one row that breaks a rule refuses them all. The rows must fit one batch.
            timeout: for each batch, retries included, instead of 10 s.
        Returns: the commit, and how many rows were stored, late or quarantined. Quarantined rows are no error.
        Raises:
            InvalidArgument: the columns are no rows, or atomic rows broke a rule.
            Overloaded: the server takes no more now, or cannot be reached.
            StoreFull: the operator must make room.
        """
        from marigram_client import batches

        rows = batches.read(columns, labels=labels, series=series, types=types)
        result: WriteResult | None = None
        written = 0
        for batch in rows.batches(_MESSAGE_BYTES):
            if atomic and batch.rows < len(rows):
                rule = f"atomic rows must fit one batch of {batch.rows} rows of this width"
                raise InvalidArgument(f"{rule}, got {len(rows)}", reason="BATCH_TOO_LARGE", field="columns")
            request = pb.WriteRequest(stream=stream, kind=stream_kind(kind, labels, series), batch=batch, atomic=atomic)
            part = outcomes.read(self._calls.unary(request, pb.WriteResponse, timeout), written)
            result = part if result is None else outcomes.joined(result, part)
            written += batch.rows
        if result is None:
            raise AssertionError("rows are never empty")
        return result

    def writer(
        self,
        name: str,
        *,
        batch_bytes: int = MEBIBYTE,
        in_flight_bytes: int = 8 * MEBIBYTE,
        linger: timedelta = timedelta(milliseconds=50),
        patience: timedelta = timedelta(minutes=1),
        on_rejected: "Callable[[Rejection], None] | None" = None,
    ) -> "Writer":
        """A writer: ``with client.writer("importer") as writer: …``. Each row it takes is stored exactly once,
        through broken connections and restarts of the server.

        >>> with client.writer("importer") as writer:
        ...     writer.write("cpu", {"time": [1, 2], "value": [0.5, 0.7]}, labels={"host": "a"})
        ...     writer.append("cpu", {"time": 3, "value": 0.6, "host": "a"}, labels=["host"])
        >>> writer.totals.stored
        3

        Args:
            name: the client's own name for it; opening it again fences the older opener.
            batch_bytes: about how large a batch is sent.
            in_flight_bytes: most bytes sent and not acknowledged; writing waits beyond it, so memory is bounded.
            linger: how long single rows wait for company.
            patience: how long the server may be away before the writer gives up with Overloaded.
            on_rejected: called with each batch of which rows were quarantined, while acknowledgements are read, so that
                it must neither take long nor write; without it a warning is logged at the end.
        """
        from marigram_client.blocking.writer import Writer

        return Writer(
            self._calls,
            name,
            batch_bytes=batch_bytes,
            in_flight_bytes=in_flight_bytes,
            linger=linger,
            patience=patience,
            on_rejected=on_rejected,
        )

    def track(
        self,
        event: str,
        *,
        user: str = "",
        time: "Time | None" = None,
        session: str = "",
        service: str = "",
        properties: Mapping[str, object] | None = None,
        stream: str = "events",
    ) -> EventResult:
        """Store one event: ``client.track("checkout", user="u1", properties={"amount": 12.5})``.

        >>> client.track("checkout", user="u1", properties={"amount": 12.5}).stored
        True

        Returns: its id, or the rule that it broke.
        """
        given = Event(event, user, time, session, service, properties or {})
        return self.track_many([given], stream=stream).events[0]

    def track_many(
        self, events: Iterable[Event], *, stream: str = "events", atomic: bool = False, timeout: timedelta | None = None
    ) -> TrackResult:
        """Store events, 1 to 100,000, with a verdict and an id for each.

        >>> tracked = client.track_many([Event("view", "u1"), Event("buy", "u1", properties={"amount": 12.5})])
        >>> [event.stored for event in tracked.events]
        [True, True]
        """
        request = pb.TrackEventsRequest(stream=stream, events=[event.message() for event in events], atomic=atomic)
        answer = self._calls.unary(request, pb.TrackEventsResponse, timeout)
        return TrackResult(outcomes.read(answer.outcome), tuple(map(outcomes.read_event, answer.results)))
