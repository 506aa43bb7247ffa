"""Asking before something is gone."""

import sys

import typer

from marigram.cli import output
from marigram_client.errors import InvalidArgument


def confirmed(question: str, yes: bool) -> None:
    """Go on only with a yes; anything else ends the command.

    Raises:
        InvalidArgument: there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidArgument("--yes must be given where nobody can be asked", reason="COMMAND_LINE", field="yes")
    if not typer.confirm(output.printable(question), err=True):
        output.talk().print("nothing was changed")
        raise typer.Exit(1)
