"""``marigram status`` and ``marigram top``: the figures of the server, once or again and again."""

import sys
from datetime import timedelta

from marigram.cli import figures, output
from marigram.cli.options import Shape
from marigram.cli.plain import plain
from marigram_client.admin import MapStatus, ResultCacheStatus, SealingStatus, ServerStatus
from marigram_client.aio import Client
from marigram_client.errors import FailedPrecondition


async def run(shape: Shape, *, address: str | None, profile: str | None) -> None:
    """The figures once."""
    async with Client(address, profile=profile) as client:
        status = await client.status()
    if shape is Shape.JSON:
        output.print_json(plain(status))
        return
    output.print_grid(("figure", "value"), _figures(status), title=f"Server {client.address}")
    if status.streams:
        rows = (
            (one.name, one.rows, one.entities, figures.rate(one.rows_per_second), figures.instant(one.watermark_ns))
            for one in status.streams
        )
        names = ("stream", "rows", "entities", "rows/s", "watermark")
        output.print_grid(names, rows, title="Streams of this key's namespace", right=(1, 2, 3))


async def lines(interval: timedelta, *, address: str | None, profile: str | None) -> None:
    """A line each interval, until somebody ends it."""
    async with Client(address, profile=profile) as client:
        async for status in client.watch_status(interval):
            sys.stdout.write(f"{line(status)}\n")
            sys.stdout.flush()


def screen(address: str | None, profile: str | None, stream: str | None, column: str | None) -> int:
    """The terminal interface, until it is left; its exit code.

    Raises:
        FailedPrecondition: it is not installed.
    """
    try:
        from marigram_tui.app import run as opened
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("marigram_tui", "textual", "textual_plot"):
            raise
        rule = (
            "the terminal interface must be installed: pip install marigram-tui; `marigram top --plain` needs nothing"
        )
        raise FailedPrecondition(rule, reason="PACKAGE_MISSING") from error
    return opened(address, profile=profile, stream=stream, column=column)


def line(status: ServerStatus) -> str:
    """The figures that move, in a line of constant order."""
    ledger = status.ledger
    parts = [
        f"{status.now:%H:%M:%S}",
        f"{figures.rate(status.rows_per_second):>9} rows/s",
        f"{figures.size(status.bytes_per_second):>9}/s",
        f"commit p50 {figures.milliseconds(status.commit_p50)} p99 {figures.milliseconds(status.commit_p99)}",
        f"queue {figures.size(status.queue_bytes)}",
        f"tail {figures.size(status.tail_bytes)} of {figures.size(status.tail_limit_bytes)}",
        f"stored {ledger.stored:,}",
        f"rejected {sum(ledger.rejected.values()):,}",
        f"queries {status.queries_running}+{status.queries_waiting}",
    ]
    if not status.accepting_writes:
        parts.append(f"NO WRITES: {status.refusal_reason}")
    return output.printable(" · ".join(parts))


def _figures(status: ServerStatus) -> list[tuple[str, str]]:
    ledger, sealed = status.ledger, status.sealing
    parts = figures.counted(sealed.parts, "part")
    up = status.now - status.start_time
    rejected = "".join(f"; {count:,} {reason}" for reason, count in sorted(ledger.rejected.items()))
    writes = "accepted" if status.accepting_writes else f"refused: {status.refusal_reason}"
    return [
        ("version", status.version),
        ("up", f"{timedelta(seconds=int(up.total_seconds()))}, since {figures.moment(status.start_time)}"),
        ("writes", writes),
        ("rate", f"{figures.rate(status.rows_per_second)} rows/s, {figures.size(status.bytes_per_second)}/s"),
        ("commits", f"{status.commits:,}"),
        (
            "commit time",
            f"p50 {figures.milliseconds(status.commit_p50)}, p99 {figures.milliseconds(status.commit_p99)}",
        ),
        ("queue", figures.size(status.queue_bytes)),
        (
            "tail",
            f"{status.tail_rows:,} rows, {figures.size(status.tail_bytes)} of {figures.size(status.tail_limit_bytes)}",
        ),
        ("not sealed", _lag(sealed)),
        ("sealed", f"{sealed.sealed_rows:,} rows in {parts}, {figures.size(sealed.sealed_bytes)}"),
        ("queries", f"{status.queries_running} running, {status.queries_waiting} waiting"),
        ("memory", f"{figures.size(status.resident_bytes)}, dictionaries {figures.size(status.dictionary_bytes)}"),
        ("mapped", _maps(status.maps)),
        ("result cache", _cache(status.result_cache)),
        ("disk", f"{figures.size(status.disk_bytes)}, {figures.size(status.disk_free_bytes)} free"),
        ("rows received", f"{ledger.received:,}"),
        ("rows stored", f"{ledger.stored:,}, {ledger.late:,} of them late"),
        ("rows rejected", f"{sum(ledger.rejected.values()):,}{rejected}"),
        ("rows duplicate", f"{ledger.duplicate:,}"),
    ]


def _maps(maps: MapStatus) -> str:
    """Files in the server's address space."""
    hot = f"{figures.size(maps.hot_bytes)} of {figures.size(maps.hot_limit_bytes)}"
    return f"hot environment {hot}, {figures.counted(maps.parts, 'part')} {figures.size(maps.part_bytes)}"


def _cache(cache: ResultCacheStatus) -> str:
    """Earlier answers, and how often they helped."""
    if not cache.limit_bytes:
        return "off"
    taken = f"{figures.size(cache.bytes)} of {figures.size(cache.limit_bytes)}"
    helped = f"{cache.hits:,} of {cache.hits + cache.misses:,} queries answered from it"
    return f"{figures.counted(cache.answers, 'answer')}, {taken}; {helped}"


def _lag(sealing: SealingStatus) -> str:
    """What waits to be sealed, and why it does if it should not."""
    since = f", for {sealing.lag.total_seconds():,.0f} s" if sealing.lag_rows else ""
    why = f"; the last seal failed: {sealing.failure_reason}" if sealing.failure_reason else ""
    return f"{sealing.lag_rows:,} rows, {figures.size(sealing.lag_bytes)}{since}{why}"
