"""``python -m marigram.cli``: the command without its script."""

from marigram.cli import app

app()
