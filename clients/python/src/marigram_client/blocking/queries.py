# Written by `make proto` from aio/queries.py: change that one.
"""Queries: windowed aggregates out, as Arrow tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

from marigram_client import answers, plans
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.blocking.calls import Calls
from marigram_client.errors import LimitExceeded
from marigram_client.filters import Condition
from marigram_client.groups import Group
from marigram_client.measures import Measure
from marigram_client.orders import Order
from marigram_client.plans import QueryPlan
from marigram_client.queries import Budget, Fill, Hints, Period, Where, extended, specification
from marigram_client.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

    from marigram_client.queries import Range
    from marigram_client.times import Time

Framing = bool | Literal["auto"]


class Queries:
    """The part of a client that asks."""

    _calls: Calls

    def query(
        self,
        stream: str | Mapping[str, Any],
        *,
        measures: Sequence[Measure] = (),
        range: "Range | None" = None,  # noqa: A002 (the contract's word)
        where: Where | Sequence[Where] | None = None,
        window: Window | None = None,
        group_by: str | Group | Sequence[str | Group] = (),
        fill: Fill | None = None,
        compare: Period | None = None,
        having: Condition | Sequence[Condition] = (),
        order_by: Order | Sequence[Order] = (),
        top_groups: int | None = None,
        other: bool = False,
        limit: int | None = None,
        as_of: int | None = None,
        budget: Budget | None = None,
        hints: Hints | None = None,
        stream_answer: Framing = "auto",
        timeout: timedelta | None = None,
    ) -> "pa.Table":
        """Measures of a stream, per window and group.

        >>> table = client.query("cpu", measures=[count(), mean("value")], group_by="host")
        >>> table.to_pylist()
        [{'host': 'a', 'count': 2, 'mean_value': 1.5}, {'host': 'b', 'count': 2, 'mean_value': 3.5}]
        >>> provenance(table).rows_scanned
        4

        The same as a dictionary, in the JSON form of the contract, and call by call, see ``query_of``:

        >>> measures = [{"kind": "MEASURE_KIND_COUNT"}, {"kind": "MEASURE_KIND_MEAN", "column": "value"}]
        >>> asked = {"stream": "cpu", "measures": measures, "groupBy": [{"column": "host"}]}
        >>> client.query(asked).equals(table)
        True

        Args:
            stream: its id; or the whole query as a dictionary, with nothing of it by keyword then.
            measures: what to compute, at least one: ``[count(), mean("value")]``.
            range: half-open ``(start, end)`` of event time; without it, all rows.
            where: rows to take: ``(column("host") == "a") & (column("value") > 3)``; as text, what the server reads
                in the syntax of AIP-160; of several, all must hold.
            window: ``tumbling(minutes=1)``, ``hopping``, ``session``, ``calendar``; without it, the whole range is one.
            group_by: columns, labels, ``entity``, or what is made of them: ``time_part("hour_of_day")``,
                ``bins("value", 10)``, ``captured("host", "^([a-z]+)")``. Nulls are a group of their own.
            fill: what stands in windows without rows: ``"null"``, ``"previous"``, ``"linear"``, ``"zero"`` or a number;
                without it, they are left out.
            compare: put M_before and M_change beside each measure M: its value in the same window and group of the
                ``"previous"`` range, the ``"same_weekday"`` or a ``"year_ago"``, and by what share it has changed.
            having: rows of the answer to keep, by its columns: ``column("count") > 10``; of several, all must hold.
            order_by: ``descending("mean_value")``; without it ascending by window start, then by group keys.
            top_groups: keep only so many groups a window, by the first key of ``order_by``; None and 0 are all.
            other: put those that ``top_groups`` drops into one more, exact: keys that are texts say ``other``, others
                are null.
            limit: most rows to return after ordering; None and 0 are all.
            as_of: answer of the rows as they were at this commit, which ``provenance(table).commit`` of an answer or an
                acknowledgement named; None and 0 are the newest.
            budget: what the query may cost.
            hints: how to go about it; the answer is the same.
            stream_answer: True asks for an answer in frames, False for one message (at most 3 MiB), ``"auto"`` for one
                message and, if it is too large, for frames.
            timeout: retries included, instead of 60 s.
        Returns: ``start`` (timestamp[ns, UTC]) if windows were asked for, group keys, measures. ``provenance(table)``
            says how the numbers were made.
        Raises:
            NotFound: there is no such stream.
            InvalidArgument: a column is unknown, or a part of the query breaks a rule.
            Unsupported: a part of the query is not served; ``field`` names it.
            OutOfRange: the commit of ``as_of`` is not there yet, or not kept any more; the nearest that are are named.
            LimitExceeded: the budget was used up, or the answer is too large for one message and was not to be
                streamed.
        """
        spec = specification(
            stream, measures, range=range, where=where, window=window, group_by=group_by, fill=fill, compare=compare,
            having=having, order_by=order_by, top_groups=top_groups, other=other, limit=limit, as_of=as_of,
            budget=budget, hints=hints,
        )  # fmt: skip
        return self._answered(spec, stream_answer, timeout)

    def explain(
        self,
        stream: str | Mapping[str, Any],
        *,
        measures: Sequence[Measure] = (),
        range: "Range | None" = None,  # noqa: A002
        where: Where | Sequence[Where] | None = None,
        window: Window | None = None,
        group_by: str | Group | Sequence[str | Group] = (),
        fill: Fill | None = None,
        compare: Period | None = None,
        having: Condition | Sequence[Condition] = (),
        order_by: Order | Sequence[Order] = (),
        top_groups: int | None = None,
        other: bool = False,
        limit: int | None = None,
        as_of: int | None = None,
        budget: Budget | None = None,
        hints: Hints | None = None,
        plan_only: bool = False,
        timeout: timedelta | None = None,
    ) -> QueryPlan:
        """How a query is answered: what was understood, what was pruned, which rollups were read or why not, and the
        time of each step. The query is run, and its answer thrown away.

        >>> plan = client.explain("cpu", measures=[count(), mean("value")], where="host = a")
        >>> look = plan.looks[0]
        >>> look.filter, look.entities, look.rows_matched, plan.answer_rows
        ('host = a', 1, 2, 1)
        >>> [state.keeps for measure in plan.measures for state in measure.states]
        ['count', 'sum']

        Args:
            plan_only: plan it and do not run it: nothing is decoded, and what only running tells is 0.
            timeout: retries included, instead of 60 s.
        The others are those of ``query``.
        Raises:
            NotFound: there is no such stream.
            InvalidArgument: a column is unknown, or a part of the query breaks a rule.
            Unsupported: a part of the query is not served; ``field`` names it.
            OutOfRange: the commit of ``as_of`` is not there yet, or not kept any more; the nearest that are are named.
            LimitExceeded: the budget was used up.
        """
        spec = specification(
            stream, measures, range=range, where=where, window=window, group_by=group_by, fill=fill, compare=compare,
            having=having, order_by=order_by, top_groups=top_groups, other=other, limit=limit, as_of=as_of,
            budget=budget, hints=hints,
        )  # fmt: skip
        return self._explained(spec, plan_only, timeout)

    def query_of(self, stream: str) -> "Query":
        """A query that is made call by call, and asked with ``run``.

        >>> by_host = client.query_of("cpu").measure(count(), mean("value")).by("host")
        >>> (by_host.where(column("value") > 1).run()).to_pylist()
        [{'host': 'a', 'count': 1, 'mean_value': 2.0}, {'host': 'b', 'count': 2, 'mean_value': 3.5}]
        """
        return Query(pb.QuerySpec(stream=stream), self)

    def _explained(self, spec: pb.QuerySpec, plan_only: bool, timeout: timedelta | None) -> QueryPlan:
        request = pb.ExplainQueryRequest(spec=spec, plan_only=plan_only)
        return plans.read(self._calls.unary(request, pb.ExplainQueryResponse, timeout))

    def _answered(self, spec: pb.QuerySpec, stream_answer: Framing, timeout: timedelta | None) -> "pa.Table":
        if stream_answer is not True:
            try:
                whole = self._calls.unary(
                    pb.QueryRequest(spec=spec, format=pb.ANSWER_FORMAT_ARROW), pb.QueryResponse, timeout
                )
                return answers.table([whole.arrow], whole.provenance)
            except LimitExceeded as error:
                if stream_answer is False or error.reason != "RESULT_TOO_LARGE":
                    raise
        request = pb.StreamQueryRequest(spec=spec, format=pb.ANSWER_FORMAT_ARROW)
        frames = self._calls.collect(request, pb.StreamQueryResponse, timeout)
        return answers.table([frame.arrow for frame in frames], frames[-1].provenance)


@dataclass(frozen=True, slots=True)
class Query:
    """A query of one client. Each call gives a new one and leaves the old as it was, so that several can begin alike.

    What there can be several of is added to what was said before, and all conditions must hold; ``range``, ``window``,
    ``fill``, ``compare``, ``top``, ``limit``, ``as_of``, ``budget`` and ``hints`` replace what was said before.
    Arguments are those of ``Client.query``.

    >>> hosts = client.query_of("cpu").by("host").order_by(descending("host"))
    >>> (hosts.measure(max_("value")).limit(1).run()).to_pylist()
    [{'host': 'b', 'max_value': 4.0}]
    >>> (hosts.measure(sum_("value")).window(tumbling(days=1)).run())["sum_value"].to_pylist()
    [7.0, 3.0]
    """

    spec: pb.QuerySpec
    """As the contract has it."""
    _client: Queries

    def measure(self, *measures: Measure) -> Self:
        """Compute these too."""
        return self._with(measures=measures)

    def range(self, start: "Time | None" = None, end: "Time | None" = None) -> Self:
        """Take rows of ``[start, end)`` only; None is open."""
        return self._with(range=(start, end))

    def where(self, *conditions: Where) -> Self:
        """Take only rows for which these hold too."""
        return self._with(where=conditions)

    def window(self, window: Window) -> Self:
        """Cut event time so."""
        return self._with(window=window)

    def by(self, *columns: str | Group) -> Self:
        """Group by these too."""
        return self._with(group_by=columns)

    def fill(self, fill: Fill) -> Self:
        """Put this into windows without rows."""
        return self._with(fill=fill)

    def compare(self, period: Period) -> Self:
        """Compare with this period."""
        return self._with(compare=period)

    def having(self, *conditions: Condition) -> Self:
        """Keep only rows of the answer for which these hold too."""
        return self._with(having=conditions)

    def top(self, groups: int, *, other: bool = False) -> Self:
        """Keep only so many groups a window, by the first key of the order; ``other``: and what they leave as one."""
        return self._with(top_groups=groups, other=other)

    def order_by(self, *orders: Order) -> Self:
        """Among rows that are equal so far, order by these."""
        return self._with(order_by=orders)

    def limit(self, rows: int) -> Self:
        """Return at most so many rows after ordering."""
        return self._with(limit=rows)

    def as_of(self, commit: int) -> Self:
        """Answer of the rows as they were at this commit."""
        return self._with(as_of=commit)

    def budget(self, budget: Budget) -> Self:
        """Cost at most that."""
        return self._with(budget=budget)

    def hints(self, hints: Hints) -> Self:
        """Go about it so."""
        return self._with(hints=hints)

    def run(self, *, stream_answer: Framing = "auto", timeout: timedelta | None = None) -> "pa.Table":
        """The answer, as ``Client.query`` gives it.

        >>> (client.query_of("cpu").measure(count()).run()).to_pylist()
        [{'count': 4}]
        """
        return self._client._answered(self.spec, stream_answer, timeout)

    def explain(self, *, plan_only: bool = False, timeout: timedelta | None = None) -> QueryPlan:
        """How it is answered, as ``Client.explain`` tells it.

        >>> (client.query_of("cpu").measure(count()).explain(plan_only=True)).executed
        False
        """
        return self._client._explained(self.spec, plan_only, timeout)

    def _with(self, **more: Any) -> Self:
        return replace(self, spec=extended(self.spec, **more))
