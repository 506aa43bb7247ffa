"""A query to take elsewhere: as a command and as Python."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from marigram_tui import formats

_WIDEST = 400


class Copy(ModalScreen[None]):
    """Both texts; a key puts one of them on the clipboard, where the terminal allows that."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy(0)", "copy the command"),
        Binding("p", "copy(1)", "copy the Python"),
        Binding("escape,q,enter,f4", "close", "close"),
    ]

    def __init__(self, shell: str, python: str) -> None:
        super().__init__()
        self.texts = (shell, python)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="copy"):
            for title, text in zip(("command  (c copies)", "Python  (p copies)"), self.texts, strict=True):
                yield Static(Content.styled(title, "bold $primary"), classes="title")
                yield Static(Content("\n".join(formats.safe(line, _WIDEST) for line in text.split("\n"))))

    def on_mount(self) -> None:
        box = self.query_one("#copy")
        box.border_title = "Query"
        box.border_subtitle = "c command · p Python · escape closes"
        box.focus()

    def action_copy(self, which: int) -> None:
        self.app.copy_to_clipboard(self.texts[which])
        self.query_one("#copy").border_subtitle = "✓ copied · escape closes"

    def action_close(self) -> None:
        self.dismiss()
