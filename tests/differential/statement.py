"""A question as one statement of SQL, after docs/queries.md.

Rows of the answer are ``(start, end, keys..., then value and slack of each measure)``. Tables on the way: ``taken``
(rows in the range that pass), ``keyed`` (with keys ``k0``...), ``cut`` (rows in their windows, with ``gid``, their group, and
``chain``, the group without its window).
"""

# ruff: noqa: E501  # SQL reads best in whole lines
from collections.abc import Callable, Sequence

from tests.differential.literals import NUMBERS, TEXTS, TYPES
from tests.differential.measures import FORMULAS, Measure
from tests.differential.questions import FILL_VALUE, Question
from tests.differential.windows import Calendar, Hopping, Session, Whole, floor_sql

_COUNTS = frozenset({"count", "distinct", "distinct_sketch", "rank"})


def statement(question: Question, errors: Sequence[float], shift: int = 0, shaped: bool = True) -> str:
    """The statement.

    Args:
        errors: relative error of each measure, as the answer states it.
        shift: nanoseconds by which rows are taken to be later than they are, to compare with an earlier period.
        shaped: with having, order and limit.
    """
    keys = [f"k{at}" for at in range(len(question.keys))]
    names = [f"v{at}, e{at}" for at in range(len(question.measures))]
    tables = [*_rows(question, shift), *_groups(question, keys)]
    tables += [
        f"m{at} AS ({m.sql(error)})" for at, (m, error) in enumerate(zip(question.measures, errors, strict=True))
    ]
    columns = [_value(measure, at) for at, measure in enumerate(question.measures)]
    joins = " ".join(f"LEFT JOIN m{at} USING (gid)" for at in range(len(question.measures)))
    tables.append(f"measured AS (SELECT groups.*, {', '.join(columns)} FROM groups {joins})")
    last = "measured"
    if question.fill:
        tables += _filled(question, keys)
        last = "filled"
    order = ["start", *keys, "gid"]
    rest = ""
    if shaped:
        places = {measure.name: f"v{at}" for at, measure in enumerate(question.measures)}
        places |= dict(zip(question.keys, keys, strict=True)) | {"start": "start"}
        if question.order is not None:
            order.insert(0, places[question.order[0]] + " DESC" * question.order[1] + " NULLS LAST")
        if question.having is not None:
            rest += f"WHERE {places[question.having.column]} {question.having.operator} {question.having.value!r} "
    rest += f"ORDER BY {', '.join(order)}"
    rest += f" LIMIT {question.limit}" if question.limit and shaped else ""
    shown = ", ".join(["start", '"end"', *keys, *names])
    return f"WITH {', '.join(tables)} SELECT {shown} FROM {last} {rest}"


def _rows(question: Question, shift: int) -> list[str]:
    key = [f'"{name}"{" + 0.0" * (TYPES[name] == "f64")} AS k{at}' for at, name in enumerate(question.keys)]
    passing = f"WHERE {question.filter.sql()}" if question.filter else ""
    bounds = [f"time >= {question.start}"] if question.start is not None else []
    bounds += [f"time < {question.end}"] if question.end is not None else []
    within = f"WHERE {' AND '.join(bounds)}" if bounds else ""
    shifted = f"REPLACE (time + {shift} AS time)" if shift else ""
    return [
        f"taken AS MATERIALIZED (SELECT * FROM (SELECT * {shifted} FROM {question.stream} {passing}) {within})",
        f"keyed AS (SELECT {', '.join(['*', *key])} FROM taken)",
    ]


def _groups(question: Question, keys: list[str]) -> list[str]:
    """``cut``, and ``groups`` with a row for each of its groups."""
    by = ["start", *keys, "w"]
    windowed = f"windowed AS MATERIALIZED ({question.window.sql()})"
    if not question.top_groups:
        cut = _numbered("windowed", by, keys or ["0"])
    else:
        ranked = (
            f"SELECT gid, row_number() OVER (PARTITION BY w ORDER BY n {'DESC' * question.order[1]}, gid) AS place "  # type: ignore[index]
            "FROM (SELECT gid, any_value(w) AS w, count(*) AS n FROM first GROUP BY gid)"
        )
        others = [
            f"CASE WHEN place > {question.top_groups} THEN {_other(name)} ELSE {key} END AS {key}"
            for name, key in zip(question.keys, keys, strict=True)
        ]
        kept = f"SELECT first.* REPLACE ({', '.join(others)}), place > {question.top_groups} AS is_other FROM first"
        last = "" if question.other else f"WHERE place <= {question.top_groups}"
        kept = f"SELECT * EXCLUDE (gid, chain) FROM ({kept} JOIN ({ranked}) USING (gid) {last})"
        windowed += f", first AS MATERIALIZED ({_numbered('windowed', by, keys)})"
        cut = _numbered(f"({kept})", [*by, "is_other"], [*keys, "is_other"])
    each = ", ".join(f"any_value({name}) AS {name}" for name in ["w", "chain", "start", '"end"', *keys])
    groups = f"SELECT gid, {each} FROM cut GROUP BY gid"
    if isinstance(question.window, Whole) and not keys:
        groups += " UNION ALL SELECT 1, 0, 1, 0, 0 WHERE NOT EXISTS (FROM cut)"
    return [windowed, f"cut AS MATERIALIZED ({cut})", f"groups AS ({groups})"]


