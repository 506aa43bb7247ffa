"""Screens worth a picture: for snapshots and for the documentation."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from textual.pilot import Pilot

from marigram_tui.app import MarigramApp
from marigram_tui.gateway import Kind, Trouble
from tests.tui.driving import live, settle
from tests.tui.fake import Clock, FakeGateway, application, status

Prepare = Callable[[Pilot[None], FakeGateway, Clock], Awaitable[None]]


@dataclass(frozen=True)
class Scene:
    """How to open the application and what to do then."""

    prepare: Prepare
    stream: str | None = None

    def open(self) -> tuple[MarigramApp, Callable[[Pilot[None]], Awaitable[None]]]:
        """The application, and what brings it there."""
        app, gateway, clock = application(stream=self.stream)
        return app, lambda pilot: self.prepare(pilot, gateway, clock)


async def overview(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    await live(pilot, gateway, clock, 90)


async def chart(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    await overview(pilot, gateway, clock)
    await pilot.press("m", "m", "m", "m", "m")
    await settle(pilot)


async def groups(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    await overview(pilot, gateway, clock)
    await pilot.press("g")
    await settle(pilot)


async def paused(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    await overview(pilot, gateway, clock)
    await pilot.press("space")
    await settle(pilot)


async def lost(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    await overview(pilot, gateway, clock)
    gateway.push(Trouble(Kind.LOST, "failed to connect to all addresses; last error: connection refused"))
    await settle(pilot)


async def refused(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    await overview(pilot, gateway, clock)
    gateway.push(status(91, accepting_writes=False, refusal_reason="STORE_FULL"))
    await settle(pilot)


async def keys(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    await overview(pilot, gateway, clock)
    await pilot.press("question_mark")
    await pilot.pause()


SCENES = {
    "overview": Scene(overview),
    "chart": Scene(chart, "flights"),
    "groups": Scene(groups, "flights"),
    "paused": Scene(paused, "flights"),
    "lost": Scene(lost),
    "refused": Scene(refused),
    "help": Scene(keys),
}
