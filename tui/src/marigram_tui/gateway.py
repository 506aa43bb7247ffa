"""The only importer of the client: what the screens ask of a server, and what may go wrong in words for people."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from marigram_tui import formats
from marigram_tui.questions import ENTITY, ROWS, Answer, Column, Line, Question, Schema

if TYPE_CHECKING:
    import pyarrow as pa

    from marigram_client import Measure as AskedMeasure
    from marigram_client import ServerStatus, StreamStatus  # noqa: TC004 (screens take the types from here)
    from marigram_client.aio import Client
    from marigram_tui.explore.calls import Call
    from marigram_tui.explore.form import Query
    from marigram_tui.explore.found import Found
    from marigram_tui.explore.kinds import MeasureKind

    Bounds = tuple[int | str | None, int | str | None]

__all__ = ["Gateway", "Kind", "LiveGateway", "ServerStatus", "StreamStatus", "Trouble"]

_QUERY_TIMEOUT = timedelta(seconds=20)
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class Kind(Enum):
    """What a trouble means for the one who looks."""

    LOST = "connection lost"
    DENIED = "not allowed"
    SETTING = "wrong setting"
    QUESTION = "no answer"


class Trouble(Exception):  # noqa: N818  (not an error of the program)
    """Something went wrong with the server or on the way to it: one sentence why, and one what to do about it.

    ``field`` is the path of what broke a rule, ``reason`` the server's word for it; empty where there is none.
    """

    def __init__(self, kind: Kind, why: str, advice: str = "", *, field: str = "", reason: str = "") -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why
        self.advice = advice
        self.field = field
        self.reason = reason


class Gateway(Protocol):
    """A server. Every method raises ``Trouble`` and nothing else."""

    address: str

    def watch_status(self, interval: timedelta) -> "AsyncIterator[ServerStatus]":
        """Figures at once and then each interval, over a connection of its own; ends in ``Trouble``."""

    async def schema(self, stream: str) -> Schema:
        """What there is to draw of a stream."""

    async def members(self, question: Question, most: int) -> tuple[str, ...]:
        """The members of the question's group that have most rows in its range."""

    async def ask(self, question: Question) -> Answer:
        """The answer as of now."""

    async def kinds(self) -> "tuple[MeasureKind, ...]":
        """The measures that the client knows."""

    async def explore(self, query: "Query", bounds: "Bounds") -> "Found":
        """The answer of a query over this range. A caller that is cancelled cancels it in the server too."""

    async def close(self) -> None:
        """Give up what is running."""


class LiveGateway:
    """A server behind the client. The client is imported when it is needed, so that the first screen is up before."""

    def __init__(self, address: str | None = None, key: str | None = None, profile: str | None = None) -> None:
        self.address = address or ""
        self._wanted = (address, key, profile)
        self._client: Client | None = None

    async def watch_status(self, interval: timedelta) -> "AsyncIterator[ServerStatus]":
        await self.close()  # a server that was started anew may have left another key
        client = await self._connected()
        with _told("status:read"):
            async for status in client.watch_status(interval):
                yield status

    async def schema(self, stream: str) -> Schema:
        client = await self._connected()
        with _told("query:read"):
            found = await client.get_stream(stream)
        columns = tuple(Column(column.name, column.type, column.unit) for column in found.columns)
        return Schema.of(columns, found.out_of_orderness)

    async def members(self, question: Question, most: int) -> tuple[str, ...]:
        from marigram_client import count, descending

        client = await self._connected()
        group = question.group or ENTITY
        with _told("query:read"):
            table = await client.query(
                question.stream, measures=[count(name="rows")], range=(question.start_ns, question.end_ns),
                group_by=group, order_by=descending("rows"), limit=most, timeout=_QUERY_TIMEOUT,
            )  # fmt: skip
        return tuple(str(member) for member in table[group].to_pylist() if member is not None)

    async def ask(self, question: Question) -> Answer:
        from marigram_client import column, tumbling

        if question.group is not None and not question.members:
            return Answer((), 0, 0, 0, timedelta(), "raw", None, 0.0, question)
        client = await self._connected()
        with _told("query:read"):
            table = await client.query(
                question.stream,
                measures=[_measure(question)],
                range=(question.start_ns, question.end_ns),
                window=tumbling(question.width),
                where=column(question.group).is_in(question.members) if question.group else None,
                group_by=question.group or (),
                timeout=_QUERY_TIMEOUT,
            )
        return _answer(table, question)

    async def kinds(self) -> "tuple[MeasureKind, ...]":
        from marigram_tui.explore import kinds

        return kinds.of(await asyncio.to_thread(importlib.import_module, "marigram_client.measures"))

    async def explore(self, query: "Query", bounds: "Bounds") -> "Found":
        from marigram_client import ascending, descending, provenance
        from marigram_tui.explore import found

        client = await self._connected()
        with _told("query:read"):
            table = await client.query(
                query.stream,
                measures=[_called(call) for call in query.measures],
                range=bounds if any(bound is not None for bound in bounds) else None,
                where=query.filter or None,
                window=_called(query.window) if query.window is not None else None,
                group_by=[key if isinstance(key, str) else _called(key) for key in query.keys],
                fill=query.fill,  # type: ignore[arg-type]  # one of the words, as was read
                compare=query.compare,  # type: ignore[arg-type]
                order_by=[descending(key[1:]) if key.startswith("-") else ascending(key) for key in query.order],
                top_groups=query.top or None,
                other=query.other,
                timeout=_QUERY_TIMEOUT,
            )
            return await asyncio.to_thread(found.of, table, query, bounds, found.made(provenance(table)))

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _connected(self) -> "Client":
        if self._client is None:
            # Imports take a while: not on the loop that paints.
            aio = await asyncio.to_thread(importlib.import_module, "marigram_client.aio")
            address, key, profile = self._wanted
            with _told(""):
                self._client = aio.Client(address, key, profile=profile)
            self.address = self._client.address
        return self._client


