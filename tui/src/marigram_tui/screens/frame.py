"""What all screens have: a title bar above, a banner, keys below, and a picture that is painted on the frame clock."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer

from marigram_tui import formats
from marigram_tui.connection import Phase
from marigram_tui.gateway import Kind
from marigram_tui.widgets.banner import Banner
from marigram_tui.widgets.titlebar import Badge, TitleBar

if TYPE_CHECKING:
    from marigram_tui.app import MarigramApp
    from marigram_tui.state import State


class FrameScreen(Screen[None]):
    """A screen that the frame clock paints while it is on top."""

    @property
    def home(self) -> "MarigramApp":
        """The application, with its own type."""
        return cast("MarigramApp", self.app)

    @property
    def state(self) -> "State":
        """What is known of the server."""
        return self.home.state

    @property
    def stands(self) -> bool:
        """It has all its widgets: one that is being taken down loses them before it is gone."""
        return self.is_mounted and self.display

    def compose(self) -> ComposeResult:
        yield TitleBar(id="title")
        yield Banner(id="banner")
        yield from self.body()
        yield Footer(show_command_palette=False)

    def body(self) -> ComposeResult:
        """The widgets between banner and keys."""
        yield from ()

    def crumbs(self) -> tuple[str, ...]:
        """Where this screen is, in safe text."""
        return (formats.safe(self.home.gateway.address, 40),)

    def badge(self) -> Badge:
        """What is shown is now, or is not."""
        link = self.state.link
        if link.trouble is not None and link.trouble.kind is Kind.DENIED:
            return Badge.DENIED
        return {Phase.CONNECTING: Badge.CONNECTING, Phase.LIVE: Badge.LIVE, Phase.LOST: Badge.OFFLINE}[link.phase]

    def note(self) -> str:
        """A word beside the badge."""
        return ""

    def commands(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """What the palette offers on this screen, in safe text."""
        yield from ()

    def paint(self) -> None:
        """Show the state as it is now. Called by the frame clock; cheap when nothing changed."""
        state = self.state
        status = state.status
        refusal = status.refusal_reason if status is not None and not status.accepting_writes else None
        self.query_one(TitleBar).show(self.crumbs(), self.badge(), self.note())
        self.query_one(Banner).show(state.link, self.home.clock.now(), refusal)
        self.set_class(status is not None and not state.live, "-stale")

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self._resume)

    def _resume(self) -> None:
        if self.stands:
            self.paint()
