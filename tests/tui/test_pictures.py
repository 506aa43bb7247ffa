"""Pictures of the screens: what changes in them is looked at before it is taken (``pytest --snapshot-update``)."""

from collections.abc import Callable

import pytest

from tests.tui.pictures import FOLDER, PICTURES, picture
from tests.tui.scenes import SCENES


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("name", SCENES)
def test_screen(snap_compare: Callable[..., bool], name: str, size: tuple[int, int]) -> None:
    app, prepare = SCENES[name].open()
    assert snap_compare(app, run_before=prepare, terminal_size=size)


@pytest.mark.parametrize("name", PICTURES)
async def test_the_documentation_shows_today_s_screens(name: str) -> None:
    written = (FOLDER / f"terminal-{name}.svg").read_text(encoding="utf-8")
    assert await picture(name, PICTURES[name]) == written, "python -m tests.tui.pictures writes them anew"
