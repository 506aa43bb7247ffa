"""How tests let time pass and read the screen."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from math import sin

from textual.pilot import Pilot

from marigram_tui.app import MarigramApp
from tests.tui.fake import SECOND_NS, Clock, FakeGateway, status


async def settle(pilot: Pilot[None]) -> None:
    """Let everything that is under way happen, paint, and let that happen too."""
    app = pilot.app
    assert isinstance(app, MarigramApp)
    for _ in range(3):
        await pilot.pause()
        app.frame()
    await pilot.pause()


async def live(pilot: Pilot[None], gateway: FakeGateway, clock: Clock, seconds: int = 1) -> None:
    """So many seconds of figures, rising and falling."""
    for second in range(seconds):
        swing = 1 + 0.5 * sin(second / 11) + 0.2 * sin(second / 3)
        figures, passed = status(second), second * SECOND_NS
        gateway.push(
            status(
                second,
                rows_per_second=figures.rows_per_second * swing,
                queue_bytes=int(figures.queue_bytes * max(0, swing - 0.6)),
                commit_p99=figures.commit_p99 * (0.6 + 0.4 * swing),
                streams=tuple(
                    replace(one, rows_per_second=one.rows_per_second * swing, watermark_ns=one.watermark_ns + passed)
                    if one.rows_per_second and one.watermark_ns is not None
                    else one
                    for one in figures.streams
                ),
            )
        )
        await pilot.pause()
        clock.advance(1)
    await settle(pilot)


def screen_text(app: MarigramApp) -> str:
    """What is on the screen, line by line."""
    lines = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in lines)


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    """Wait until this is true, at most ten seconds."""
    async with asyncio.timeout(10):
        while not true():
            await pilot.pause(0.02)
