"""Random measures, and what each is in SQL, after docs/queries.md alone.

A measure in SQL is a query over ``cut``, the rows with their group ``gid``, of ``(gid, v, e)``: its value, and by how much
another may differ from it. An ``e`` of no finite number means that rounding alone may make any difference.
"""

# ruff: noqa: E501  # SQL reads best in whole lines
from dataclasses import dataclass
from random import Random

from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from tests.differential.conditions import value_sql
from tests.differential.literals import NUMBERS, TYPES
from tests.differential.windows import Window

SUM_BOUND = "pow(2, -50)"
FORMULAS = {
    "rows + 1": "rows + 1",
    "rows / (rows - 3) * 100": "rows / nullif(rows - 3, 0) * 100",
    "-(rows - 0.5) * rows / 2": "-(rows - 0.5) * rows / 2",
}
"""Of `count()`, which every question has under the name ``rows``."""


@dataclass(frozen=True)
class Measure:
    """What to compute; `parameter` is a quantile, a threshold or a number of windows."""

    kind: str
    name: str
    column: str = ""
    second: str = ""
    parameter: float = 0.0
    formula: str = ""

    def message(self) -> pb.Measure:
        """As the contract has it."""
        found = pb.Measure(
            kind=pb.MeasureKind.Value(f"MEASURE_KIND_{self.kind.upper()}"),
            column=self.column,
            name=self.name,
            second_column=self.second,
            formula=self.formula,
        )
        if self.kind == "quantile":
            found.quantile = self.parameter
        elif self.kind == "moving":
            found.count = int(self.parameter)
        elif self.kind in ("rank", "share_below"):
            found.threshold = self.parameter
        return found

    def text(self) -> str:
        """For people."""
        parameter = f"({self.parameter!r})" if self.kind in ("quantile", "moving", "rank", "share_below") else ""
        columns = [column for column in (self.column, self.second, self.formula) if column]
        return ":".join([f"{self.kind}{parameter}", *columns])

    @property
    def is_exact(self) -> bool:
        """Whether it is the same however it is computed, so that an order and a limit may go by it."""
        return self.kind in ("count", "min", "max", "distinct", "rank", "mode")

    def sql(self, relative_error: float) -> str:
        """Its query; `relative_error` is what its answer's provenance states."""
        v = value_sql(self.column) if self.column else "1"
        if self.kind in _COURSES:
            return _COURSES[self.kind].format(v=v, v2=SUM_BOUND)
        if self.kind in _QUERIES:
            wide = "HUGEINT" if TYPES[self.column] == "i64" else "DOUBLE"
            back = int(self.parameter) - 1
            return _QUERIES[self.kind].format(v=v, wide=wide, back=back, e=SUM_BOUND)
        value, slack = self._simple(v, relative_error)
        return f"SELECT gid, {value} AS v, {slack} AS e FROM cut GROUP BY gid"

    def _simple(self, v: str, relative_error: float) -> tuple[str, str]:
        of_integers = bool(self.column) and TYPES[self.column] == "i64"
        here = f"FILTER (WHERE ({v}) IS NOT NULL)"
        first, last = (
            f"first({v} ORDER BY time, code, seq) {here}",
            f"last({v} ORDER BY time, code, seq) {here}",
        )
        wide = f"({v})::HUGEINT" if of_integers else f"({v})"
        plain = f"({v})::DOUBLE" if self.column and TYPES[self.column] in NUMBERS else v
        match self.kind:
            case "count":
                return f"count({v})", "0"
            case "distinct":
                return f"count(DISTINCT {v})", "0"
            case "distinct_sketch":
                # The bound is three standard errors, which three answers of a thousand exceed: of many, none exceeds five.
                return f"count(DISTINCT {v})", f"CASE WHEN v <= 1024 THEN 0 ELSE v * {relative_error!r} * 5 / 3 END"
            case "min" | "max":
                return f"{self.kind}({v})", "0"
            case "first":
                return first, "0"
            case "last":
                return last, "0"
            case "range":
                return f"max({wide}) - min({wide})", _unless(
                    of_integers, f"{SUM_BOUND} * (abs(max({v})) + abs(min({v})))"
                )
            case "delta":
                bound = f"{SUM_BOUND} * (abs({first}) + abs({last}))"
                wide_first, wide_last = (
                    (first, last) if not of_integers else (f"({first})::HUGEINT", f"({last})::HUGEINT")
                )
                return f"{wide_last} - {wide_first}", _unless(of_integers, bound)
            case "sum":
                return total(plain if not of_integers else wide, of_integers), _unless(of_integers, slack_of_sum(plain))
            case "mean":
                return f"({total(wide, of_integers)})::DOUBLE / count({v})", f"{slack_of_sum(plain)} / count({v})"
            case "quantile":
                rank = f"1 + floor({self.parameter!r} * (count({v}) - 1))::BIGINT"
                value = f"(list_sort(list({plain} + 0.0) {here}))[{rank}]"
                return (
                    value,
                    f"CASE WHEN count({v}) <= 256 OR isinf(v) THEN 0 ELSE abs(v) * ({relative_error!r} + {SUM_BOUND}) END",
                )
            case "rank":
                return f"count(*) FILTER (WHERE {v} <= '{self.parameter!r}'::DOUBLE)", "0"
            case "share_below":
                return f"count(*) FILTER (WHERE {v} < '{self.parameter!r}'::DOUBLE) / nullif(count({v}), 0)", "0"
            case "weighted_mean":
                w = value_sql(self.second)
                both = f"FILTER (WHERE ({v}) IS NOT NULL AND ({w}) IS NOT NULL)"
                top, bottom = f"({plain}) * ({w})", f"({w})::DOUBLE"
                return _quotient(top, bottom, both)
            case "ratio":
                return _quotient(plain, f"({value_sql(self.second)})::DOUBLE", "")
            case "formula":
                rows = "count(*)::DOUBLE"
                value = FORMULAS[self.formula].replace("rows", rows)
                return value, f"abs(v) * {SUM_BOUND}"
        raise ValueError(self.kind)


