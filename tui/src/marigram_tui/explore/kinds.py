"""Which measures there are: read from the client's own functions, so that one more there is one more here."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from types import ModuleType
from typing import Any


class Part(Enum):
    """What a function of a measure takes."""

    COLUMN = "column"
    PERCENTILE = "percentile"
    NUMBER = "number"
    WHOLE = "whole number"
    NUMBERS = "numbers"
    ARITHMETIC = "arithmetic"


_NAME = "name"
_PARTS = {"q": Part.PERCENTILE, "text": Part.ARITHMETIC}
_BY_TYPE = {str: Part.COLUMN, float: Part.NUMBER, int: Part.WHOLE, Sequence[float]: Part.NUMBERS}
_NUMBERS = {Part.NUMBER, Part.WHOLE, Part.NUMBERS}


@dataclass(frozen=True, slots=True)
class MeasureKind:
    """A kind of measure: the word people type, the client's function, what that takes in its order."""

    word: str
    function: str
    parts: tuple[Part, ...]
    about: str
    needs_column: bool = True
    needs_number: bool = True
    """Where it takes one."""

    @property
    def columns(self) -> int:
        """How many columns it is of."""
        return self.parts.count(Part.COLUMN)

    @property
    def number(self) -> Part | None:
        """The kind of number it takes, if it takes one."""
        return next((part for part in self.parts if part in _NUMBERS), None)

    @property
    def is_percentile(self) -> bool:
        """It is typed as ``p95``, not by its word."""
        return Part.PERCENTILE in self.parts

    @property
    def is_formula(self) -> bool:
        """It is typed as ``NAME=ARITHMETIC``, not by its word."""
        return Part.ARITHMETIC in self.parts


def of(module: ModuleType) -> tuple[MeasureKind, ...]:
    """The kinds that this module has functions for, in its order; one that takes what a line cannot say is left out."""
    found = (
        _kind(name, function)
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    )
    return tuple(kind for kind in found if kind is not None)


def _kind(name: str, function: Callable[..., Any]) -> MeasureKind | None:
    signature = inspect.signature(function)
    if getattr(signature.return_annotation, "__name__", "") != "Measure":
        return None
    parts, needs_column, needs_number = [], True, True
    for parameter in signature.parameters.values():
        if parameter.name == _NAME:
            continue
        part = _PARTS.get(parameter.name) or _BY_TYPE.get(parameter.annotation)
        if part is None:
            if parameter.default is inspect.Parameter.empty:
                return None
            continue
        parts.append(part)
        is_needed = parameter.default is inspect.Parameter.empty
        if part in _NUMBERS:
            needs_number = is_needed
        else:
            needs_column = needs_column and is_needed
    about = inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0].replace("\n", " ").replace("``", "")
    return MeasureKind(name.rstrip("_"), name, tuple(parts), about, needs_column, needs_number)
