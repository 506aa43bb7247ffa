"""Files under measurement."""

from pathlib import Path

import lmdb
import pytest

from bench.disk import PAGE, evict, footprint, resident


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "file"
    place.write_bytes(b"x" * (16 * PAGE))
    return place


def test_a_file_that_was_just_written_is_in_the_cache(file: Path) -> None:
    assert resident(file) == 16 * PAGE


def test_an_evicted_file_is_not_until_it_is_read(file: Path) -> None:
    evict(file)
    if resident(file):
        pytest.skip("this file system keeps its files in memory")
    file.read_bytes()
    assert resident(file) == 16 * PAGE


def test_a_directory_is_all_its_files(tmp_path: Path, file: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "other").write_bytes(b"y" * PAGE)
    (tmp_path / "empty").write_bytes(b"")
    assert resident(tmp_path) == 17 * PAGE


def test_free_pages_of_the_hot_environment_and_the_reserve_are_not_rows(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with lmdb.open(str(data / "hot.mdb"), subdir=False, map_size=1 << 24) as hot:
        with hot.begin(write=True) as transaction:
            for number in range(100):
                transaction.put(b"%d" % number, b"z" * 50_000)
        with hot.begin(write=True) as transaction:
            for number in range(99):
                transaction.delete(b"%d" % number)
    (data / "reserve").write_bytes(b"r" * 1_000_000)
    (data / "part").write_bytes(b"p" * 30_000)
    found = footprint(data)
    assert found.others == 30_000
    assert 50_000 < found.hot < 100_000
    assert found.used == found.hot + 30_000
    assert found.directory > 5_000_000
    assert sorted(tmp_path.iterdir()) == [data]