def total(v: str, of_integers: bool, rest: str = "") -> str:
    """Sum with the bound of a compensated one, or what IEEE makes of infinities."""
    if of_integers:
        return f"sum({v}) {rest}"
    return f"CASE WHEN bool_or(isinf({v})) {rest} THEN sum({v}) {rest} ELSE fsum({v}) {rest} END"


def slack_of_sum(v: str, rest: str = "") -> str:
    """The stated bound; what has infinities in it is exact."""
    return f"CASE WHEN bool_or(isinf({v})) {rest} THEN 0 ELSE {SUM_BOUND} * sum(abs({v})) {rest} END"


def _unless(exact: bool, slack: str) -> str:
    return "0" if exact else slack


def _quotient(top: str, bottom: str, rest: str) -> tuple[str, str]:
    """A sum over a sum. Where the sum below may be nothing but rounding, so may the quotient."""
    above, below = total(top, False, rest), total(bottom, False, rest)
    off_above, off_below = f"4 * ({slack_of_sum(top, rest)})", f"4 * ({slack_of_sum(bottom, rest)})"
    value = f"({above}) / nullif({below}, 0)"
    nothing = f"coalesce(sum(abs({bottom})) {rest}, 0) = 0 OR count({top}) {rest} = 0"
    left = f"(abs({below}) - {off_below})"
    slack = f"CASE WHEN {nothing} THEN 0 WHEN {left} <= 0 THEN 'inf'::DOUBLE ELSE ({off_above} + abs({value}) * {off_below}) / {left} + abs({value}) * {SUM_BOUND} END"
    return value, slack


