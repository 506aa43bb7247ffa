"""``marigram events`` and ``marigram event``: rows as they are."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

from marigram.cli import figures, output
from marigram.cli.options import Format
from marigram_client.aio import Client
from marigram_client.errors import InvalidArgument
from marigram_client.events import EventOrder, StoredEvent
from marigram_client.queries import Where

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from marigram_client.queries import Range

LARGEST_PAGE = 1_000


async def run(
    stream: str,
    *,
    where: Sequence[Where],
    range: "Range",  # noqa: A002 (the contract's word)
    columns: Sequence[str],
    first: EventOrder,
    limit: int,
    form: Format | None,
    file: "Path | None",
    address: str | None,
    profile: str | None,
) -> None:
    """Show the first rows of a stream in order of time."""
    form = output.format_for(file, form)
    found: list[StoredEvent] = []
    async with Client(address, profile=profile) as client:
        types = {column.name: column.type for column in (await client.get_stream(stream)).columns}
        rows = client.list_events(
            stream, where=where, range=range, columns=columns, first=first, page_size=min(limit, LARGEST_PAGE)
        )
        async for event in rows:
            found.append(event)
            if len(found) == limit:
                break
    output.put(_table(found, columns or list(types), types), form, file)


async def show(
    text: str, *, columns: Sequence[str], form: Format | None, address: str | None, profile: str | None
) -> None:
    """Show the row with an id."""
    form = output.format_for(None, form)
    try:
        event_id = bytes.fromhex(text)
    except ValueError:
        rule = f"id must be hexadecimal digits, as marigram events prints it, got {text}"
        raise InvalidArgument(rule, reason="COMMAND_LINE", field="id") from None
    async with Client(address, profile=profile) as client:
        found = await client.get_event(event_id, columns)
        types = {column.name: column.type for column in (await client.get_stream(found.stream)).columns}
    output.put(_table([found.event], columns or list(types), types), form)
    alike = "" if found.copies == 1 else f", {figures.counted(found.copies, 'row')} alike"
    output.talk().print(f"stream {output.printable(found.stream)}{alike}", markup=False)


def _table(events: Sequence[StoredEvent], columns: Sequence[str], types: Mapping[str, str]) -> "pa.Table":
    """Rows with ``time``, ``entity``, the columns, and their id as hexadecimal digits, which has a name of its own."""
    import pyarrow as pa

    instant = pa.timestamp("ns", "UTC")
    arrow = {"f64": pa.float64(), "i64": pa.int64(), "bool": pa.bool_(), "timestamp": instant}
    named = {"time": pa.array([event.time_ns for event in events], instant)}
    named["entity"] = pa.array([event.entity for event in events], pa.string())
    for name in columns:
        values = [event.values[name] for event in events]
        named[name] = pa.array(values, arrow.get(types.get(name, ""), pa.string()))
    free = next(name for at in count() if (name := "event_id" + "_" * at) not in named)
    return pa.table(named | {free: pa.array([event.id.hex() for event in events], pa.string())})
