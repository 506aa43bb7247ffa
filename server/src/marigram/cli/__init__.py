"""The command ``marigram``: parses and calls, nothing else. What a command needs is imported when it runs.

Data goes to standard output, everything else to standard error.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from marigram.cli import failures, words
from marigram.cli.words import Format

EXIT_CODES = (
    "Exit codes: 0 done · 1 failed · 2 the command line or the data is wrong · 3 the server cannot be reached or takes "
    "no more · 4 the key is missing or not allowed · 5 not found · 130 interrupted"
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="An analytics engine for time-stamped rows.",
    epilog=EXIT_CODES,
)

Address = Annotated[
    str | None,
    typer.Option(help="HOST:PORT of the server, instead of MARIGRAM_ADDRESS, the profile's or 127.0.0.1:4774."),
]
Profile = Annotated[str | None, typer.Option(help="Profile to take address and key from.")]


@app.callback()
def main() -> None:
    """Commands of Marigram."""


@app.command()
def version() -> None:
    """Print the version of the engine.

    Example: marigram version
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
    more: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any other setting.")] = None,
    until_stdin_ends: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve a data directory until SIGTERM or SIGINT; a second signal ends it at once.

    A flag beats the environment (MARIGRAM_PORT and so on), which beats the settings file. The first start on an empty
    directory makes the namespace `default` and writes an admin key to the file admin.key in it.

    Example: marigram serve --data-dir ./marigram-data --port 4774 --set query_seconds=60
    """
    from marigram import config as settings
    from marigram.cli import lifeline
    from marigram.errors import InvalidArgument
    from marigram.rpc import server

    flags: dict[str, object] = dict(words.setting(text) for text in more or ())
    named = {"data_dir": data_dir, "host": host, "port": port, "log_level": log_level, "log_format": log_format}
    flags |= {name: value for name, value in (*named.items(), ("reflection", reflection)) if value is not None}
    try:
        loaded = settings.load(flags, config)
    except ValueError as error:
        raise InvalidArgument(str(error), reason="SETTING_INVALID") from error
    if until_stdin_ends:
        lifeline.hold()
    raise typer.Exit(server.run(loaded))


@app.command(epilog=EXIT_CODES)
@failures.told
def query(
    stream: Annotated[str, typer.Argument(help="Stream to ask.")],
    measure: Annotated[
        list[str], typer.Option(help="KIND[:COLUMN][=NAME], such as mean:value, p99:delay, count; may be repeated.")
    ],
    group_by: Annotated[list[str] | None, typer.Option(help="Column, label or entity; may be repeated.")] = None,
    window: Annotated[
        str | None, typer.Option(help="Width of windows: 30s, 1m, 6h, 7d. Without it: one window.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="'COLUMN OP VALUE', OP one of == != < <= > >= in; all must hold.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="First instant, as 2013-01-01 or 2013-01-01T12:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="First instant after the range.")] = None,
    order_by: Annotated[
        list[str] | None, typer.Option(help="Column of the answer, -COLUMN for greatest first; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Most rows to print; 0 is all.")] = 0,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print the answer.")] = Format.TABLE,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Ask for measures of a stream and print the answer.

    Example: marigram query flights --measure count --measure p95:dep_delay --group-by carrier --window 1d
    --where 'origin in JFK,LGA' --from 2013-06-01 --order-by=-p95_dep_delay --limit 10
    """
    from marigram.cli import ask

    asyncio.run(
        ask.run(
            stream,
            measures=[words.measure(text) for text in measure],
            group_by=group_by or (),
            window=None if window is None else words.window(window),
            where=words.conditions(where or ()),
            range=(words.time(since), words.time(until)),
            order_by=[words.order(text) for text in order_by or ()],
            limit=limit,
            output=output,
            address=address,
            profile=profile,
        )
    )


@app.command("import", epilog=EXIT_CODES)
@failures.told
def import_file(
    file: Annotated[str, typer.Argument(help="CSV or Parquet file; - is CSV on standard input.")],
    stream: Annotated[str | None, typer.Option(help="Stream to write to; without it, the file's name.")] = None,
    kind: Annotated[str, typer.Option(help="Kind of a stream that does not exist yet: event or metric.")] = "metric",
    time: Annotated[str, typer.Option(help="Column of event time.")] = "time",
    time_unit: Annotated[str, typer.Option(help="Unit of times that are integers since 1970: s, ms, us or ns.")] = "ns",
    entity: Annotated[str | None, typer.Option(help="Event streams: column of the user.")] = None,
    event: Annotated[
        str | None, typer.Option(help="Event streams: type of every row, if there is no column event.")
    ] = None,
    labels: Annotated[
        str, typer.Option(help="Metric streams: columns that make the series, with commas between.")
    ] = "",
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="COLUMN=TYPE instead of the inferred: f64, i64, bool, timestamp, symbol, text."),
    ] = None,
    null: Annotated[list[str] | None, typer.Option(help="Text that stands for null in CSV; may be repeated.")] = None,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Write the rows of a file to a stream, exactly once each, after showing what its columns are taken for.

    Example: marigram import weather.csv --time time_hour --labels origin --null NA
    """
    from marigram.cli import load
    from marigram.cli.files import Plan

    plan = Plan(
        stream=stream or words.stream_of(file),
        kind=words.kind(kind),
        time=time,
        time_unit=time_unit,
        entity=entity,
        event=event,
        labels=tuple(label for label in labels.split(",") if label),
        types=words.types(types or ()),
        nulls=tuple(null or ("",)),
    )
    asyncio.run(load.run(file, plan, address=address, profile=profile))


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

    Example: marigram demo --speed-up 86400
    """
    from marigram.cli import demonstration

    shown = not no_dashboard and demonstration.in_terminal()
    raise typer.Exit(demonstration.run(demonstration.options(speed_up, dashboard=shown, keep=keep)))
