"""``marigram verify``: everything that is stored, read and checked."""

from pathlib import Path
from typing import TYPE_CHECKING

from marigram.cli import figures, output
from marigram.cli.options import Shape
from marigram.cli.plain import plain
from marigram_client.admin import Verified as Told
from marigram_client.aio import Client

if TYPE_CHECKING:
    from marigram.engine import Verified


async def online(shape: Shape, *, address: str | None, profile: str | None) -> None:
    """Ask the server to do it."""
    async with Client(address, profile=profile) as client:
        _tell(await client.verify(), shape)


def offline(directory: Path, shape: Shape) -> None:
    """Do it here, in a directory that no server holds."""
    from marigram.engine import verify_directory

    _tell(verify_directory(directory), shape)


def _tell(found: "Told | Verified", shape: Shape) -> None:
    if shape is Shape.JSON:
        output.print_json(plain(found))
        return
    rows = [
        ("records", f"{found.records:,}"),
        (
            "log",
            f"{found.rows:,} rows in {figures.counted(found.batches, 'batch', 'batches')}, {_blocks(found.blocks)}",
        ),
        ("log on disk", f"{figures.size(found.bytes)} in {figures.counted(found.l0_values, 'value')}"),
        ("parts", f"{found.part_rows:,} rows in {figures.counted(found.parts, 'part')}, {_blocks(found.part_blocks)}"),
        ("parts on disk", figures.size(found.part_bytes)),
    ]
    output.print_grid(("read and checked", "value"), rows)
    output.talk().print("everything is as it was written")


def _blocks(number: int) -> str:
    return figures.counted(number, "block")
