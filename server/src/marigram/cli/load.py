"""``marigram import``: the rows of a file, exactly once each, also through kills on either side.

The n-th batch of a file is the n-th of its writer, whose name says which file it is. The server keeps how many batches
of a writer it has, in the transaction of their rows; a run that starts again skips so many.
"""

import asyncio
from contextlib import ExitStack
from pathlib import Path

from marigram.cli import failures, output, progress, reading
from marigram.cli.beside import beside
from marigram.cli.options import FileFormat
from marigram.cli.plan import Plan, agreed, part
from marigram.cli.reading import Piece, Source
from marigram.cli.report import Report
from marigram.cli.rows import columns, writer_name
from marigram_client.aio import Client
from marigram_client.delivery import Totals
from marigram_client.errors import AlreadyExists, Internal, NotFound, PermissionDenied
from marigram_client.streams import Stream

_BATCH_BYTES = 12 << 20
"""Above what a piece may weigh, so that the client never cuts it again."""
_IN_FLIGHT_BYTES = 32 << 20


def show(file: str, plan: Plan, form: FileFormat | None) -> None:
    """Only show what the columns are taken for; asks no server."""
    with reading.opened(file, plan, form) as source:
        _show(source)
    output.talk().print("dry run: nothing was written")


async def run(
    file: str, plan: Plan, form: FileFormat | None, name: str | None, *, address: str | None, profile: str | None
) -> int:
    """Show what the columns are taken for, write the rows, and tell what became of them. Returns the exit code."""
    found = reading.format_of(file, form)
    _find(file)
    async with Client(address, profile=profile) as client:
        stream = await _stream(client, plan.stream)
        with ExitStack() as stack:
            wanted = agreed(plan, stream)
            source = await beside(lambda: stack.enter_context(reading.opened(file, wanted, form)))
            _show(source)
            stream = stream or await _made(client, source.plan)
            name = name or writer_name(file, found, plan.stream, stream)
            report = Report()
            totals = await _write(client, name, source, report)
    report.tell(totals, name)
    return failures.QUARANTINED if totals.rejected else 0


def _find(file: str) -> None:
    """That the file is there is known before a server is asked."""
    if file != "-":
        Path(file).open("rb").close()


def _show(source: Source) -> None:
    plan = source.plan
    talk = output.talk()
    talk.print(f"{plan.kind} stream {output.printable(plan.stream)}:", markup=False)
    rows = []
    for name, seen in source.columns.items():
        what = part(plan, name)
        kind = {"time": "timestamp", "label": "label"}.get(what) or plan.types.get(name) or seen.type
        rows.append((name, what, kind or "nothing, no value seen", seen.example[:40]))
    output.print_grid(("column", "part", "type", "example"), rows, console=talk)
    for seen in source.columns.values():
        if seen.hint:
            talk.print(output.printable(seen.hint), markup=False)


async def _stream(client: Client, name: str) -> Stream | None:
    """The stream, if there is one and the key may see it."""
    try:
        return await client.get_stream(name)
    except (NotFound, PermissionDenied):
        return None


async def _made(client: Client, plan: Plan) -> Stream | None:
    """The stream, made now, so that it can be told from one of the same name that is made after it was deleted. A key
    that may only write leaves it to the first batch."""
    try:
        return await client.create_stream(plan.stream, plan.kind or "metric")
    except AlreadyExists:
        return await client.get_stream(plan.stream)
    except PermissionDenied:
        return None


async def _write(client: Client, name: str, source: Source, report: Report) -> Totals:
    """Write every piece that is not there yet; the next one is read beside the sending."""
    plan = source.plan
    types = {column: kind for column, kind in plan.types.items() if column != plan.time}

    def read() -> asyncio.Task[Piece | None]:
        return asyncio.create_task(beside(lambda: next(source.pieces, None)))

    with progress.shown() as bar:
        async with client.writer(
            name, batch_bytes=_BATCH_BYTES, in_flight_bytes=_IN_FLIGHT_BYTES, on_rejected=report.rejected
        ) as writer:
            report.resume(writer.next_sequence - 1)
            coming = read()
            while (piece := await coming) is not None:
                coming = read()
                if report.take(piece):
                    await writer.write(
                        plan.stream, columns(piece, plan), kind=plan.kind, labels=plan.labels, types=types
                    )
                    if writer.next_sequence != report.pieces + 1:
                        raise Internal("a piece of a file must be one batch")
                bar(*source.position(), report.rows)
            return await writer.flush()
