"""Colours. Nothing is told by colour alone: every one stands beside a sign or a word."""

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

DEEP = Theme(
    name="marigram",
    primary="#56b4e9",
    secondary="#3d7391",
    accent="#f0c75e",
    success="#63d39b",
    warning="#f0a04b",
    error="#f2718a",
    foreground="#d5e2ea",
    background="#0a131b",
    surface="#0e1b26",
    panel="#152836",
    boost="#1d3546",
    dark=True,
    variables={
        "border": "#2a4a5f",
        "footer-background": "#0a131b",
        "footer-key-foreground": "#f0c75e",
        "footer-description-foreground": "#93a9b8",
        "block-cursor-background": "#1f4a66",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "bold",
        "input-selection-background": "#56b4e9 35%",
    },
)

PALE = Theme(
    name="marigram-light",
    primary="#0b6aa2",
    secondary="#6b8ea3",
    accent="#8a5a00",
    success="#0a7a48",
    warning="#9a5200",
    error="#b3213f",
    foreground="#132430",
    background="#f7fafc",
    surface="#eef3f6",
    panel="#dfe8ee",
    dark=False,
    variables={"border": "#b3c6d2", "footer-key-foreground": "#8a5a00", "block-cursor-text-style": "bold"},
)

# Told apart by most colour-blind eyes (after Okabe and Ito); each line also carries a letter.
LINES = ("#56b4e9", "#e69f00", "#63d39b", "#cc79a7", "#f0e442")


class Styled(LineFilter):
    """Gives a style to segments without one: plots have such, and what takes the colours out (NO_COLOR) wants one."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text, style or Style.null(), None) for text, style, _ in segments]