# What needs more than one pass. `chain` is the group without its window, `step` and `since` are set where `prev` is.
_QUERIES = {
    "mode": """SELECT gid, any_value(u) FILTER (WHERE place = 1) AS v, 0 AS e FROM (
        SELECT gid, u, row_number() OVER (PARTITION BY gid ORDER BY n DESC, u) AS place FROM (
        SELECT gid, {v} AS u, count(*) AS n FROM cut WHERE ({v}) IS NOT NULL GROUP BY gid, u)) GROUP BY gid""",
    "variance": """SELECT gid, CASE WHEN n > 1 THEN s / (n - 1) END AS v,
        8 * n * pow(2, -53) * (s / (n - 1) * sqrt(1 + coalesce(m * m / nullif(s / (n - 1), 0), 0)) + n * pow(most, 2) * pow(2, -50)) AS e
        FROM (SELECT gid, count(u) AS n, any_value(m) AS m, max(abs(u)) AS most, fsum(pow(u - m, 2)) AS s FROM (
        SELECT gid, ({v})::DOUBLE AS u, avg(({v})::DOUBLE) OVER (PARTITION BY gid) AS m FROM cut) GROUP BY gid)""",
    "standard_deviation": """SELECT gid, CASE WHEN n > 1 THEN sqrt(s / (n - 1)) END AS v,
        8 * n * pow(2, -53) * (sqrt(s / (n - 1)) + abs(m)) + n * most * pow(2, -48) AS e
        FROM (SELECT gid, count(u) AS n, any_value(m) AS m, max(abs(u)) AS most, fsum(pow(u - m, 2)) AS s FROM (
        SELECT gid, ({v})::DOUBLE AS u, avg(({v})::DOUBLE) OVER (PARTITION BY gid) AS m FROM cut) GROUP BY gid)""",
    "derivative": """SELECT gid, CASE WHEN max(sec) > min(sec) THEN fsum(x * y) / fsum(x * x) END AS v,
        1e-10 * (fsum(abs(x) * most) / fsum(x * x)) AS e FROM (
        SELECT gid, sec, sec - avg(sec) OVER same AS x, u - avg(u) OVER same AS y, max(abs(u)) OVER same AS most FROM (
        SELECT gid, (time::HUGEINT - min(time) FILTER (WHERE ({v}) IS NOT NULL) OVER (PARTITION BY gid))::DOUBLE / 1e9 AS sec,
        ({v})::DOUBLE AS u FROM cut) WHERE u IS NOT NULL WINDOW same AS (PARTITION BY gid)) GROUP BY gid""",
    "share_of_total": """SELECT gid, s / nullif(all_s, 0) AS v,
        CASE WHEN s IS NULL OR all_m = 0 THEN 0 WHEN abs(all_s) <= 4 * {e} * all_m THEN 'inf'::DOUBLE
        ELSE 4 * {e} * (m + abs(s / all_s) * all_m) / (abs(all_s) - 4 * {e} * all_m) + abs(s / all_s) * {e} END AS e FROM (
        SELECT gid, s::DOUBLE AS s, m, (sum(s) OVER (PARTITION BY w))::DOUBLE AS all_s, sum(m) OVER (PARTITION BY w) AS all_m FROM (
        SELECT gid, any_value(w) AS w, sum(({v})::{wide}) AS s, sum(abs(({v})::DOUBLE)) AS m FROM cut GROUP BY gid))""",
    "cumulative": """SELECT gid, sum(s) OVER upto AS v, CASE WHEN '{wide}' = 'DOUBLE' THEN {e} * sum(m) OVER upto ELSE 0 END AS e FROM (
        SELECT gid, any_value(w) AS w, any_value(chain) AS chain, sum(({v})::{wide}) AS s, sum(abs(({v})::DOUBLE)) AS m
        FROM cut GROUP BY gid) WINDOW upto AS (PARTITION BY chain ORDER BY w)""",
    "moving": """SELECT gid, (sum(s) OVER upto)::DOUBLE / nullif(sum(n) OVER upto, 0) AS v,
        2 * {e} * sum(m) OVER upto / nullif(sum(n) OVER upto, 0) AS e FROM (
        SELECT gid, any_value(w) AS w, any_value(chain) AS chain, count({v}) AS n, sum(({v})::{wide}) AS s,
        sum(abs(({v})::DOUBLE)) AS m FROM cut GROUP BY gid)
        WINDOW upto AS (PARTITION BY chain ORDER BY w RANGE BETWEEN {back} PRECEDING AND CURRENT ROW)""",
}
# The row before in a chain and entity is the same whichever window a row is looked at in: a counter's step goes back to it.
_STEPS = """SELECT gid, code, time, CASE WHEN prev IS NULL THEN NULL WHEN u >= prev THEN u - prev ELSE u END AS step,
    coalesce(since, time) AS since, abs(u) + coalesce(abs(prev), 0) AS m FROM (
    SELECT cut.gid, cut.code, cut.time, u, prev, since FROM cut JOIN (
    SELECT seq, chain, u, lag(u) OVER course AS prev, lag(time) OVER course AS since FROM (
    SELECT DISTINCT seq, chain, code, time, ({v})::DOUBLE AS u FROM cut) WHERE u IS NOT NULL
    WINDOW course AS (PARTITION BY chain, code ORDER BY time, seq)) AS stepped USING (seq, chain))"""
