"""The application: keys, screens, the frame clock and the connection. Nothing heavy is imported before it is shown."""

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from marigram_tui import themes
from marigram_tui.clock import Clock, SystemClock
from marigram_tui.connection import Connection
from marigram_tui.gateway import Gateway, LiveGateway
from marigram_tui.messages import StreamChosen
from marigram_tui.screens.frame import FrameScreen
from marigram_tui.screens.overview import Overview
from marigram_tui.state import State

if TYPE_CHECKING:
    from textual.command import Provider

    from marigram_tui.explore.form import Form
    from marigram_tui.gateway import ServerStatus

FRAMES_A_SECOND = 4


class MarigramApp(App[None]):
    """One server, seen from a terminal."""

    TITLE = "marigram"
    CSS_PATH = "app.tcss"
    COMMANDS: ClassVar = App.COMMANDS | {lambda: _stream_commands()}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 (as Textual declares it)
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "help", key_display="?"),
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", "quit", show=False, priority=True),
        Binding("R", "retry", "retry now", show=False),
    ]

    def __init__(
        self,
        gateway: Gateway,
        *,
        clock: Clock | None = None,
        stream: str | None = None,
        column: str | None = None,
        frames: bool = True,
    ) -> None:
        """An application for this server.

        Args:
            stream: open its chart at once, on ``column`` if there is one.
            frames: paint by the frame clock; without it only when ``frame`` is called.
        """
        super().__init__()
        self.gateway = gateway
        self.clock = clock or SystemClock()
        self.state = State()
        self._first = (stream, column)
        self._frames = frames
        self._connection = Connection(gateway, self.clock, self._arrived, self.state.linked)
        self.register_theme(themes.DEEP)
        self.register_theme(themes.PALE)
        self.theme = themes.DEEP.name

    def get_default_screen(self) -> Screen[None]:
        return Overview(id="_default")

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = super().get_line_filters()
        return (themes.Styled(), *filters) if self.no_color else filters

    def on_ready(self) -> None:
        self.call_after_refresh(self._begin)

    def frame(self) -> None:
        """Paint the screen that is on top, while it has its widgets."""
        screen = self.screen
        if isinstance(screen, FrameScreen) and screen.stands:
            screen.paint()

    def open_stream(self, stream: str, column: str | None = None) -> None:
        """Show a stream's chart."""
        from marigram_tui.screens.chart import Chart

        while isinstance(self.screen, Chart):
            self.pop_screen()
        self.push_screen(Chart(stream, column))

    def open_explorer(self, first: "Form") -> None:
        """Show the metrics explorer with these fields; it asks at once if they name a stream."""
        from marigram_tui.screens.explorer import Explorer

        self.push_screen(Explorer(first))

    def on_stream_chosen(self, message: StreamChosen) -> None:
        self.open_stream(message.stream)

    def action_help(self) -> None:
        from marigram_tui.screens.help import Help

        self.push_screen(Help(type(self.screen).__name__))

    def action_retry(self) -> None:
        self._connection.retry_now()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield SystemCommand("Help", "All keys", self.action_help)
        yield SystemCommand("Retry now", "Connect without waiting", self.action_retry)
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)
        yield SystemCommand("Quit", "Leave the terminal as it was", self.action_quit)

    def _begin(self) -> None:
        """The first screen is up."""
        self.run_worker(self._connection.run(), name="connection")
        if self._frames:
            self.set_interval(1 / FRAMES_A_SECOND, self.frame)
        stream, column = self._first
        if stream is not None:
            self.open_stream(stream, column)

    def _arrived(self, status: "ServerStatus") -> None:
        self.state.arrived(status, int(self.clock.now()))


def _stream_commands() -> "type[Provider]":
    from marigram_tui.commands import StreamCommands

    return StreamCommands


def run(
    address: str | None = None,
    key: str | None = None,
    *,
    profile: str | None = None,
    stream: str | None = None,
    column: str | None = None,
) -> int:
    """Show a server until the user leaves; the exit code.

    Where address and key come from without these arguments, ``marigram_client.profile`` says.

    Args:
        stream: open its chart at once, on ``column`` if there is one; else the overview.
    """
    return _run(MarigramApp(LiveGateway(address, key, profile), stream=stream, column=column))


def main(arguments: list[str] | None = None) -> int:
    """The command ``marigram-tui``."""
    parser = argparse.ArgumentParser("marigram-tui", description="Watch a Marigram server from a terminal.")
    parser.add_argument("address", nargs="?", help="HOST:PORT, instead of MARIGRAM_ADDRESS or the profile's")
    parser.add_argument("--key", help="instead of MARIGRAM_KEY, the profile's or that of a local data directory")
    parser.add_argument("--profile", help="profile to take address and key from")
    parser.add_argument("--stream", help="open this stream's chart")
    parser.add_argument("--column", help="and this column of it")
    told = parser.parse_args(arguments)
    gateway = LiveGateway(told.address, told.key, told.profile)
    return _run(MarigramApp(gateway, stream=told.stream, column=told.column))


def _run(app: MarigramApp) -> int:
    app.run()
    return app.return_code or 0
