"""Errors as one line on standard error and an exit code."""

import functools
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, ParamSpec, TypeVar

import typer

P = ParamSpec("P")
R = TypeVar("R")

FAILED, WRONG, AWAY, DENIED, MISSING, QUARANTINED, INTERRUPTED, UNREAD = 1, 2, 3, 4, 5, 6, 130, 141

_CODES = {
    "InvalidArgument": WRONG,
    "Unsupported": WRONG,
    "OutOfRange": WRONG,
    "Overloaded": AWAY,
    "DeadlineExceeded": AWAY,
    "Unauthenticated": DENIED,
    "PermissionDenied": DENIED,
    "NotFound": MISSING,
}
"""By the names that the classes have in the server and in the client."""
ADVICE = {
    "KEY_MISSING": "set MARIGRAM_KEY, or run this in the folder where `marigram serve` was started",
    "KEY_INVALID": "look at MARIGRAM_KEY, the profile, or marigram-data/admin.key in this folder",
    "SCOPE_DENIED": "`marigram key create` makes a key that may, given one with admin:keys",
    "STORE_LOCKED": "stop it first",
    "STREAM_NOT_FOUND": "`marigram streams list` shows those there are",
}
"""What to do about an error on a command line, by reason."""
_UNREACHED = re.compile(r"failed to connect .*?ipv[46]:(\S+): .*?([^: ][^:]*)$", re.DOTALL)
"""gRPC's words for a server that is not there."""
_OF_FILES = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


class Told(NamedTuple):
    """What is said of an error."""

    line: str
    code: int


def told(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors of a command into one line and an exit code; a fault of ours keeps its trace. A pipe that is
    closed at its other end, as by ``head``, and Ctrl-C end a command without a word."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            answer = command(*args, **kwargs)
            sys.stdout.flush()
        except KeyboardInterrupt:
            raise _exit(INTERRUPTED) from None
        except BrokenPipeError:
            _let_go()
            raise _exit(UNREAD) from None
        except OSError as error:
            raise _ended(describe(error)) from None
        except Exception as error:
            if not _is_known(error):
                raise
            raise _ended(describe(error)) from None
        return answer

    return run


def describe(error: Exception) -> Told:
    """One line for an error, and the code of its class."""
    from marigram.cli.output import printable

    code = next((_CODES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _CODES), FAILED)
    if isinstance(error, _OF_FILES):
        return Told(printable(f"{error.filename}: {error.strerror}"), WRONG)
    if found := _UNREACHED.search(str(error)):
        way = "start one with `marigram serve`, or say where it is with --address or MARIGRAM_ADDRESS"
        return Told(printable(f"no server can be reached at {found[1]} ({found[2]}); {way}"), AWAY)
    advice = ADVICE.get(getattr(error, "reason", ""))
    details: Any = [f"{name} {value}" for name in ("reason", "field") if (value := getattr(error, name, ""))]
    said = f"{error}; {advice}" if advice else str(error)
    line = f"{said} ({', '.join(details)})" if details else said
    return Told(printable(" ".join(line.split())), code)


def _is_known(error: Exception) -> bool:
    from marigram import errors as server
    from marigram_client import errors as client

    return isinstance(error, client.MarigramError | server.MarigramError)


def _ended(said: Told) -> typer.Exit:
    print(f"marigram: {said.line}", file=sys.stderr)  # noqa: T201 (the place where errors are printed)
    return _exit(said.code)


def _exit(code: int) -> typer.Exit:
    """The end of the command: of the process at once, where work beside it is still under way."""
    from marigram.cli import beside

    if not beside.all_done():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code)
    return typer.Exit(code)


def _let_go() -> None:
    """Keep the interpreter from flushing into the closed pipe once more when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
