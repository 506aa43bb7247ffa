"""What is wrong with a question, at the field that it is about."""

import re
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content

from marigram_tui import formats
from marigram_tui.explore.form import Form
from marigram_tui.explore.grammar import Unreadable
from marigram_tui.gateway import Kind, Trouble

_FIELDS = (
    ("filter_text", "filter"),
    ("filter", "filter"),
    ("measures", "measures"),
    ("group_by", "group"),
    ("window", "window"),
    ("range", "range"),
    ("fill", "fill"),
    ("compare", "compare"),
    ("order_by", "order"),
    ("top_groups", "top"),
    ("other", "top"),
    ("stream", "stream"),
)
"""Parts of a query, and the field that they are typed in."""
_CHARACTER = re.compile(r"^character (\d+): ")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One line, the field that it is about (empty: none), and which character of that (0: none)."""

    text: str
    field: str = ""
    character: int = 0
    of: str = ""

    def shown(self, form: Form, width: int) -> Content:
        """What to show: the sentence, and below it the place in the text as long as that is what was complained of."""
        head = Content.styled(formats.safe(self.text, 400), "bold")
        if not self.character or getattr(form, self.field) != self.of:
            return head
        return Content.assemble(head, "\n", pointed(self.of, self.character, max(20, width - 6)))


def pointed(text: str, character: int, cells: int) -> str:
    """The text around a character, counted from 1, and below it a sign that points at it."""
    place = character - 1
    first = max(0, place - cells * 2 // 3)
    before = formats.safe(text[first:place], cells * 4)
    after = formats.safe(text[place:], max(1, cells - cell_len(before)))
    lead = "…" if first else ""
    return f"{lead}{before}{after}\n{' ' * cell_len(lead + before)}▲"


def of_typing(wrong: Unreadable) -> Complaint:
    """Of what cannot be read before it is asked."""
    return Complaint(f"! {wrong.field}: {wrong.rule}", wrong.field)


def of_trouble(trouble: Trouble, form: Form) -> Complaint:
    """Of what the server says, as it says it: field, reason, rule."""
    told = ".".join(part for part in trouble.field.split(".") if part != "spec")
    head = re.split(r"[.\[]", told, maxsplit=1)[0]
    field = next((field for part, field in _FIELDS if part == head), "")
    where = " ".join(part for part in (trouble.field, trouble.reason) if part)
    words = f"! {where or trouble.kind.value}: {trouble.why}"
    if trouble.kind is Kind.DENIED and trouble.advice:
        words = f"{words} {trouble.advice}"
    at = _CHARACTER.match(trouble.why) if head == "filter_text" else None
    if at is None:
        return Complaint(words, field)
    # The text goes to the server without the spaces around it.
    lead = len(form.filter) - len(form.filter.lstrip())
    return Complaint(words, field, int(at[1]) + lead, form.filter)
