"""``marigram backup``: copies of a data directory, checked, and the way back. Nothing here asks a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marigram.cli import failures
from marigram.cli.options import EXIT_CODES, Output, Shape, Yes

if TYPE_CHECKING:
    from marigram.engine.backup import Backup

backup = typer.Typer(no_args_is_help=True, epilog=EXIT_CODES)

Made = Annotated[Path, typer.Argument(metavar="BACKUP", help="Directory that `marigram backup create` made.")]


@backup.callback()
def all_backups() -> None:
    """Create, verify and restore backups, on the paths of this machine."""


@backup.command("create", epilog=EXIT_CODES)
@failures.told
def create_backup(
    target: Annotated[Path, typer.Argument(help="Directory to make; it must not be there.")],
    data_dir: Annotated[Path, typer.Option(help="Data directory; no server may have it open.")] = Path("marigram-data"),
    base: Annotated[
        Path | None,
        typer.Option(metavar="BACKUP", help="Earlier backup on the same disk: sealed parts are shared with it."),
    ] = None,
    output: Output = Shape.TABLE,
) -> None:
    """Make a backup of a data directory. It is there whole or not at all.

    \b
    Example:
      marigram backup create /backups/monday
      marigram backup create /backups/tuesday --base /backups/monday
    """
    from marigram.engine import backup as room

    _show(room.create(data_dir, target, base), output)


@backup.command("verify", epilog=EXIT_CODES)
@failures.told
def verify_backup(path: Made, output: Output = Shape.TABLE) -> None:
    """Read everything in a backup and check it. Code 1, naming the file, if anything is not what was written.

    \b
    Example:
      marigram backup verify /backups/monday
    """
    from marigram.engine import backup as room

    _show(room.verify(path), output)


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
    from marigram.engine import backup as room

    _show(room.restore(path, target), output)


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


def _show(made: "Backup", shape: Shape) -> None:
    from marigram.cli import figures, output

    if shape is Shape.JSON:
        from dataclasses import asdict

        output.print_json({**asdict(made), "commits": dict(made.commits)})
        return
    shared = f"{figures.counted(made.shared_parts, 'part')}, {figures.size(made.shared_bytes)}"
    rows: list[tuple[str, object]] = [
        ("begun", figures.instant(made.created_ns)),
        ("files", f"{made.files:,}, {figures.size(made.bytes)}"),
        ("shared with the base", shared),
        ("rows", f"{made.sealed_rows:,} sealed, {made.unsealed_rows:,} not yet"),
        *((f"namespace {name}", f"commit {commit}") for name, commit in made.commits),
    ]
    output.print_grid(("what", "value"), rows)