def _numbered(table: str, group: list[str], chain: list[str]) -> str:
    return (
        f"SELECT *, dense_rank() OVER (ORDER BY {', '.join(group)}) AS gid, "
        f"dense_rank() OVER (ORDER BY {', '.join(chain)}) AS chain FROM {table}"
    )


def _other(key: str) -> str:
    return "'other'" if TYPES[key] in TEXTS else "NULL"


def _value(measure: Measure, at: int) -> str:
    value = f"m{at}.v"
    if measure.kind in _COUNTS:
        value = f"coalesce({value}, 0)"
    elif measure.kind == "formula":
        value = f"coalesce({value}, {FORMULAS[measure.formula].replace('rows', '(0::DOUBLE)')})"
    # A measure without a row is that of no rows at all, which is as it is.
    return f"{value} AS v{at}, CASE WHEN m{at}.gid IS NULL THEN 0 ELSE m{at}.e END AS e{at}"


def is_of_numbers(measure: Measure) -> bool:
    """Whether its values are numbers."""
    takes_the_type = measure.kind in ("min", "max", "first", "last", "mode")
    return not takes_the_type or TYPES[measure.column] in NUMBERS


def is_of_integers(measure: Measure) -> bool:
    """Whether its values are integers."""
    takes_the_type = measure.kind in ("min", "max", "first", "last", "mode", "sum", "range", "delta", "cumulative")
    return measure.kind in _COUNTS or (takes_the_type and TYPES[measure.column] == "i64")


def _filled(question: Question, keys: list[str]) -> list[str]:
    chains = (
        "SELECT DISTINCT chain" + "".join(f", {key}" for key in keys) + " FROM cut" if keys else "SELECT 1 AS chain"
    )
    window = question.window
    number: Callable[[object], str]
    if isinstance(window, Calendar):
        number = lambda bound: f"(SELECT max(w) FROM {window.table} WHERE edge <= {bound})"  # noqa: E731
        start = f"(SELECT edge FROM {window.table} AS edges WHERE edges.w = windows.w)"
    else:
        assert isinstance(window, Hopping)
        number = lambda bound: floor_sql(str(bound), window.width)  # noqa: E731
        start = f"(windows.w * {window.width})::BIGINT"
    # Where the range is open, the rows that are taken bound it.
    low = number("(SELECT min(time) FROM taken)" if question.start is None else question.start)
    high = number("(SELECT max(time) FROM taken)" if question.end is None else question.end - 1)
    low, high = f"({low})::BIGINT", f"({high})::BIGINT"
    is_empty = None not in (question.start, question.end) and question.start == question.end
    windows = f"(SELECT unnest(range({low}, {low if is_empty else f'{high} + 1'})) AS w) AS windows"
    spread = f"SELECT *, {start} AS start FROM ({chains}), {windows}"
    columns = ["groups.gid", "spread.start", '0::BIGINT AS "end"', *(f"spread.{key}" for key in keys)]
    measured = "SELECT * FROM measured"
    columns = [column.replace("groups.", "found.") for column in columns]
    filled = [_fill(question.fill, measure, at) for at, measure in enumerate(question.measures)]
    courses = (
        "WINDOW before AS (PARTITION BY spread.chain ORDER BY spread.w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), "
        "after AS (PARTITION BY spread.chain ORDER BY spread.w ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)"
    )
    joined = "spread LEFT JOIN found ON found.chain = spread.chain AND found.w = spread.w"
    return [
        f"spread AS ({spread})",
        f"found AS ({measured})",
        f"filled AS (SELECT {', '.join([*columns, *filled])} FROM {joined} {courses})",
    ]


def _fill(fill: str, measure: Measure, at: int) -> str:
    known = f"CASE WHEN v{at} IS NOT NULL THEN {{'v': v{at}, 'e': e{at}, 'w': spread.w}} END"
    before, after = f"last_value({known} IGNORE NULLS) OVER before", f"first_value({known} IGNORE NULLS) OVER after"
    value, slack = "NULL", "0"
    if fill == "previous":
        value, slack = f"({before}).v", f"({before}).e"
    elif fill in ("zero", "constant") and is_of_numbers(measure):
        value = "0" if fill == "zero" else repr(FILL_VALUE)
        # An integer near it, for a column of integers.
        value, slack = (f"round({value})::HUGEINT", "1") if is_of_integers(measure) else (value, "0")
    elif fill == "linear" and is_of_numbers(measure):
        low, high = f"({before}).v::DOUBLE", f"({after}).v::DOUBLE"
        share = f"(spread.w - ({before}).w)::DOUBLE / (({after}).w - ({before}).w)"
        value = f"{low} + ({high} - {low}) * {share}"
        value = f"round({value})::HUGEINT" if is_of_integers(measure) else value
        rounding = "1" if is_of_integers(measure) else "0"
        slack = f"({before}).e + ({after}).e + pow(2, -48) * (abs({low}) + abs({high})) + {rounding}"
    return (
        f"CASE WHEN found.gid IS NOT NULL THEN v{at} ELSE {value} END AS v{at}, "
        f"CASE WHEN found.gid IS NOT NULL THEN e{at} ELSE {slack} END AS e{at}"
    )


def has_end(question: Question) -> bool:
    """Whether the answer has a column ``end``."""
    return isinstance(question.window, Session)
