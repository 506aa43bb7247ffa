"""Where we are, and whether what is shown is now."""

from enum import Enum

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from marigram_tui.formats import clip


class Badge(Enum):
    """Sign and word of a state, and its style."""

    CONNECTING = ("○ CONNECTING", "bold $foreground on $secondary")
    LIVE = ("● LIVE", "bold $background on $success")
    PAUSED = ("‖ PAUSED", "bold $background on $accent")
    DENIED = ("× DENIED", "bold $background on $error")
    OFFLINE = ("× OFFLINE", "bold $background on $error")


class TitleBar(Widget):
    """One line: name, breadcrumbs, badge."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word)
        super().__init__(id=id)
        self._shown: tuple[tuple[str, ...], Badge, str] = ((), Badge.CONNECTING, "")

    def show(self, crumbs: tuple[str, ...], badge: Badge, note: str = "") -> None:
        """Paint if something changed. Crumbs are safe text already."""
        if (crumbs, badge, note) != self._shown:
            self._shown = (crumbs, badge, note)
            self.refresh()

    def render(self) -> Content:
        crumbs, badge, note = self._shown
        sign, style = badge.value
        label = f" {sign} "
        room = self.size.width - cell_len(label)
        tail = f"{note}  " if note and cell_len(note) + 30 < room else ""
        head = " ≋ marigram "
        trail = clip("".join(f" › {crumb}" for crumb in crumbs), max(0, room - cell_len(head) - cell_len(tail) - 1))
        gap = " " * max(0, room - cell_len(head) - cell_len(trail) - cell_len(tail))
        before, arrow, here = trail.rpartition(" › ")
        return Content.assemble(
            (head, "bold $primary"),
            (before, "$foreground 60%"),
            (arrow, "$foreground 40%"),
            (here, "bold $foreground"),
            gap,
            (tail, "$foreground 60%"),
            (label, style),
        )
