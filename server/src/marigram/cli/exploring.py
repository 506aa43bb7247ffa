"""``marigram explore``: what columns hold."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from marigram.cli import figures, output
from marigram.cli.options import Shape
from marigram_client.aio import Client
from marigram_client.queries import Where

if TYPE_CHECKING:
    from marigram_client.queries import Range


async def run(
    stream: str,
    column: str,
    *,
    where: Sequence[Where],
    range: "Range",  # noqa: A002 (the contract's word)
    limit: int,
    shape: Shape,
    address: str | None,
    profile: str | None,
) -> None:
    """Show the values of a column, or without one the columns."""
    is_time = False
    async with Client(address, profile=profile) as client:
        if column:
            found = await client.explore(stream, column, where=where, range=range, most=limit)
            columns_there = (await client.get_stream(stream)).columns
            is_time = any(one.name == column and one.type == "timestamp" for one in columns_there)
        else:
            columns = [one async for one in client.explore_columns(stream, where=where, range=range)]
    if not column:
        if shape is Shape.JSON:
            output.print_json([asdict(one) for one in columns])
            return
        rows = [(one.name, one.type, _about(one.cardinality, one.exact), _share(one.nulls_share)) for one in columns]
        output.print_grid(("column", "type", "values", "nulls"), rows, right=(2, 3))
        return
    if is_time:
        values = (replace(one, value=figures.instant(int(one.value)) or "") for one in found.values)
        found = replace(found, values=tuple(values))
    if shape is Shape.JSON:
        output.print_json(output.finite(asdict(found)))
        return
    rows_of_values = [(one.value, one.count, _share(one.share)) for one in found.values]
    output.print_grid((column, "rows", "share"), rows_of_values, right=(1, 2))
    told = f"{figures.counted(found.cardinality, 'value')} in {figures.counted(found.rows, 'row')}"
    output.talk().print(f"{told}, {found.nulls:,} null, commit {found.commit}", markup=False)


def _about(cardinality: int, exact: bool) -> str:
    return f"{cardinality:,}" if exact else f"about {cardinality:,}"


def _share(share: float) -> str:
    return f"{share:.2%}"
