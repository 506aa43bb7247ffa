"""Examples of docstrings, run as they stand: those of the asynchronous client await at the top, as a notebook does."""

import ast
import builtins
import contextlib
import doctest
import inspect
import io
from collections.abc import Iterator
from typing import Any

_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def documented(kind: type) -> Iterator[tuple[str, str]]:
    """(name, docstring) of a class and of each of its public methods."""
    yield kind.__name__, inspect.getdoc(kind) or ""
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_"):
            yield f"{kind.__name__}.{name}", inspect.getdoc(method) or ""


async def run(text: str, names: dict[str, Any]) -> int:
    """Run the examples of a docstring with these names; how many there were.

    Raises:
        AssertionError: one printed something else than it says.
    """
    examples = doctest.DocTestParser().get_examples(text)
    for example in examples:
        code = compile(example.source, "<example>", "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            running = eval(code, names)
            if inspect.iscoroutine(running):
                await running
        vars(builtins).pop("_", None)  # what the last expression gave
        if not doctest.OutputChecker().check_output(example.want, printed.getvalue(), _OPTIONS):
            raise AssertionError(f"{example.source}expected {example.want!r}, got {printed.getvalue()!r}")
    return len(examples)
