"""A call of one of the client's functions: what the gateway makes of what was typed, and what is copied as Python."""

from dataclasses import dataclass
from datetime import timedelta

Argument = str | float | int | timedelta | tuple[float, ...]

_UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the client by its name, with what it is given."""

    function: str
    arguments: tuple[Argument, ...] = ()
    named: tuple[tuple[str, Argument], ...] = ()
    where: str = ""
    """Of a measure: the filter of its own rows."""

    def source(self) -> str:
        """The call as Python.

        >>> Call("quantile", ("delay", 0.95), (("name", "slow"),)).source()
        'quantile("delay", 0.95, name="slow")'
        """
        given = [written(value) for value in self.arguments]
        given += [f"{name}={written(value)}" for name, value in self.named]
        rows = f".where({written(self.where)})" if self.where else ""
        return f"{self.function}({', '.join(given)}){rows}"


def of_length(function: str, length: timedelta) -> Call:
    """A call that takes a length as keywords: ``tumbling(hours=1)``."""
    return Call(function, (), (in_units(length),))


def in_units(length: timedelta) -> tuple[str, float]:
    """A length in the greatest unit that it is a whole number of, else in seconds."""
    seconds = length.total_seconds()
    unit, factor = next(((unit, factor) for unit, factor in _UNITS if seconds % factor == 0), ("seconds", 1))
    count = seconds / factor
    return unit, int(count) if count.is_integer() else count


def written(value: Argument) -> str:
    """A value as Python; tuples as lists; texts in double quotes, and printable whatever they hold."""
    if isinstance(value, timedelta):
        unit, count = in_units(value)
        return f"timedelta({unit}={count})"
    if isinstance(value, tuple):
        return repr(list(value))
    if isinstance(value, str):
        quoted = ascii(value) if not value.isprintable() else repr(value)
        inner = quoted[1:-1]
        return f'"{inner}"' if quoted[0] == "'" and '"' not in inner else quoted
    return repr(value)
