"""``marigram streams``: what there is, and what it is made of."""

from collections.abc import Iterable
from datetime import timedelta

from marigram.cli import figures, output
from marigram.cli.confirm import confirmed
from marigram.cli.options import Shape
from marigram.cli.plain import plain
from marigram_client.aio import Client
from marigram_client.kinds import ColumnType, Kind
from marigram_client.streams import Column, Rollup, Stream


async def show_all(shape: Shape, *, address: str | None, profile: str | None) -> None:
    """All streams of the key's namespace."""
    async with Client(address, profile=profile) as client:
        streams = [stream async for stream in client.list_streams()]
    if shape is Shape.JSON:
        output.print_json([_row(stream) for stream in streams])
        return
    if not streams:
        output.talk().print("no streams yet: `marigram import FILE` makes one")
        return
    rows = [tuple(_row(stream).values()) for stream in streams]
    output.print_grid(("name", "kind", "rows", "entities", "watermark"), rows, right=(2, 3))


async def show(name: str, shape: Shape, *, address: str | None, profile: str | None) -> None:
    """One stream, its columns and settings."""
    async with Client(address, profile=profile) as client:
        stream = await client.get_stream(name)
    if shape is Shape.JSON:
        output.print_json(plain(stream))
        return
    columns = [(column.name, column.type, column.unit, column.description) for column in stream.columns]
    output.print_grid(("column", "type", "unit", "description"), [*_made(stream), *columns], title=stream.name)
    output.print_grid(("setting or figure", "value"), _facts(stream))


async def create(
    name: str,
    kind: Kind,
    columns: dict[str, ColumnType],
    *,
    strict: bool,
    out_of_orderness: timedelta | None,
    allowed_lateness: timedelta | None,
    idle_after: timedelta | None,
    max_age: timedelta | None,
    keep_for: timedelta | None,
    cold_after: timedelta | None,
    rollups: Iterable[Rollup],
    description: str,
    address: str | None,
    profile: str | None,
) -> None:
    """Make a stream and say so."""
    async with Client(address, profile=profile) as client:
        stream = await client.create_stream(
            name, kind, [Column(column, of) for column, of in columns.items()], strict=strict,
            out_of_orderness=out_of_orderness, allowed_lateness=allowed_lateness, idle_after=idle_after,
            max_age=max_age, keep_for=keep_for, cold_after=cold_after, rollups=rollups, description=description,
        )  # fmt: skip
    output.talk().print(f"{stream.kind} stream {stream.name} made, {len(stream.columns)} columns", markup=False)


async def recode(name: str, before_ns: int | None, *, address: str | None, profile: str | None) -> None:
    """Have sealed parts written anew, and say what that came to."""
    async with Client(address, profile=profile) as client:
        done = await client.recode(name, before_ns=before_ns)
    sizes = (
        f"{figures.size(done.bytes_before)} became {figures.size(done.bytes_after)}" if done.parts else "nothing to do"
    )
    output.talk().print(f"{figures.counted(done.parts, 'part')} of stream {name} recoded: {sizes}", markup=False)


async def delete(name: str, *, yes: bool, address: str | None, profile: str | None) -> None:
    """Delete a stream and all its rows, after asking."""
    async with Client(address, profile=profile) as client:
        stream = await client.get_stream(name)
        confirmed(f"Delete {stream.kind} stream {name} and its {stream.stats.stored:,} rows for ever?", yes)
        gone = await client.delete_stream(name)
    said = f"stream {name} deleted with {gone.rows:,} rows, as of commit {gone.commit}"
    output.talk().print(output.printable(said), markup=False)


def _row(stream: Stream) -> dict[str, object]:
    stats = stream.stats
    return {
        "name": stream.name,
        "kind": stream.kind,
        "rows": stats.stored,
        "entities": stats.entities,
        "watermark": figures.instant(stats.watermark_ns),
    }


def _made(stream: Stream) -> list[tuple[str, ...]]:
    """The columns that every stream of its kind has, unless they are listed by name."""
    there = {column.name for column in stream.columns}
    always: list[tuple[str, ...]] = [("time", "timestamp", "ns", "event time")]
    if stream.kind == "event":
        always += [("user", "entity", "", "who did it; entity in queries")]
    return [row for row in always if row[0] not in there]


def _rollup(rollup: Rollup) -> str:
    keys = ", ".join(rollup.group_by) or "entity"
    kept = "for ever" if rollup.keep_for is None else f"for {figures.length(rollup.keep_for)}"
    sketches = ", with sketches" if rollup.sketches else ""
    return f"{figures.length(rollup.width)} by {keys}, kept {kept}{sketches}"


def _facts(stream: Stream) -> list[tuple[str, str]]:
    stats = stream.stats
    rejected = "".join(f"; {count:,} {reason}" for reason, count in sorted(stats.rejected.items()))
    facts = [
        ("kind", stream.kind),
        ("description", stream.description),
        ("made", figures.moment(stream.create_time) or ""),
        ("new columns", "refused (strict)" if stream.strict else "added on first use"),
        ("out of orderness", figures.length(stream.out_of_orderness)),
        ("allowed lateness", figures.length(stream.allowed_lateness)),
        ("idle after", figures.length(stream.idle_after)),
        ("max age", figures.length(stream.max_age)),
        ("keep for", figures.length(stream.keep_for)),
        ("cold after", figures.length(stream.cold_after)),
        *(("rollup", _rollup(rollup)) for rollup in stream.rollups),
        ("entities", f"{stats.entities:,}"),
        ("rows stored", f"{stats.stored:,}, {stats.late:,} of them late"),
        ("rows rejected", f"{sum(stats.rejected.values()):,}{rejected}"),
        ("rows duplicate", f"{stats.duplicate:,}"),
        ("newest row", figures.instant(stats.max_time_ns) or output.NOTHING),
        ("watermark", figures.instant(stats.watermark_ns) or output.NOTHING),
        ("rows sealed", f"{stats.sealed_rows:,} in {figures.counted(stats.parts, 'part')}"),
        ("parts on disk", figures.size(stats.sealed_bytes)),
        ("log on disk", figures.size(stats.log_bytes)),
    ]
    return [(name, value) for name, value in facts if value]
