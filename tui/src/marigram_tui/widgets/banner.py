"""What is wrong, and what to do about it, across the screen."""

import math

from textual.content import Content
from textual.widgets import Static

from marigram_tui import formats
from marigram_tui.connection import Link, Phase
from marigram_tui.gateway import Kind

REFUSALS = {
    "STORE_FULL": "the disk is full or failing: make room; writes then go on by themselves",
    "TAIL_FULL": "the tail in memory has reached its bound: writers wait until there is room",
    "SHUTTING_DOWN": "the server is stopping",
    "INTERNAL": "the server cannot commit any more: its log says why, and it must be started again",
}
"""Words for reasons; one that is not here is shown as the server says it."""


class Banner(Static):
    """Hidden while all is well."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's word)
        super().__init__("", id=id)
        self.display = False
        self._text = ""

    def show(self, link: Link, now: float, refusal: str | None) -> None:
        """Tell of the connection, else of refused writes (``refusal`` is the reason, None if they are taken)."""
        if link.phase is Phase.LOST and link.trouble is not None:
            seconds = max(0, math.ceil(link.retry_at - now))
            why = formats.safe(link.trouble.why, 300)
            if link.trouble.kind is Kind.LOST:
                self._say("-error", f"× connection lost, retrying in {seconds} s ({why})", "")
            else:
                head = f"× {link.trouble.kind.value}, retrying in {seconds} s: {why}"
                self._say("-error", head, link.trouble.advice)
        elif refusal is not None:
            known = REFUSALS.get(refusal)
            name = formats.safe(refusal) or "no reason given"
            self._say("-warning", f"! writes are refused ({name})" + (f": {known}" if known else ""), "")
        else:
            self._say("", "", "")

    def _say(self, kind: str, head: str, advice: str) -> None:
        text = f"{head}\n{advice}" if advice else head
        if text == self._text:
            return
        self._text = text
        self.display = bool(text)
        self.set_class(kind == "-error", "-error")
        self.set_class(kind == "-warning", "-warning")
        self.update(Content.assemble((head, "bold"), f"\n{advice}" if advice else ""))
