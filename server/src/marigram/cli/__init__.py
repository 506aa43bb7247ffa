"""The command ``marigram``: parses and calls, nothing else. What a command needs is imported when it runs.

Data goes to standard output, everything else to standard error.
"""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from marigram.cli import backup, failures, groups
from marigram.cli.options import (
    EXIT_CODES,
    Address,
    AsOf,
    Columns,
    Compare,
    FileFormat,
    FillText,
    FilterText,
    First,
    Format,
    Formulas,
    GroupBy,
    Having,
    Limit,
    MeasureTexts,
    OrderBy,
    Other,
    Output,
    OutputFile,
    OutputFormat,
    Profile,
    Shape,
    Since,
    Top,
    Until,
    Where,
    WindowText,
)


class _InOrder(TyperGroup):
    """Commands in the order in which they are needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        first = [
            "serve",
            "import",
            "query",
            "explain",
            "explore",
            "events",
            "event",
            "streams",
            "status",
            "top",
            "storage",
            "verify",
            "key",
            "namespace",
            "backup",
            "inspect",
            "demo",
        ]
        return [*first, *(name for name in super().list_commands(ctx) if name not in first)]


app = typer.Typer(
    cls=_InOrder,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="""An analytics engine for time-stamped rows.

    \b
    Example:
      marigram serve          # in one terminal; in another, in the same folder:
      marigram import cpu.csv --labels host
      marigram query cpu --measure mean:value --window 1m
      marigram top
    """,
    epilog=EXIT_CODES,
)


def _told_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_told_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Commands of Marigram."""


@app.command(epilog=EXIT_CODES)
@failures.told
def version() -> None:
    """Print the version of the engine.

    \b
    Example:
      marigram version
    """
    from marigram.engine import _core

    typer.echo(_core.VERSION)


