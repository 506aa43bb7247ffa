"""Conditions on rows, written as Python expressions: ``(column("host") == "a") & ~(column("value") > 3)``."""

from collections.abc import Iterable
from dataclasses import dataclass

from marigram_client import values
from marigram_client._pb.marigram.v1 import queries_pb2 as pb


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A condition. Combine with ``&``, ``|`` and ``~``; a null makes it false, also under ``~``."""

    message: pb.Filter

    def __and__(self, other: "Condition") -> "Condition":
        return Condition(pb.Filter(all=pb.FilterList(filters=[*self._parts("all"), *other._parts("all")])))

    def __or__(self, other: "Condition") -> "Condition":
        return Condition(pb.Filter(any=pb.FilterList(filters=[*self._parts("any"), *other._parts("any")])))

    def __invert__(self) -> "Condition":
        return Condition(pb.Filter(**{"not": self.message}))  # type: ignore[arg-type]  # `not` is a word of Python

    def __bool__(self) -> bool:
        raise TypeError("conditions are combined with &, | and ~, not with and, or, not; comparisons need parentheses")

    def _parts(self, kind: str) -> list[pb.Filter]:
        """What a list of this kind would hold, so that chains stay flat."""
        if self.message.WhichOneof("condition") != kind:
            return [self.message]
        return list(self.message.all.filters if kind == "all" else self.message.any.filters)


@dataclass(frozen=True, slots=True, eq=False)
class ColumnName:
    """A column to compare. Make one with ``column``."""

    name: str

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # an expression, not an answer
        return self._compare(pb.COMPARISON_OPERATOR_EQUAL, other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compare(pb.COMPARISON_OPERATOR_NOT_EQUAL, other)

    def __lt__(self, other: object) -> Condition:
        return self._compare(pb.COMPARISON_OPERATOR_LESS, other)

    def __le__(self, other: object) -> Condition:
        return self._compare(pb.COMPARISON_OPERATOR_LESS_OR_EQUAL, other)

    def __gt__(self, other: object) -> Condition:
        return self._compare(pb.COMPARISON_OPERATOR_GREATER, other)

    def __ge__(self, other: object) -> Condition:
        return self._compare(pb.COMPARISON_OPERATOR_GREATER_OR_EQUAL, other)

    __hash__ = None  # type: ignore[assignment]  # equality makes conditions, so a set of columns would be wrong

    def is_in(self, choices: Iterable[object]) -> Condition:
        """True where the column is one of these; at most 10,000."""
        allowed = [values.value(choice) for choice in choices]
        return Condition(pb.Filter(**{"in": pb.InSet(column=self.name, values=allowed)}))  # type: ignore[arg-type]

    def _compare(self, operator: pb.ComparisonOperator.ValueType, other: object) -> Condition:
        return Condition(
            pb.Filter(compare=pb.Comparator(column=self.name, operator=operator, value=values.value(other)))
        )


def column(name: str) -> ColumnName:
    """A column, a label, ``time`` or ``entity``, to compare with values of its type.

    >>> condition = (column("host") == "a") & (column("value") > 3)
    >>> condition.message.all.filters[0].compare.column
    'host'
    """
    return ColumnName(name)
