"""What the demonstration says: on standard error, in lines that fit 80 columns."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from marigram.cli import figures, output
from marigram.cli.demonstration import Options
from marigram_client import provenance
from marigram_client.admin import ServerStatus
from marigram_client.streams import SealedRows

_UNITS = ((86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute"))


def beginning(chosen: Options) -> None:
    """What will happen."""
    if chosen.dashboard:
        history = "all but their last weeks" if chosen.speed_up is not None else "all of them"
        last = (
            f"The dashboard opens while the rest is replayed at {pace(chosen.speed_up)}"
            if chosen.speed_up is not None
            else "The dashboard opens"
        )
    else:
        history = "all of them" if chosen.speed_up is None else f"the last weeks at {pace(chosen.speed_up)}"
        last = "The server stops"
    where = "a temporary directory" if chosen.keep is None else str(chosen.keep)
    _lines(
        "A demonstration of Marigram on real data, on this machine alone:",
        f"  1. A server starts on 127.0.0.1; its data are in {where}.",
        "  2. The departures from New York's airports in 2013 go in as events, their",
        f"     weather as metrics: {history}, in the order of their time.",
        "     This machine's CPU, memory, disk and network go in each second.",
        "  3. Five questions are asked, and their answers printed.",
        f"  4. {last}.",
        "Ctrl-C ends it at any time, and no process is left behind.",
        "",
    )


def serving(address: str) -> None:
    """The server is there."""
    _lines(f"server on {address}")


def loaded(rows: Mapping[str, int], until_ns: int, seconds: float) -> None:
    """History is on disk."""
    each = ", ".join(f"{stream} {count:,}" for stream, count in rows.items())
    rate = sum(rows.values()) / seconds / 1e6
    _lines(
        f"rows on disk, times before {minute(until_ns)}: {each}",
        f"that took {seconds:.1f} s, {rate:.1f} million rows a second",
    )


def sealed(streams: Sequence[SealedRows]) -> None:
    """History lies in parts."""
    rows, parts, size = (sum(each) for each in zip(*((one.rows, one.parts, one.bytes) for one in streams), strict=True))
    _lines(f"sealed: {rows:,} rows in {figures.counted(parts, 'part')}, {figures.size(size)}", "")


def answered(answer: pa.Table) -> None:
    """How a table came about."""
    if not answer.schema.metadata:
        _lines("two answers, joined here")
        return
    made = provenance(answer)
    _lines(f"{answer.num_rows} rows out of {made.rows_scanned:,} in {made.elapsed.total_seconds() * 1e3:.1f} ms")


def opening(seconds: float) -> None:
    """The dashboard will cover the tables."""
    _lines(f"The dashboard opens in {seconds:g} seconds; Enter opens it now. Leave it with q.")


def shown(reached_ns: int, seconds: float) -> None:
    """What there was to see."""
    _lines(f"shown: five tables, the past up to {minute(reached_ns)}, this machine for {seconds:.0f} s")


def stored(status: ServerStatus) -> None:
    """What is in the server, and that no row is missing."""
    ledger = status.ledger
    each = ", ".join(f"{stream.name} {stream.rows:,}" for stream in status.streams)
    rejected = sum(ledger.rejected.values())
    _lines(
        f"stored: {each}",
        f"ledger: {ledger.received:,} rows received = {ledger.stored:,} stored + {rejected:,} rejected + "
        f"{ledger.duplicate:,} duplicate",
    )


def ending(keep: Path | None) -> None:
    """The server is gone: what to try next."""
    word = command()
    if keep is None:
        removed = "its data directory is removed"
        then = {
            "a day of 2013 in a second": f"{word} demo --speed-up 86400",
            "keep the data": f"{word} demo --keep demo-data",
            "a server of your own": f"{word} serve",
        }
    else:
        removed = f"its data are in {keep}"
        then = {
            "serve the data again": f"{word} serve --data-dir {keep}",
            "then, in another terminal": f"export MARIGRAM_KEY=$(cat {keep / 'admin.key'})",
            "ask": f"{word} query flights --measure count --group-by carrier",
            "look": f"{word} top",
        }
    _lines(f"server stopped, {removed}", "", "Try next (README.md and docs/demo.md go on from here):")
    for why, line in then.items():
        _lines(f"  # {why}", f"  {line}")


def interrupted() -> None:
    """The user ended it."""
    with suppress(OSError):  # the terminal may be gone
        _lines("stopped: the server is gone, and nothing is left behind")


def command() -> str:
    """How this command is called from here."""
    called = Path(sys.argv[0])
    if called.name != "marigram":
        return "python -m marigram.cli"
    found = shutil.which("marigram")
    return "marigram" if found and Path(found).samefile(called) else os.path.relpath(called)


def pace(speed_up: float) -> str:
    """A multiple of real time, as ``1 hour a second`` where that is round."""
    for seconds, unit in _UNITS:
        count = speed_up / seconds
        if count >= 1 and count == int(count):
            return f"{count:,.0f} {unit}{'s' if count > 1 else ''} a second"
    return f"{speed_up:,g} times real time"


def minute(time_ns: int) -> str:
    """An instant of UTC, for people."""
    return f"{datetime.fromtimestamp(time_ns / 1e9, UTC):%Y-%m-%d %H:%M}"


def _lines(*lines: str) -> None:
    console = output.talk()
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