@contextmanager
def _told(scope: str) -> Iterator[None]:
    """Every error as a ``Trouble``. A call that is given up because the connection is made anew counts as lost."""
    try:
        yield
    except Exception as error:
        raise trouble(error, scope) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Trouble(Kind.LOST, "the connection was closed") from error


def trouble(error: Exception, scope: str) -> Trouble:
    """What an error of the client means; anything that is none of its own counts as a lost connection."""
    import marigram_client as client

    why = str(error) or type(error).__name__
    told = {"field": getattr(error, "field", ""), "reason": getattr(error, "reason", "")}
    match error:
        case Trouble():
            return error
        case client.Unauthenticated():
            return Trouble(
                Kind.DENIED,
                why,
                "Give a valid one with --key, MARIGRAM_KEY or a profile, or start where the data directory lies.",
            )
        case client.PermissionDenied():
            return Trouble(
                Kind.DENIED,
                why,
                f"Ask an administrator for a key with the scope {scope}; the role viewer has it.",
            )
        case client.Unsupported() if scope == "query:read" and error.field:
            return Trouble(Kind.QUESTION, why, **told)
        case client.Unsupported():
            return Trouble(Kind.SETTING, f"this server is too old: {why}", "Update the server.")
        case client.NotFound() | client.InvalidArgument() | client.OutOfRange() | client.LimitExceeded():
            return Trouble(Kind.QUESTION if scope else Kind.SETTING, why, **told)
        case client.DeadlineExceeded() if scope == "query:read":
            return Trouble(Kind.QUESTION, why)
        case ValueError() if scope:
            # What was typed is more than a message holds.
            return Trouble(Kind.QUESTION, why)
        case _:
            return Trouble(Kind.LOST, _plain(why))


def _plain(why: str) -> str:
    """gRPC lists every address that it tried and what happened inside; the last cause is what helps."""
    if why.startswith("failed to connect"):
        return why.rpartition(": ")[2].rstrip(" )}").lower() or why
    return why


def _called(call: "Call") -> Any:
    """What the client's function makes of what was typed."""
    import marigram_client as client

    made = getattr(client, call.function)(*call.arguments, **dict(call.named))
    return made.where(call.where) if call.where else made


def _measure(question: Question) -> "AskedMeasure":
    import marigram_client as client

    name, column = question.measure, question.column.name
    if column == ROWS:
        return client.count(name="value")
    if name in _QUANTILES:
        return client.quantile(column, _QUANTILES[name], "value")
    kinds = {
        "count": client.count,
        "distinct": client.distinct,
        "sum": client.sum_,
        "mean": client.mean,
        "min": client.min_,
        "max": client.max_,
        "last": client.last,
        "standard deviation": client.standard_deviation,
        "rate": client.rate,
        "increase": client.increase,
    }
    return kinds[name](column, "value")


def _answer(table: "pa.Table", question: Question) -> Answer:
    import numpy as np

    from marigram_client import provenance

    made = provenance(table)
    table = table.filter(table["value"].is_valid())  # what a window has no number for is no point of a line
    starts = table["start"].cast("int64").to_numpy()
    values = table["value"].cast("float64").to_numpy().astype(np.float64)
    if question.group is None:
        lines = [Line("", starts, values)]
    else:
        of = np.array([str(member) for member in table[question.group].to_pylist()], dtype=object)
        lines = [Line(member, starts[of == member], values[of == member]) for member in question.members]
    return Answer(
        tuple(lines),
        made.rows_scanned,
        made.rows_matched,
        made.commit,
        made.elapsed,
        formats.source(made),
        made.watermark_ns,
        max((measure.relative_error for measure in made.measures if not measure.exact), default=0.0),
        question,
    )
