"""The commands that come in groups, ``streams``, ``key`` and ``namespace``: parse and call, nothing else."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from marigram.cli import failures
from marigram.cli.options import EXIT_CODES, Address, Output, Profile, Shape, Yes


class StreamKind(StrEnum):
    """The kind of a stream."""

    EVENT = "event"
    METRIC = "metric"


streams = typer.Typer(invoke_without_command=True, epilog=EXIT_CODES)
key = typer.Typer(invoke_without_command=True, epilog=EXIT_CODES)
namespace = typer.Typer(invoke_without_command=True, epilog=EXIT_CODES)


@streams.callback()
def all_streams(context: typer.Context) -> None:
    """List, show, create and delete streams; lists them without a further word."""
    if context.invoked_subcommand is None:
        list_streams()


@key.callback()
def all_keys(context: typer.Context) -> None:
    """List, create and revoke API keys; lists them without a further word."""
    if context.invoked_subcommand is None:
        list_keys()


@namespace.callback()
def all_namespaces(context: typer.Context) -> None:
    """List and create namespaces; lists them without a further word."""
    if context.invoked_subcommand is None:
        list_namespaces()


@streams.command("list", epilog=EXIT_CODES)
@failures.told
def list_streams(output: Output = Shape.TABLE, address: Address = None, profile: Profile = None) -> None:
    """List the streams of the key's namespace: kind, rows, entities, watermark.

    \b
    Example:
      marigram streams list
      marigram streams list --output json
    """
    from marigram.cli import streams as room

    asyncio.run(room.show_all(output, address=address, profile=profile))


@streams.command("show", epilog=EXIT_CODES)
@failures.told
def show_stream(
    name: Annotated[str, typer.Argument(help="Stream to show.")],
    output: Output = Shape.TABLE,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Show a stream: its columns with types and labels, its settings, its counters.

    \b
    Example:
      marigram streams show cpu
    """
    from marigram.cli import streams as room

    asyncio.run(room.show(name, output, address=address, profile=profile))


@streams.command("create", epilog=EXIT_CODES)
@failures.told
def create_stream(
    name: Annotated[str, typer.Argument(help="Its name: letters, digits, _ . -, no digit first.")],
    kind: Annotated[StreamKind, typer.Option(help="What its rows are.")] = StreamKind.METRIC,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=TYPE",
            help="A column: f64, i64, bool, timestamp, symbol, text, or label in metric streams; may be repeated.",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse columns that are not declared.")] = False,
    out_of_orderness: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="How long rows may be under way, such as 10s, the default.")
    ] = None,
    allowed_lateness: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="How long late rows revise live windows; default 1h.")
    ] = None,
    idle_after: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="Silence after which windows close by themselves; default 30s.")
    ] = None,
    max_age: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="Rows older than this are quarantined; default: none.")
    ] = None,
    keep_for: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="Sealed rows older than this are dropped; default: none.")
    ] = None,
    cold_after: Annotated[
        str | None,
        typer.Option(metavar="LENGTH", help="Parts older than this get codecs that take less room; default: none."),
    ] = None,
    rollup: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WIDTH [keep=LENGTH] [by=COLUMN,…] [sketches]",
            help="Keep states of such windows beside sealed rows, as '1h keep=365d by=host'; may be repeated.",
        ),
    ] = None,
    description: Annotated[str, typer.Option(metavar="TEXT", help="What it is, for people.")] = "",
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Create a stream. Writing creates a missing one too; this is for declared types, strictness and time settings.

    \b
    Example:
      marigram streams create cpu --column host=label --column value=f64 --max-age 30d
      marigram streams create visits --kind event --column page=symbol --strict
    """
    from marigram.cli import streams as room
    from marigram.cli import words

    asyncio.run(
        room.create(
            name,
            kind.value,
            words.types(column or (), "column"),
            strict=strict,
            out_of_orderness=words.maybe_duration(out_of_orderness, "out-of-orderness"),
            allowed_lateness=words.maybe_duration(allowed_lateness, "allowed-lateness"),
            idle_after=words.maybe_duration(idle_after, "idle-after"),
            max_age=words.maybe_duration(max_age, "max-age"),
            keep_for=words.maybe_duration(keep_for, "keep-for"),
            cold_after=words.maybe_duration(cold_after, "cold-after"),
            rollups=words.rollups(rollup or ()),
            description=description,
            address=address,
            profile=profile,
        )
    )


@streams.command("recode", epilog=EXIT_CODES)
@failures.told
def recode_stream(
    name: Annotated[str, typer.Argument(help="Stream whose sealed parts are written anew.")],
    before: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only parts whose last row is older, as 2013-01-01; all if not given."),
    ] = None,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Write the sealed parts of a stream anew with codecs that take less room, and more time to read.

    \b
    Example:
      marigram streams recode cpu
      marigram streams recode cpu --before 2013-06-01
    """
    from marigram.cli import streams as room
    from marigram.cli import words

    asyncio.run(room.recode(name, words.maybe_instant(before, "before"), address=address, profile=profile))