_COURSES = {
    "increase": f"SELECT gid, fsum(step) AS v, 4 * {{v2}} * sum(m) AS e FROM ({_STEPS}) GROUP BY gid",
    "rate": f"""SELECT gid, fsum(rise / elapsed) AS v, 8 * {{v2}} * sum(m / elapsed) AS e FROM (
        SELECT gid, sum(step) AS rise, sum(m) AS m, nullif((max(time)::HUGEINT - min(since))::DOUBLE / 1e9, 0) AS elapsed
        FROM ({_STEPS}) GROUP BY gid, code) GROUP BY gid""",
    "time_weighted_mean": """SELECT gid, fsum(u * stood) / nullif(fsum(stood), 0) AS v,
        8 * {v2} * sum(abs(u) * stood) / nullif(sum(stood), 0) AS e FROM (
        SELECT gid, u, ((lead(time) OVER course)::HUGEINT - time)::DOUBLE AS stood FROM (
        SELECT gid, code, seq, time, ({v})::DOUBLE AS u FROM cut) WHERE u IS NOT NULL
        WINDOW course AS (PARTITION BY gid, code ORDER BY time, seq)) GROUP BY gid""",
}

ANY = ["count", "min", "max", "first", "last", "distinct", "distinct_sketch", "mode"]
OF_NUMBERS = [
    "sum", "mean", "quantile", "range", "variance", "standard_deviation", "rate", "increase", "delta", "derivative",
    "time_weighted_mean", "weighted_mean", "ratio", "rank", "share_below", "share_of_total",
]  # fmt: skip
IN_A_ROW = ["cumulative", "moving"]
ROWS = Measure("count", "rows")


def drawn(dice: Random, columns: list[str], window: Window, name: str) -> Measure:
    """Any measure of these columns that the window has."""
    if dice.random() < 0.05:
        return Measure("formula", name, formula=dice.choice(list(FORMULAS)))
    kinds = [*ANY, *OF_NUMBERS, *(IN_A_ROW if window.in_a_row else [])]
    kind = dice.choice(kinds)
    numbers = [column for column in columns if TYPES[column] in NUMBERS]
    column = dice.choice(columns if kind in ANY else numbers)
    second = dice.choice(numbers) if kind in ("weighted_mean", "ratio") else ""
    parameter = 0.0
    if kind == "quantile":
        parameter = dice.choice([0.0, 0.5, 0.9, 0.99, 1.0, dice.random()])
    elif kind in ("rank", "share_below"):
        parameter = dice.choice([dice.randint(-20, 20) / 4, dice.uniform(0, 100), float("inf"), -0.0])
    elif kind == "moving":
        parameter = dice.randint(1, 6)
    return Measure(kind, name, column, second, parameter)
