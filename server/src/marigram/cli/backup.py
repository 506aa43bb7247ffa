"""``marigram backup``: copies of what is stored, checked, and the way back. A server is asked to make and to list them;
all else is done on paths of this machine."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from marigram.cli import failures
from marigram.cli.options import EXIT_CODES, Address, Output, Profile, Shape, Yes

backup = typer.Typer(no_args_is_help=True, epilog=EXIT_CODES)

Made = Annotated[Path, typer.Argument(metavar="BACKUP", help="Directory that `marigram backup create` made.")]


@backup.callback()
def all_backups() -> None:
    """Create, list, verify and restore backups."""


@backup.command("create", epilog=EXIT_CODES)
@failures.told
def create_backup(
    target: Annotated[
        str, typer.Argument(metavar="NAME|DIRECTORY", help="Its name; with --data-dir, a directory to make.")
    ],
    data_dir: Annotated[
        Path | None, typer.Option(help="Directory to copy here, held by no server, instead of asking one.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(metavar="BACKUP", help="Earlier one in the same place: sealed parts are shared with it."),
    ] = None,
    output: Output = Shape.TABLE,
    address: Address = None,
    profile: Profile = None,
) -> None:
    """Make a backup of everything that is stored. It is there whole or not at all.

    A server goes on serving meanwhile and makes it below the directory that its setting backup_dir names; it takes a
    key with admin:server.

    \b
    Example:
      marigram backup create monday
      marigram backup create tuesday --base monday
      marigram backup create /backups/monday --data-dir marigram-data
    """
    from marigram.cli import copies as room

    if data_dir is None:
        asyncio.run(room.create(target, base or "", output, address=address, profile=profile))
    else:
        room.create_here(data_dir, Path(target), Path(base) if base else None, output)


@backup.command("list", epilog=EXIT_CODES)
@failures.told
def list_backups(output: Output = Shape.TABLE, address: Address = None, profile: Profile = None) -> None:
    """List the backups that a server has made, and that still lie there; takes a key with admin:server.

    \b
    Example:
      marigram backup list
    """
    from marigram.cli import copies as room

    asyncio.run(room.show_all(output, address=address, profile=profile))


@backup.command("verify", epilog=EXIT_CODES)
@failures.told
def verify_backup(path: Made, output: Output = Shape.TABLE) -> None:
    """Read everything in a backup and check it. Code 1, naming the file, if anything is not what was written.

    \b
    Example:
      marigram backup verify /backups/monday
    """
    from marigram.cli import copies
    from marigram.engine import backup as room

    copies.show(room.verify(path), output)


@backup.command("restore", epilog=EXIT_CODES)
@failures.told
def restore_backup(
    path: Made,
    target: Annotated[Path, typer.Argument(help="Data directory to make; absent or empty.")],
    output: Output = Shape.TABLE,
) -> None:
    """Make a data directory from a backup. It is made beside the target, checked there, and renamed.

    \b
    Example:
      marigram backup restore /backups/monday marigram-data
    """
    from marigram.cli import copies
    from marigram.engine import backup as room

    copies.show(room.restore(path, target), output)


@backup.command("rollback", epilog=EXIT_CODES)
@failures.told
def rollback(
    data_dir: Annotated[Path, typer.Argument(help="Data directory; no server may have it open.")],
    yes: Yes = False,
) -> None:
    """Go back to before the last transaction; the directory is kept as it was beside it. Asks first.

    \b
    Example:
      marigram backup rollback marigram-data
    """
    from marigram.cli import figures, output
    from marigram.cli.confirm import confirmed
    from marigram.engine import backup as room

    confirmed(f"Go back to before the last transaction of {data_dir}? What it committed is lost.", yes)
    done = room.rollback(data_dir)
    rows = figures.counted(done.sealed_rows + done.unsealed_rows, "row")
    said = f"rolled back to transaction {done.transaction} with {rows}; as it was: {done.kept}"
    output.talk().print(output.printable(said), markup=False)
