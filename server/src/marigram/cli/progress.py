"""A progress bar on standard error, only where somebody can see it move."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from marigram.cli import output


class Bar(Protocol):
    """Takes how far the work is: a part done of a whole (None: unknown), and rows so far."""

    def __call__(self, done: float, whole: float | None, rows: int) -> None: ...


@contextmanager
def shown() -> Iterator[Bar]:
    """A bar that is taken away when the work is over."""
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = output.talk()
    columns = (
        TextColumn("{task.fields[rows]:>12,} rows"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("rows", total=None, rows=0)

        def move(done: float, whole: float | None, rows: int) -> None:
            progress.update(task, completed=done, total=whole, rows=rows)

        yield move
