"""``marigram demo``: a year of flights and weather through a server of its own, five tables, nothing left behind."""

import asyncio
import signal
import sys
from collections.abc import Sequence

from marigram.cli import output
from marigram.cli.demonstration import data, server, tables
from marigram_client.aio import Client
from marigram_client.kinds import Kind


def run() -> int:
    """Run the demonstration; the exit code. However it ends, the server is stopped and its directory removed."""
    return asyncio.run(_until_ended())


async def _until_ended() -> int:
    loop = asyncio.get_running_loop()
    work = asyncio.create_task(_demonstrate())
    ended: list[int] = []

    def end(number: int) -> None:
        ended.append(number)
        work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end, number)
    try:
        await work
    except asyncio.CancelledError:
        if not ended:
            raise
        return 128 + ended[0]
    return 0


async def _demonstrate() -> None:
    talk = output.talk()
    flights, weather = data.flights(), data.weather()
    async with server.running() as (address, key):
        talk.print(f"server on {address}")
        async with Client(address, key) as client:
            await load(client, "flights", flights, "event", ())
            await load(client, "weather", weather, "metric", ("origin",))
            for title, ask in tables.ALL.items():
                output.show(await ask(client), title)
                sys.stdout.write("\n")
    talk.print("server stopped")


async def load(client: Client, stream: str, rows: object, kind: Kind, labels: Sequence[str]) -> None:
    """Write rows to a stream and tell how long it took until they were on disk."""
    clock = asyncio.get_running_loop().time
    started = clock()
    async with client.writer(f"demo-{stream}") as writer:
        await writer.write(stream, rows, kind=kind, labels=labels)
        totals = await writer.flush()
    seconds = clock() - started
    output.talk().print(f"{stream}: {totals.stored:,} rows on disk in {seconds:.2f} s, {totals.rejected} quarantined")
