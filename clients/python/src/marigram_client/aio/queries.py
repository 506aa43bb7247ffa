# ruff: noqa: ASYNC109  (the bound travels to the server, and spans attempts)
"""Queries: windowed aggregates out, as Arrow tables."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from marigram_client import answers
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.aio.calls import Calls
from marigram_client.errors import LimitExceeded
from marigram_client.filters import Condition
from marigram_client.measures import Measure, Order, Window
from marigram_client.queries import Budget, specification

if TYPE_CHECKING:
    import pyarrow as pa

    from marigram_client.queries import Range


class Queries:
    """The part of a client that asks."""

    _calls: Calls

    async def query(
        self,
        stream: str,
        *,
        measures: Sequence[Measure],
        range: "Range | None" = None,  # noqa: A002 (the contract's word)
        where: Condition | None = None,
        window: Window | None = None,
        group_by: str | Sequence[str] = (),
        order_by: Order | Sequence[Order] = (),
        limit: int = 0,
        budget: Budget | None = None,
        stream_answer: bool | Literal["auto"] = "auto",
        timeout: timedelta | None = None,
    ) -> "pa.Table":
        """Measures of a stream, per window and group.

        >>> table = await client.query("cpu", measures=[count(), mean("value")], group_by="host")
        >>> table.to_pylist()
        [{'host': 'a', 'count': 2, 'mean_value': 1.5}, {'host': 'b', 'count': 2, 'mean_value': 3.5}]
        >>> provenance(table).rows_scanned
        4

        Args:
            measures: what to compute, at least one: ``[count(), mean("value")]``.
            range: half-open ``(start, end)`` of event time; without it, all rows.
            where: rows to take: ``(column("host") == "a") & (column("value") > 3)``.
            window: ``tumbling(minutes=1)``; without it, the whole range is one.
            group_by: columns, labels or ``entity``. Nulls are a group of their own.
            order_by: ``descending("mean_value")``; without it ascending by window start, then by group keys.
            limit: most rows to return after ordering; 0 is all.
            budget: what the query may cost.
            stream_answer: True asks for an answer in frames, False for one message (at most 3 MiB), ``"auto"`` for one
                message and, if it is too large, for frames.
            timeout: retries included, instead of 60 s.
        Returns: ``start`` (timestamp[ns, UTC]) if windows were asked for, group keys, measures. ``provenance(table)``
            says how the numbers were made.
        Raises:
            NotFound: there is no such stream.
            InvalidArgument: a column is unknown, or a part of the query breaks a rule.
            Unsupported: a part of the query is not served; ``field`` names it.
            LimitExceeded: the budget was used up, or the answer is too large for one message and was not to be
                streamed.
        """
        spec = specification(
            stream, measures, range=range, where=where, window=window, group_by=group_by, order_by=order_by,
            limit=limit, budget=budget,
        )  # fmt: skip
        if stream_answer is not True:
            try:
                whole = await self._calls.unary(
                    pb.QueryRequest(spec=spec, format=pb.ANSWER_FORMAT_ARROW), pb.QueryResponse, timeout
                )
                return answers.table([whole.arrow], whole.provenance)
            except LimitExceeded as error:
                if stream_answer is False or error.reason != "RESULT_TOO_LARGE":
                    raise
        request = pb.StreamQueryRequest(spec=spec, format=pb.ANSWER_FORMAT_ARROW)
        frames = await self._calls.collect(request, pb.StreamQueryResponse, timeout)
        return answers.table([frame.arrow for frame in frames], frames[-1].provenance)
