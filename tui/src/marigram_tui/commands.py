"""What the command palette finds besides what is there everywhere: the screen's own commands, and all streams."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from marigram_tui import formats
from marigram_tui.screens.frame import FrameScreen

if TYPE_CHECKING:
    from marigram_tui.app import MarigramApp

_MOST_SHOWN = 20


class StreamCommands(Provider):
    """Commands of the screen and streams by name, shown as plain text whatever they hold."""

    async def discover(self) -> Hits:
        for place, (text, act) in enumerate(self._commands()):
            if place < _MOST_SHOWN:
                yield DiscoveryHit(Content(text), act, text=text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for text, act in self._commands():
            score = matcher.match(text)
            if score > 0:
                yield Hit(score, Content(text), act, text=text)

    def _commands(self) -> Iterator[tuple[str, Callable[[], None]]]:
        if isinstance(self.screen, FrameScreen):
            yield from self.screen.commands()
        app = cast("MarigramApp", self.app)
        status = app.state.status
        for stream in status.streams if status else ():
            yield f"Chart of {formats.safe(stream.name)}", partial(app.open_stream, stream.name)
