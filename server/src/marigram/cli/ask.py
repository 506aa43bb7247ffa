"""``marigram query``: one question to the server."""

import math
from pathlib import Path
from typing import Any

from marigram.cli import figures, output
from marigram.cli.options import Format
from marigram_client import Provenance, provenance
from marigram_client.aio import Client
from marigram_client.answers import MeasureProvenance


async def run(
    stream: str, *, form: Format | None, file: Path | None, address: str | None, profile: str | None, **spec: Any
) -> None:
    """Ask and print; how the answer was made is told on standard error."""
    wanted = output.format_for(file, form)
    async with Client(address, profile=profile) as client:
        table = await client.query(stream, **spec)
    output.put(table, wanted, file)
    talk = output.talk()
    talk.print(_made(table.num_rows, provenance(table)), markup=False)
    if file is not None:
        talk.print(f"written to {output.printable(str(file))}", markup=False)


def _made(rows: int, made: Provenance) -> str:
    took = f"{made.elapsed.total_seconds() * 1e3:.1f} ms"
    parts = [f"{figures.counted(rows, 'row')} from {made.rows_scanned:,} in {took}", f"commit {made.commit}"]
    if made.cache_age is not None:
        parts.append(f"as computed {made.cache_age.total_seconds():.1f} s ago")
    parts += [_bound(measure) for measure in made.measures if not measure.exact]
    if made.nan_skipped:
        parts.append(f"{made.nan_skipped:,} NaN left out")
    if made.rows_unavailable:
        parts.append(f"{made.rows_unavailable:,} rows are gone")
    if not made.complete:
        parts.append("more rows may come")
    return output.printable(", ".join(parts))


def _bound(measure: MeasureProvenance) -> str:
    if measure.rank_error:
        return f"{measure.name} within {measure.rank_error:.3%} of ranks"
    if math.isinf(measure.relative_error):
        return f"{measure.name} estimated"
    return f"{measure.name} within {measure.relative_error:.3%}"
