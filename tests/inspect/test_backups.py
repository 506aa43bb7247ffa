"""A backup is a data directory, and every file of it is what its list says."""

import shutil
from pathlib import Path

import pytest

from marigram.inspect.damage import Damage
from marigram.inspect.reader import open_copy
from tests.cli.running import run
from tests.inspect.making import Written, same
from tests.inspect.test_damage import flip


@pytest.fixture
def backup(sealed: Written, tmp_path: Path) -> Path:
    shutil.copytree(sealed.directory, tmp_path / "data")
    made = run("backup", "create", str(tmp_path / "backup"), "--data-dir", str(tmp_path / "data"))
    assert made.exit_code == 0, made.output
    return tmp_path / "backup"


def test_a_backup_is_read_as_what_it_is_of(sealed: Written, backup: Path) -> None:
    with open_copy(backup) as data:
        data.verify()
        assert same(data.rows(data.stream("default", "all")), sealed.rows["all"])


def test_what_is_not_as_the_list_says_is_named(backup: Path) -> None:
    (backup / "parts" / "stray").write_text("x")
    part = min((backup / "parts").glob("*.mdb"))
    flip(part, part.stat().st_size - 20)  # where nothing is, for the part
    with open_copy(backup, salvage=True) as data:
        data.verify()
        assert [(one.file, one.rule) for one in data.damage if one.place == "the file"][:2] == [
            ("parts/stray", "a backup has the files of its list and no others"),
            (f"parts/{part.name}", "the crc32c of the file is the list's"),
        ]


def test_a_list_that_is_damaged_is_told(backup: Path) -> None:
    text = (backup / "BACKUP").read_text()
    (backup / "BACKUP").write_text(text.replace("default", "defeult"))
    with open_copy(backup) as data, pytest.raises(Damage, match="BACKUP: the list: the crc32c of the list holds"):
        data.verify()
    (backup / "BACKUP").write_text(text.replace("created_ns", "made_ns"))
    with open_copy(backup) as data, pytest.raises(Damage, match="the list has its lines in their order"):
        data.verify()
