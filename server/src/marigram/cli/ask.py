"""``marigram query``: one question to the server."""

from typing import Any

from marigram.cli import output as printing
from marigram.cli.words import Format
from marigram_client import provenance
from marigram_client.aio import Client


async def run(stream: str, *, output: Format, address: str | None, profile: str | None, **spec: Any) -> None:
    """Ask and print; how the answer was made is told on standard error."""
    async with Client(address, profile=profile) as client:
        table = await client.query(stream, **spec)
    printing.put(table, output)
    made = provenance(table)
    note = "" if made.complete else ", more rows may come"
    printing.talk().print(
        f"{table.num_rows:,} rows from {made.rows_scanned:,} in {made.elapsed.total_seconds() * 1e3:.1f} ms, "
        f"commit {made.commit}{note}"
    )
