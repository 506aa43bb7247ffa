"""The command ``marigram``: parses and calls, nothing else."""

import typer

from marigram.engine import _core

app = typer.Typer(no_args_is_help=True, help="An analytics engine for time-stamped rows.")


@app.callback()
def main() -> None:
    """Commands of Marigram."""


@app.command()
def version() -> None:
    """Print the version of the engine."""
    typer.echo(_core.VERSION)
