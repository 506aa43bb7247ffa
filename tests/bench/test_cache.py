"""Directories that are kept between runs."""

import tempfile
from pathlib import Path

import pytest

from bench import cache
from bench.harness import Skipped

MORE_THAN_THERE_IS = 1 << 60


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def fill(place: Path) -> None:
    (place / "rows").write_text("many")


def test_what_was_made_once_is_not_made_again(folder: Path) -> None:
    assert cache.kept("large", fill, free_bytes=0) == folder / "large"
    again = cache.kept("large", lambda _: pytest.fail("made again"), free_bytes=MORE_THAN_THERE_IS)
    assert (again / "rows").read_text() == "many"


def test_what_was_not_finished_is_not_kept(folder: Path) -> None:
    def fail(place: Path) -> None:
        fill(place)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        cache.kept("large", fail, free_bytes=0)
    assert list(folder.iterdir()) == []


def test_too_little_room_skips_the_case() -> None:
    with pytest.raises(Skipped, match=r"large would have to be made and needs .* GB free, got"):
        cache.kept("large", fill, free_bytes=MORE_THAN_THERE_IS)


def test_without_the_variable_it_is_below_the_temporary_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache.VARIABLE)
    assert cache.folder().parent == Path(tempfile.gettempdir())
