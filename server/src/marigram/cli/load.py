"""``marigram import``: the rows of a file, exactly once each."""

from collections import Counter

from marigram.cli import files, output
from marigram.cli.files import Plan
from marigram.cli.progress import Bar
from marigram_client.aio import Client


async def run(file: str, plan: Plan, bar: Bar, *, address: str | None, profile: str | None) -> None:
    """Show what the columns are taken for, write the rows, and tell what became of them."""
    talk = output.talk()
    reasons: Counter[str] = Counter()
    with files.opened(file, plan) as source:
        parts = files.parts(source.schema, plan)
        talk.print(f"{plan.kind} stream {plan.stream}:")
        for name, part in parts.items():
            talk.print(f"  {output.printable(name)}: {part}", markup=False)
        async with (
            Client(address, profile=profile) as client,
            client.writer(
                files.writer_name(file, plan), on_rejected=lambda one: reasons.update(one.rejected)
            ) as writer,
        ):
            rows = 0
            for piece in source.pieces:
                if len(piece):
                    await writer.write(
                        plan.stream,
                        files.columns(piece, plan),
                        kind=plan.kind,
                        labels=plan.labels,
                        types={name: kind for name, kind in plan.types.items() if name != plan.time},
                    )
                rows += len(piece)
                bar(*source.position(), rows)
            totals = await writer.flush()
    talk.print(f"{totals.stored:,} rows stored, {totals.late:,} of them late, as of commit {totals.commit}")
    for reason, count in sorted(reasons.items()):
        talk.print(f"{count:,} rows quarantined: {reason}")
