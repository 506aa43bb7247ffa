"""``marigram backup``: made by a server or here, and shown."""

from pathlib import Path
from typing import TYPE_CHECKING

from marigram.cli import figures, output
from marigram.cli.options import Shape
from marigram.cli.plain import plain
from marigram_client.aio import Client
from marigram_client.errors import InvalidArgument

if TYPE_CHECKING:
    from marigram.engine.backup import Backup


async def create(name: str, base: str, shape: Shape, *, address: str | None, profile: str | None) -> None:
    """Have the server make one."""
    for given in (name, base):
        if "/" in given:
            raise InvalidArgument(
                f"a server makes a backup under a name in its backup_dir, no path, got {given!r}; --data-dir copies "
                "a directory that no server holds to a path",
                reason="COMMAND_LINE",
                field="target" if given is name else "base",
            )
    async with Client(address, profile=profile) as client:
        made = await client.create_backup(name, base=base)
    if shape is Shape.JSON:
        output.print_json(plain(made))
        return
    rows: list[tuple[str, object]] = [
        ("begun", figures.moment(made.backup.create_time)),
        ("took", f"{made.elapsed.total_seconds():.1f} s"),
        ("files", f"{made.backup.files:,}, {figures.size(made.backup.size_bytes)}"),
        ("parts", f"{made.copied_parts:,} copied, {made.shared_parts:,} shared ({figures.size(made.shared_bytes)})"),
        ("rows", f"{made.sealed_rows:,} sealed, {made.unsealed_rows:,} not yet"),
        *((f"namespace {name}", f"commit {commit}") for name, commit in made.backup.commits.items()),
    ]
    output.print_grid(("what", "value"), rows)


def create_here(data_dir: Path, target: Path, base: Path | None, shape: Shape) -> None:
    """Make one of a directory that no server holds."""
    from marigram.engine import backup as room

    show(room.create(data_dir, target, base), shape)


async def show_all(shape: Shape, *, address: str | None, profile: str | None) -> None:
    """Those that lie where the server makes them."""
    async with Client(address, profile=profile) as client:
        found = [backup async for backup in client.list_backups()]
    if shape is Shape.JSON:
        output.print_json([plain(backup) for backup in found])
        return
    rows = (
        (
            backup.name,
            figures.moment(backup.create_time),
            figures.size(backup.size_bytes) if backup.complete else "",
            ", ".join(f"{name} {commit}" for name, commit in backup.commits.items()),
            "yes" if backup.complete else "no",
        )
        for backup in found
    )
    output.print_grid(("name", "begun", "size", "commits", "complete"), rows)


def show(made: "Backup", shape: Shape) -> None:
    """What a backup holds, all of it read and checked."""
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
