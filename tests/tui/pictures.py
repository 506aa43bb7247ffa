"""Pictures of the terminal for the documentation: ``python -m tests.tui.pictures`` writes docs/images/*.svg."""

import asyncio
import re
import sys
from pathlib import Path

from tests.tui.scenes import SCENES

FOLDER = Path(__file__).parents[2] / "docs" / "images"
PICTURES = {
    "overview": (100, 30),
    "chart": (100, 30),
    "groups": (100, 30),
    "explorer": (100, 30),
    "explorer-unreadable": (100, 24),
    "lost": (100, 24),
}


async def picture(name: str, size: tuple[int, int]) -> str:
    """One scene as SVG that needs nothing from elsewhere: the fonts are those of the reader."""
    app, prepare = SCENES[name].open()
    async with app.run_test(size=size) as pilot:
        await prepare(pilot)
        drawn = app.export_screenshot(title="marigram top", simplify=True)
    return re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL) + "\n"


async def write() -> None:
    """All of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, size in PICTURES.items():
        path = FOLDER / f"terminal-{name}.svg"
        path.write_text(await picture(name, size), encoding="utf-8")
        sys.stderr.write(f"{path.relative_to(FOLDER.parents[1])}\n")


if __name__ == "__main__":
    asyncio.run(write())
