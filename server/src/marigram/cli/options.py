"""What the commands share: exit codes, common options, and the words of options that have few. Imports nothing slow."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

EXIT_CODES = (
    "Exit codes: 0 done · 1 failed · 2 the command line or the data is wrong · 3 the server cannot be reached or takes "
    "no more · 4 the key is missing or not allowed · 5 not found · 6 done, but rows were quarantined · 130 interrupted "
    "· 141 nobody reads the output any more"
)
"""As ``marigram.cli.failures`` and ``load`` have them."""


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"
    ARROW = "arrow"
    PARQUET = "parquet"


class Period(StrEnum):
    """What an answer is compared with."""

    PREVIOUS = "previous"
    SAME_WEEKDAY = "same_weekday"
    YEAR_AGO = "year_ago"


class First(StrEnum):
    """Which rows come first."""

    LATEST = "latest"
    EARLIEST = "earliest"


class Shape(StrEnum):
    """How a list or figures are printed."""

    TABLE = "table"
    JSON = "json"


class FileFormat(StrEnum):
    """What a file is."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="The server, instead of MARIGRAM_ADDRESS, the profile's or 127.0.0.1:4774."),
]
Profile = Annotated[
    str | None, typer.Option(metavar="NAME", help="Profile to take address and key from, instead of MARIGRAM_PROFILE.")
]
Output = Annotated[Shape, typer.Option("--output", "-o", help="How to print.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether this is meant.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION",
        help="'COLUMN OP VALUE', OP one of == != < <= > >= in; may be repeated, all must hold. Quotes in it "
        "make a text of a number: \"code == '404'\".",
    ),
]
FilterText = Annotated[
    str | None,
    typer.Option("--filter", metavar="TEXT", help="Rows to take, as the server reads it (AIP-160); besides --where."),
]
Since = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="First instant, as 2013-01-01 or 2013-01-01T12:00Z.")
]
Until = Annotated[str | None, typer.Option("--to", metavar="TIME", help="First instant after the range.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", "-c", metavar="NAME", help="Column or label; may be repeated; else all."),
]
OutputFormat = Annotated[
    Format | None,
    typer.Option("--output", "-o", help="How to print; else by the name of --output-file, else a table."),
]
OutputFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write there instead of standard output; an old file is replaced."),
]

# What a question is made of.
MeasureTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--measure",
        "-m",
        metavar="MEASURE",
        help="count, KIND:COLUMN, KIND:COLUMN:SECOND or KIND(PARAMETER):COLUMN, such as mean:value, p99:value, "
        "rate:requests, ratio:errors:requests, share_below(100):latency; =NAME behind it names the column of the "
        "answer, ' where FILTER' takes rows for it alone; may be repeated; count if not given.",
    ),
]
Formulas = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=TEXT",
        help="Arithmetic on measures before it: 'percent=ratio_errors * 100'; may be repeated.",
    ),
]
GroupBy = Annotated[
    list[str] | None,
    typer.Option(
        "--group-by",
        "-g",
        metavar="KEY",
        help="Column, label or entity; hour_of_day:time@Europe/Berlin; bin(15):delay; capture(^(..)):host; =NAME "
        "behind the last three; may be repeated.",
    ),
]
WindowText = Annotated[
    str | None,
    typer.Option(
        "--window",
        "-w",
        metavar="WINDOW",
        help="30s, 6h or 7d side by side; 10m/1m each minute ten; sliding:10m; session:30m or "
        "session:30m/8h; hour, day, week, month, quarter or "
        "year, @Europe/Berlin behind it for another zone than UTC; without it, one.",
    ),
]
FillText = Annotated[
    str | None,
    typer.Option(metavar="WITH", help="Put null, previous, linear, zero or a number into windows without rows."),
]
Compare = Annotated[Period | None, typer.Option(help="Put what each measure was before, and its change, beside it.")]
Having = Annotated[
    list[str] | None,
    typer.Option(metavar="CONDITION", help="As --where, of columns of the answer: 'count > 10'; may be repeated."),
]
OrderBy = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="Column of the answer, -COLUMN for greatest first (--order-by=-count); may be repeated.",
    ),
]
Top = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Most groups a window, by the first --order-by; 0 is all.")
]
Other = Annotated[bool, typer.Option("--other", help="Put the groups that --top drops into one more.")]
Limit = Annotated[int, typer.Option(min=0, help="Most rows to print; 0 is all.")]
AsOf = Annotated[
    int, typer.Option(min=0, metavar="COMMIT", help="Answer of the rows as they were at this commit; 0 is now.")
]