@app.command(epilog=EXIT_CODES)
@failures.told
def serve(
    data_dir: Annotated[Path | None, typer.Option(help="Directory of everything that is kept.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one and says which.")] = None,
    config: Annotated[Path | None, typer.Option(envvar="MARIGRAM_CONFIG", help="TOML file of settings.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, json or console.")] = None,
    reflection: Annotated[bool | None, typer.Option("--reflection/--no-reflection", help="Serve reflection.")] = None,
    sealing: Annotated[
        bool | None, typer.Option("--sealing/--no-sealing", help="Seal rows in the background; on unless told.")
    ] = None,
    more: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any other setting.")] = None,
    until_stdin_ends: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve a data directory until SIGTERM or SIGINT; a second signal ends it at once.

    A flag beats the environment (MARIGRAM_PORT and so on), which beats the settings file. The first start on an empty
    directory makes the namespace `default` and writes an admin key to the file admin.key in it.

    Where the log goes to a terminal, it begins with where the server listens, where data and key are, and how to stop.

    \b
    Example:
      marigram serve
      marigram serve --data-dir ./marigram-data --port 4774 --set query_seconds=60
    """
    from marigram import config as settings
    from marigram.cli import lifeline, serving, words
    from marigram.errors import InvalidArgument

    flags: dict[str, object] = dict(words.setting(text) for text in more or ())
    named = {"data_dir": data_dir, "host": host, "port": port, "log_level": log_level, "log_format": log_format}
    switches = {"reflection": reflection, "sealing": sealing}
    flags |= {name: value for name, value in (named | switches).items() if value is not None}
    try:
        loaded = settings.load(flags, config)
    except ValueError as error:
        raise InvalidArgument(str(error), reason="SETTING_INVALID") from error
    if until_stdin_ends:
        lifeline.hold()
    raise typer.Exit(serving.run(loaded))


@app.command(epilog=EXIT_CODES)
@failures.told
def query(
    stream: Annotated[str, typer.Argument(help="Stream to ask.")],
    measure: MeasureTexts = None,
    formula: Formulas = None,
    group_by: GroupBy = None,
    window: WindowText = None,
    where: Where = None,
    filter_text: FilterText = None,
    since: Since = None,
    until: Until = None,
    fill: FillText = None,
    compare: Compare = None,
    having: Having = None,
    order_by: OrderBy = None,
    top: Top = 0,
    other: Other = False,
    limit: Limit = 0,
    as_of: AsOf = 0,
    output: OutputFormat = None,
    output_file: OutputFile = None,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Ask for measures of a stream and print the answer; how it was made is told on standard error.

    \b
    Example:
      marigram query cpu
      marigram query cpu -m mean:value -m p99:value --group-by host --window 1m
      marigram query flights -m p95:delay=slow -g carrier --from 2013-06-01 \\
        --where 'origin in JFK,LGA' --order-by=-slow --limit 10
      marigram query flights -m distinct:entity -w 7d -o csv > aircraft.csv
      marigram query cpu -m max:value -w 1h --output-file peaks.parquet
      marigram query web -m rate:requests -m ratio:errors:requests -w 10m/1m \\
        --formula 'percent=ratio_errors * 100'
      marigram query visits -m count -w week@Europe/Berlin
      marigram query visits -g hour_of_day:time@Europe/Berlin
    """
    from marigram.cli import ask, question

    spec = question.asked(
        measures=measure, formulas=formula, group_by=group_by, cut=window, where=where, filter_text=filter_text,
        since=since, until=until, fill_with=fill, compare=compare, having=having, order_by=order_by, top=top,
        other=other, limit=limit, as_of=as_of,
    )  # fmt: skip
    asyncio.run(
        ask.run(
            stream,
            **spec,
            form=output,
            file=output_file,
            address=address,
            profile=profile,
        )
    )


@app.command(epilog=EXIT_CODES)
@failures.told
def explain(
    stream: Annotated[str, typer.Argument(help="Stream to ask.")],
    measure: MeasureTexts = None,
    formula: Formulas = None,
    group_by: GroupBy = None,
    window: WindowText = None,
    where: Where = None,
    filter_text: FilterText = None,
    since: Since = None,
    until: Until = None,
    fill: FillText = None,
    compare: Compare = None,
    having: Having = None,
    order_by: OrderBy = None,
    top: Top = 0,
    other: Other = False,
    limit: Limit = 0,
    as_of: AsOf = 0,
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Plan it and do not run it: nothing is read.")] = False,
    output: Output = Shape.TABLE,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Print how a query is answered: what was pruned, which rollups were read or why not, what was decoded, and the
    time of each step. The query is that of `marigram query`; it is run, and its answer thrown away.

    \b
    Example:
      marigram explain cpu -m mean:value --group-by host --window 1h
      marigram explain flights -m p95:delay -g carrier --where 'origin in JFK,LGA'
      marigram explain cpu -m max:value -w 1h --from 2026-01-01 --plan-only
      marigram explain cpu -m mean:value -o json
    """
    from marigram.cli import explaining, question

    spec = question.asked(
        measures=measure, formulas=formula, group_by=group_by, cut=window, where=where, filter_text=filter_text,
        since=since, until=until, fill_with=fill, compare=compare, having=having, order_by=order_by, top=top,
        other=other, limit=limit, as_of=as_of,
    )  # fmt: skip
    asyncio.run(explaining.run(stream, plan_only=plan_only, shape=output, address=address, profile=profile, **spec))


@app.command(epilog=EXIT_CODES)
@failures.told
def explore(
    stream: Annotated[str, typer.Argument(help="Stream to look at.")],
    column: Annotated[str, typer.Argument(help="Column, label or entity; without it, the columns.")] = "",
    where: Where = None,
    filter_text: FilterText = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="Most values to print.")] = 20,
    output: Output = Shape.TABLE,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Print what a column holds, most frequent values first, or which columns a stream has and how many values.

    \b
    Example:
      marigram explore flights
      marigram explore flights carrier
      marigram explore flights dest --where 'origin == JFK' --limit 5 --output json
    """
    from marigram.cli import exploring, words

    asyncio.run(
        exploring.run(
            stream,
            column,
            where=words.conditions(where, filter_text),
            range=words.span(since, until),
            limit=limit,
            shape=output,
            address=address,
            profile=profile,
        )
    )


@app.command(epilog=EXIT_CODES)
@failures.told
def events(
    stream: Annotated[str, typer.Argument(help="Stream whose rows to print.")],
    column: Columns = None,
    where: Where = None,
    filter_text: FilterText = None,
    since: Since = None,
    until: Until = None,
    first: Annotated[First, typer.Option(help="Which rows come first.")] = First.LATEST,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Most rows to print.")] = 20,
    output: OutputFormat = None,
    output_file: OutputFile = None,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Print rows of a stream as they are, latest first, each with its id.

    \b
    Example:
      marigram events flights
      marigram events flights -c carrier -c dep_delay --where 'carrier == UA' --limit 5
      marigram events cpu --first earliest --from 2026-01-01 -o ndjson
    """
    from marigram.cli import listing, words

    asyncio.run(
        listing.run(
            stream,
            where=words.conditions(where, filter_text),
            range=words.span(since, until),
            columns=column or (),
            first=first.value,
            limit=limit,
            form=output,
            file=output_file,
            address=address,
            profile=profile,
        )
    )


@app.command(epilog=EXIT_CODES)
@failures.told
def event(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As marigram events prints it.")],
    column: Columns = None,
    output: Annotated[Format | None, typer.Option("--output", "-o", help="How to print; else a table.")] = None,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Print the row with an id, of whichever stream of the namespace.

    \b
    Example:
      marigram event 000000020000000713443e1c9e23400044f0bd1c0d1c2d5a
      marigram event 000000020000000713443e1c9e23400044f0bd1c0d1c2d5a -o json
    """
    from marigram.cli import listing

    asyncio.run(listing.show(id_, columns=column or (), form=output, address=address, profile=profile))


@app.command("import", epilog=EXIT_CODES)
@failures.told
def import_file(
    file: Annotated[
        str,
        typer.Argument(
            help="File: .csv, .tsv, .jsonl, .ndjson, .parquet; text also .gz, .bz2, .zst, .lz4; - is standard input."
        ),
    ],
    stream: Annotated[
        str | None, typer.Option(metavar="NAME", help="Stream to write to; without it, the file's name.")
    ] = None,
    form: Annotated[
        FileFormat | None, typer.Option("--format", help="What the file is, where its name does not say it.")
    ] = None,
    kind: Annotated[
        groups.StreamKind | None, typer.Option(help="Kind of a stream that does not exist yet; metric if not given.")
    ] = None,
    time: Annotated[str, typer.Option(metavar="COLUMN", help="Column of event time.")] = "time",
    time_unit: Annotated[
        str, typer.Option(metavar="UNIT", help="Unit of times that are numbers since 1970: s, ms, us or ns.")
    ] = "ns",
    entity: Annotated[str | None, typer.Option(metavar="COLUMN", help="Event streams: column of the user.")] = None,
    event: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Event streams: type of every row, if there is no column event.")
    ] = None,
    labels: Annotated[
        str, typer.Option(metavar="COLUMNS", help="Metric streams: columns that make the series, with commas between.")
    ] = "",
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="COLUMN=TYPE",
            help="Instead of the inferred: f64, i64, bool, timestamp, symbol, text; may be repeated.",
        ),
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Column to leave out; may be repeated.")
    ] = None,
    null: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Text that stands for null in CSV; may be repeated.")
    ] = None,
    writer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name to number batches under, instead of one made of the file; resumes standard input.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what columns are taken for, ask no server, write nothing.")
    ] = False,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Write the rows of a file to a stream, exactly once each, after showing what its columns are taken for.

    Started again after it was stopped or killed, an import goes on where it was. Standard input has no identity, so
    it does only under --writer NAME, given the same bytes again. Rows that cannot be stored are quarantined: they are
    told by reason and row number, and the exit code is 6.

    \b
    Example:
      marigram import cpu.csv --labels host --dry-run
      marigram import weather.csv.gz --time time_hour --labels origin --null NA
      marigram import visits.jsonl --kind event --entity user_id --event visit
      zcat a.csv.gz | marigram import - --format csv --stream cpu --writer a
    """
    from marigram.cli import load, words
    from marigram.cli.plan import Plan

    plan = Plan(
        stream=stream or words.stream_of(file),
        kind=None if kind is None else kind.value,
        time=time,
        time_unit=time_unit,
        entity=entity,
        event=event,
        labels=tuple(label for label in labels.split(",") if label),
        types=words.types(types or ()),
        nulls=tuple(null or ("",)),
        skip=frozenset(skip or ()),
    )
    if dry_run:
        load.show(file, plan, form)
        return
    raise typer.Exit(asyncio.run(load.run(file, plan, form, writer, address=address, profile=profile)))


@app.command(epilog=EXIT_CODES)
@failures.told
def status(output: Output = Shape.TABLE, address: Address = None, profile: Profile = None) -> None:
    """Print the figures of the server once: rates, commit time, queue, tail, disk, what became of all rows, streams.

    \b
    Example:
      marigram status
      marigram status --output json | jq .rows_per_second
    """
    from marigram.cli import monitor

    asyncio.run(monitor.run(output, address=address, profile=profile))


@app.command(epilog=EXIT_CODES)
@failures.told
def storage(
    stream: Annotated[str, typer.Argument(help="Stream to look at; without it, all of the key's namespace.")] = "",
    output: Output = Shape.TABLE,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Print what streams take on the disk: sealed or not, by column and codec.

    The ratio compares a column's bytes with those of its rows one after the other: 8 for a number or a time, 4 for a
    symbol, a label or an entity, a bit for a boolean, for a text its own. The server looks at each block for it.

    \b
    Example:
      marigram storage
      marigram storage cpu --output json
    """
    from marigram.cli import disk as room

    asyncio.run(room.show(stream, output, address=address, profile=profile))