@streams.command("delete", epilog=EXIT_CODES)
@failures.told
def delete_stream(
    name: Annotated[str, typer.Argument(help="Stream to delete.")],
    yes: Yes = False,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Delete a stream with all its rows, for ever. Asks first.

    \b
    Example:
      marigram streams delete cpu
      marigram streams delete cpu --yes
    """
    from marigram.cli import streams as room

    asyncio.run(room.delete(name, yes=yes, address=address, profile=profile))


@key.command("list", epilog=EXIT_CODES)
@failures.told
def list_keys(
    of: Annotated[str, typer.Option("--namespace", metavar="NAME", help="Instead of the key's own.")] = "",
    output: Output = Shape.TABLE,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """List API keys, revoked ones among them. Secrets are stored nowhere, so none is shown.

    \b
    Example:
      marigram key list
    """
    from marigram.cli import keys as room

    asyncio.run(room.show_all(of, output, address=address, profile=profile))


@key.command("create", epilog=EXIT_CODES)
@failures.told
def create_key(
    scopes: Annotated[
        list[str],
        typer.Argument(
            help="Roles (viewer, analyst, editor, operator, admin, ingest-only) or scopes (ingest:write, query:read, "
            "live:read, export:read, stream:admin, alert:write, admin:keys, admin:server, audit:read, privacy:erase, "
            "status:read)."
        ),
    ],
    name: Annotated[str, typer.Option(metavar="TEXT", help="What it is for, shown in lists.")] = "",
    expires: Annotated[
        str | None,
        typer.Option(metavar="LENGTH|TIME", help="When it ends, such as 30d or 2027-01-01; never if not given."),
    ] = None,
    of: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="Instead of the key's own; takes admin:server.")
    ] = "",
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Create an API key. Its secret alone goes to standard output, the rest to standard error.

    \b
    Example:
      marigram key create viewer --name grafana --expires 30d
      MARIGRAM_KEY=$(marigram key create ingest:write status:read --name agent)
    """
    from marigram.cli import keys as room
    from marigram.cli import words

    asyncio.run(room.create(scopes, name, of, words.expiry(expires), address=address, profile=profile))


@key.command("revoke", epilog=EXIT_CODES)
@failures.told
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the key, as `marigram key list` shows it.")],
    yes: Yes = False,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Revoke an API key for ever: calls with it are refused at once. Asks first.

    \b
    Example:
      marigram key revoke 1f2e3d4c5b6a7988
    """
    from marigram.cli import keys as room

    asyncio.run(room.revoke(key_id, yes=yes, address=address, profile=profile))


@namespace.command("list", epilog=EXIT_CODES)
@failures.told
def list_namespaces(output: Output = Shape.TABLE, address: Address = None, profile: Profile = None) -> None:
    """List the namespaces of the server; takes a key with admin:server.

    \b
    Example:
      marigram namespace list
    """
    from marigram.cli import keys as room

    asyncio.run(room.show_namespaces(output, address=address, profile=profile))


@namespace.command("create", epilog=EXIT_CODES)
@failures.told
def create_namespace(
    name: Annotated[str, typer.Argument(help="Its name.")],
    description: Annotated[str, typer.Option(metavar="TEXT", help="What it is, for people.")] = "",
    forbid_stream_creation: Annotated[
        bool, typer.Option("--forbid-stream-creation", help="Writes never make streams; `streams create` does.")
    ] = False,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Create a namespace, the unit of isolation; takes a key with admin:server.

    \b
    Example:
      marigram namespace create web --description 'the public site'
    """
    from marigram.cli import keys as room

    asyncio.run(room.create_namespace(name, description, forbid_stream_creation, address=address, profile=profile))


@namespace.command("quota", epilog=EXIT_CODES)
@failures.told
def set_quota(
    name: Annotated[str, typer.Argument(help="Its name.")],
    max_rows: Annotated[int, typer.Option(min=0, metavar="ROWS", help="Rows it may store; 0: any number.")] = 0,
    max_bytes: Annotated[
        int, typer.Option(min=0, metavar="BYTES", help="Bytes these may take in log and parts; 0: any number.")
    ] = 0,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Set what a namespace may store; takes a key with admin:server. What is not said is without a bound.

    Rows beyond it are refused; those that are there stay.

    \b
    Example:
      marigram namespace quota web --max-rows 100000000
    """
    from marigram.cli import keys as room

    asyncio.run(room.set_quota(name, max_rows, max_bytes, address=address, profile=profile))
