"""Random conditions on rows: as the typed filter, as text, and as SQL.

In SQL a condition on a null is null, as is its opposite, which is what docs/queries.md asks for; only NaN must be made
null first.
"""

from dataclasses import dataclass
from random import Random
from typing import Protocol

from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from tests.differential import literals
from tests.differential.literals import NUMBERS, TEXTS, TYPES, Value

OPERATORS = {
    "=": pb.COMPARISON_OPERATOR_EQUAL, "!=": pb.COMPARISON_OPERATOR_NOT_EQUAL, "<": pb.COMPARISON_OPERATOR_LESS,
    "<=": pb.COMPARISON_OPERATOR_LESS_OR_EQUAL, ">": pb.COMPARISON_OPERATOR_GREATER,
    ">=": pb.COMPARISON_OPERATOR_GREATER_OR_EQUAL,
}  # fmt: skip
REGEXES = ["", ".", "a|ab", "[a-d]+", "(?i)É", r"\w*n|\*", "b.*", "(.)(?:.)", r"u1\d*", ".*[0-4]"]
"""Of a syntax that Rust's `regex` and RE2 share."""
TEXT_VALUES = ["", "a", "b", "ab", "aa", "é", "n", "*", "u1", "u10", "ann", "it's", 'say "x"', "\\", "日本"]


class Condition(Protocol):
    """A condition in three forms."""

    def message(self) -> pb.Filter: ...
    def text(self) -> str: ...
    def sql(self) -> str: ...


def value_sql(column: str) -> str:
    """A column as measures and conditions see it: NaN is no value."""
    name = f'"{column}"'
    return f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END" if TYPES[column] == "f64" else name


@dataclass(frozen=True)
class Compare:
    """A column against a value."""

    column: str
    operator: str
    value: Value

    def message(self) -> pb.Filter:
        value = literals.message(self.column, self.value)
        return pb.Filter(compare=pb.Comparator(column=self.column, operator=OPERATORS[self.operator], value=value))

    def text(self) -> str:
        return f"{self.column} {self.operator} {literals.text(self.column, self.value)}"

    def sql(self) -> str:
        return f"({value_sql(self.column)}) {self.operator} {literals.sql(self.value)}"


@dataclass(frozen=True)
class IsIn:
    """A column against several values."""

    column: str
    values: tuple[Value, ...]

    def message(self) -> pb.Filter:
        values = [literals.message(self.column, value) for value in self.values]
        return pb.Filter(**{"in": pb.InSet(column=self.column, values=values)})  # type: ignore[arg-type]

    def text(self) -> str:
        return f"in({', '.join([self.column, *(literals.text(self.column, value) for value in self.values)])})"

    def sql(self) -> str:
        return f"({value_sql(self.column)}) IN ({', '.join(map(literals.sql, self.values))})"


@dataclass(frozen=True)
class IsNull:
    """Whether a column is null."""

    column: str
    is_null: bool

    def message(self) -> pb.Filter:
        return pb.Filter(null=pb.NullTest(column=self.column, is_null=self.is_null))

    def text(self) -> str:
        return f"{self.column} = null" if self.is_null else f"{self.column}:*"

    def sql(self) -> str:
        return f'"{self.column}" IS {"" if self.is_null else "NOT "}NULL'


MATCHES = {
    "prefix": (pb.TEXT_MATCH_KIND_PREFIX, "starts_with"),
    "contains": (pb.TEXT_MATCH_KIND_CONTAINS, "contains"),
    "matches": (pb.TEXT_MATCH_KIND_REGEX, "regexp_full_match"),
}


@dataclass(frozen=True)
class Matches:
    """A text against a pattern."""

    column: str
    how: str
    pattern: str

    def message(self) -> pb.Filter:
        return pb.Filter(match=pb.TextMatch(column=self.column, kind=MATCHES[self.how][0], pattern=self.pattern))

    def text(self) -> str:
        pattern = f'"{self.pattern}"' if self.how == "matches" else literals.quoted(self.pattern)
        return f"{self.how}({self.column}, {pattern})"

    def sql(self) -> str:
        return f'{MATCHES[self.how][1]}("{self.column}", {literals.sql(self.pattern)})'


@dataclass(frozen=True)
class Several:
    """All of some conditions, or any."""

    word: str
    parts: tuple[Condition, ...]

    def message(self) -> pb.Filter:
        filters = pb.FilterList(filters=[part.message() for part in self.parts])
        return pb.Filter(all=filters) if self.word == "AND" else pb.Filter(any=filters)

    def text(self) -> str:
        return "(" + f" {self.word} ".join(part.text() for part in self.parts) + ")"

    def sql(self) -> str:
        return "(" + f" {self.word} ".join(part.sql() for part in self.parts) + ")"


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Condition

    def message(self) -> pb.Filter:
        return pb.Filter(**{"not": self.part.message()})  # type: ignore[arg-type]

    def text(self) -> str:
        return f"NOT ({self.part.text()})"

    def sql(self) -> str:
        return f"NOT ({self.part.sql()})"


def drawn(dice: Random, columns: list[str], times: list[int], depth: int = 0) -> Condition:
    """Any condition on these columns; times are compared with these."""
    choice = dice.random()
    if depth < 3 and choice < 0.2:
        parts = tuple(drawn(dice, columns, times, depth + 1) for _ in range(dice.randint(1, 3)))
        return Several(dice.choice(["AND", "OR"]), parts)
    if depth < 3 and choice < 0.3:
        return Not(drawn(dice, columns, times, depth + 1))
    column = dice.choice(columns)
    if choice < 0.4:
        return IsNull(column, dice.random() < 0.5)
    if TYPES[column] in TEXTS and choice < 0.65:
        how = dice.choice(list(MATCHES))
        return Matches(column, how, dice.choice(REGEXES if how == "matches" else TEXT_VALUES))
    if choice < 0.75:
        return IsIn(column, tuple(_literal(dice, column, times) for _ in range(dice.randint(1, 4))))
    return Compare(column, dice.choice(list(OPERATORS)), _literal(dice, column, times))


def _literal(dice: Random, column: str, times: list[int]) -> Value:
    kind = TYPES[column]
    if kind == "bool":
        return dice.random() < 0.5
    if kind == "timestamp":
        return dice.choice(times) if column == "time" else dice.randint(-2, 2)
    if kind in NUMBERS:
        # Doubles and integers are compared exactly here, and by DuckDB as doubles: these are both alike.
        whole = dice.randint(-5, 5)
        return dice.choice([whole, whole / 2, whole * 10.0, float("inf"), float("-inf")])
    return dice.choice(TEXT_VALUES)
