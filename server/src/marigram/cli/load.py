"""``marigram import``: the rows of a file, exactly once each."""

import asyncio
from collections import Counter

from marigram.cli import files, output, progress
from marigram.cli.files import Plan, Source
from marigram_client.aio import Client
from marigram_client.delivery import Totals


async def run(file: str, plan: Plan, *, address: str | None, profile: str | None) -> None:
    """Show what the columns are taken for, write the rows, and tell what became of them."""
    talk = output.talk()
    reasons: Counter[str] = Counter()
    with files.opened(file, plan) as source:
        parts = files.parts(source.schema, plan)
        talk.print(f"{plan.kind} stream {plan.stream}:")
        for name, part in parts.items():
            talk.print(f"  {output.printable(name)}: {part}", markup=False)
        async with Client(address, profile=profile) as client:
            totals = await _write(client, files.writer_name(file, plan), source, plan, reasons)
    talk.print(f"{totals.stored:,} rows stored, {totals.late:,} of them late, as of commit {totals.commit}")
    for reason, count in sorted(reasons.items()):
        talk.print(f"{count:,} rows quarantined: {reason}")


async def _write(client: Client, name: str, source: Source, plan: Plan, reasons: Counter[str]) -> Totals:
    """Write every piece of the file; reading it happens beside the sending."""
    types = {column: kind for column, kind in plan.types.items() if column != plan.time}
    rows = 0
    with progress.shown() as bar:
        async with client.writer(name, on_rejected=lambda one: reasons.update(one.rejected)) as writer:
            while (piece := await asyncio.to_thread(next, source.pieces, None)) is not None:
                if len(piece):
                    found = files.columns(piece, plan)
                    await writer.write(plan.stream, found, kind=plan.kind, labels=plan.labels, types=types)
                rows += len(piece)
                bar(*source.position(), rows)
            return await writer.flush()
