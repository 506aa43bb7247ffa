"""Screens worth a picture: for snapshots and for the documentation."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from textual.pilot import Pilot
from textual.widgets import Input

from marigram_tui.app import MarigramApp
from marigram_tui.gateway import Kind, Trouble
from marigram_tui.screens.choose import Choose
from marigram_tui.screens.copy import Copy
from marigram_tui.screens.explorer import Explorer
from tests.tui.driving import live, settle, until
from tests.tui.fake import Clock, FakeGateway, application, status

BAD_FILTER = Trouble(
    Kind.QUESTION, "character 10: expected a value, got 'A'", field="spec.filter_text", reason="BAD_FILTER_TEXT"
)
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


async def explored(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    """The explorer with one question asked, from the overview."""
    await overview(pilot, gateway, clock)
    await pilot.press("x")
    await settle(pilot)
    app = pilot.app
    assert isinstance(app.screen, Explorer)
    fields = app.screen.fields
    fields.box("measures").value = "p95:dep_delay, mean:dep_delay"
    fields.box("group").value = "carrier"
    fields.box("filter").value = "origin = JFK"
    for name in fields.query("Input"):
        name.cursor_blink = False  # type: ignore[attr-defined]
    await pilot.press("enter")
    await settle(pilot)


async def table(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    await explored(pilot, gateway, clock)
    await pilot.press("f3")
    await settle(pilot)


async def bars(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    await explored(pilot, gateway, clock)
    app = pilot.app
    assert isinstance(app.screen, Explorer)
    app.screen.fields.box("window").value = ""
    await pilot.press("enter")
    await settle(pilot)


async def unreadable(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    await explored(pilot, gateway, clock)
    app = pilot.app
    assert isinstance(app.screen, Explorer)
    app.screen.fields.box("filter").value = "origin = AND dep_delay > 15"
    gateway.trouble = BAD_FILTER
    await pilot.press("enter")
    await settle(pilot)


async def choosing(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    await explored(pilot, gateway, clock)
    await pilot.press("f2")
    await until(pilot, lambda: isinstance(pilot.app.screen, Choose))
    pilot.app.screen.query_one("#part", Input).cursor_blink = False
    await settle(pilot)


async def copying(pilot: Pilot[None], gateway: FakeGateway, clock: Clock) -> None:
    await explored(pilot, gateway, clock)
    await pilot.press("f4")
    await until(pilot, lambda: isinstance(pilot.app.screen, Copy))
    await settle(pilot)


SCENES = {
    "overview": Scene(overview),
    "chart": Scene(chart, "flights"),
    "groups": Scene(groups, "flights"),
    "paused": Scene(paused, "flights"),
    "lost": Scene(lost),
    "refused": Scene(refused),
    "help": Scene(keys),
    "explorer": Scene(explored),
    "explorer-table": Scene(table),
    "explorer-bars": Scene(bars),
    "explorer-unreadable": Scene(unreadable),
    "explorer-choosing": Scene(choosing),
    "explorer-query": Scene(copying),
}
