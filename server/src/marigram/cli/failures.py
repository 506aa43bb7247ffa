"""Errors as one line on standard error and an exit code."""

import functools
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import typer

from marigram import errors as server
from marigram_client import errors as client

P = ParamSpec("P")
R = TypeVar("R")

FAILED, WRONG, AWAY, DENIED, MISSING, INTERRUPTED = 1, 2, 3, 4, 5, 130

_CODES: dict[type[Exception], int] = {
    client.InvalidArgument: WRONG,
    client.Unsupported: WRONG,
    client.Overloaded: AWAY,
    client.DeadlineExceeded: AWAY,
    client.Unauthenticated: DENIED,
    client.PermissionDenied: DENIED,
    client.NotFound: MISSING,
    server.InvalidArgument: WRONG,
}


class Told(NamedTuple):
    """What is said of an error."""

    line: str
    code: int


def told(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors of a command into one line and an exit code; a fault of ours keeps its trace."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (client.MarigramError, server.MarigramError, OSError) as error:
            said = describe(error)
            print(f"marigram: {said.line}", file=sys.stderr)  # noqa: T201 (the place where errors are printed)
            raise typer.Exit(said.code) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    return run


def describe(error: Exception) -> Told:
    """One line for an error, and the code of its class."""
    code = next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), FAILED)
    if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
        return Told(f"{error.filename}: {error.strerror}", WRONG)
    details: Any = [f"{name} {value}" for name in ("reason", "field") if (value := getattr(error, name, ""))]
    line = f"{error} ({', '.join(details)})" if details else str(error)
    return Told(" ".join(line.split()), code)