@app.command(epilog=EXIT_CODES)
@failures.told
def verify(
    data_dir: Annotated[
        Path | None, typer.Option(help="Directory to open here, held by no server, instead of asking one.")
    ] = None,
    output: Output = Shape.TABLE,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Read everything that is stored and check it; the first damage ends it with code 1, named by table or part.

    A server goes on serving meanwhile; it takes a key with admin:server.

    \b
    Example:
      marigram verify
      marigram verify --data-dir ./copy-of-marigram-data
    """
    from marigram.cli import verification as room

    if data_dir is None:
        asyncio.run(room.online(output, address=address, profile=profile))
    else:
        room.offline(data_dir, output)


@app.command(epilog=EXIT_CODES)
@failures.told
def top(
    plain: Annotated[
        bool, typer.Option("--plain", help="A line each interval instead of a screen, as where output is no terminal.")
    ] = False,
    interval: Annotated[
        str, typer.Option(metavar="LENGTH", help="With --plain: time between lines, 100ms to 60s.")
    ] = "1s",
    stream: Annotated[str | None, typer.Option(metavar="NAME", help="Open this stream's chart at once.")] = None,
    column: Annotated[str | None, typer.Option(metavar="NAME", help="With --stream: the column to draw.")] = None,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Watch the server in a terminal: figures, streams, charts. Keys are shown at the foot of the screen; q leaves.

    \b
    Example:
      marigram top
      marigram top --stream cpu --column value
      marigram top --plain --interval 5s | tee figures.log
    """
    import sys

    from marigram.cli import monitor, words

    if plain or not sys.stdout.isatty():
        asyncio.run(monitor.lines(words.duration(interval, "interval"), address=address, profile=profile))
    else:
        raise typer.Exit(monitor.screen(address, profile, stream, column))


app.add_typer(groups.streams, name="streams")
app.add_typer(groups.key, name="key")
app.add_typer(groups.namespace, name="namespace")
app.add_typer(backup.backup, name="backup")


@app.command("inspect", epilog=EXIT_CODES)
@failures.told
def inspect_copy(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A copy of a data directory; no server has it open.")
    ],
    namespace: Annotated[
        str | None, typer.Option(metavar="NAME", help="Namespace to read; all are listed, rows are of default.")
    ] = None,
    rows: Annotated[str | None, typer.Option(metavar="STREAM", help="Write the rows of this stream.")] = None,
    form: Annotated[
        FileFormat | None,
        typer.Option("--format", help="With --rows: how to write; else by the name of --output-file, else csv."),
    ] = None,
    output_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --rows: write there instead of standard output; an old file is replaced."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Without --rows: read all rows of all streams first.")
    ] = False,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Go on past damage: leave out what cannot be read, name it and count it.")
    ] = False,
    output: Output = Shape.TABLE,
) -> None:
    """Read a copy of a data directory without the engine: what streams it holds, or the rows of one.

    Every checksum of what is read is compared. The first damage ends it, with the file, the key and the rule that is
    broken. With --salvage the rest is read, and the exit code is 1 if something was left out. A directory in use is
    refused: copy it while the server is stopped, or out of a snapshot of the file system, and inspect the copy.

    \b
    Example:
      marigram inspect ./copy --verify
      marigram inspect ./copy --rows cpu --output-file cpu.parquet
      marigram inspect ./copy --rows visits --format jsonl --salvage > visits.jsonl
    """
    from marigram.cli import inspect

    if rows is None:
        whole = inspect.show(directory, namespace, output, verify=verify, salvage=salvage)
    else:
        whole = inspect.export(directory, namespace, rows, form, output_file, salvage=salvage)
    raise typer.Exit(0 if whole else failures.FAILED)


@app.command(epilog=EXIT_CODES)
@failures.told
def demo(
    speed_up: Annotated[
        str | None,
        typer.Option(metavar="TIMES|max", help="Pace of the replay, times real time. 3600 in a terminal, else max."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Empty or new directory to keep the data in, instead of a temporary one.")
    ] = None,
    no_dashboard: Annotated[
        bool, typer.Option("--no-dashboard", help="Print the tables and end, in a terminal too.")
    ] = False,
) -> None:
    """Start a server on a free port, load a year of flights and weather, and print five tables. In a terminal, keep the
    last weeks for the dashboard, where they are replayed beside this machine's CPU, memory, disk and network.

    Nothing that was started is left running, however this ends. Needs the packages of marigram[demo].

    \b
    Example:
      marigram demo
      marigram demo --speed-up 86400
    """
    from marigram.cli import demonstration

    shown = not no_dashboard and demonstration.in_terminal()
    raise typer.Exit(demonstration.run(demonstration.options(speed_up, dashboard=shown, keep=keep)))
