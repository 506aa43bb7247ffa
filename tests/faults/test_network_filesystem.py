"""A data directory on a network filesystem keeps a server from starting, unless it is told to start all the same."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import need
from tests.server.test_lifecycle import serve

SOURCE = Path(__file__).with_name("statfs.c")


@pytest.fixture
def on_nfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes started from here on see NFS wherever they look."""
    compiler = shutil.which("cc")
    need(sys.platform == "linux" and compiler, "Linux and a C compiler")
    assert compiler
    library = tmp_path / "statfs.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))


@pytest.mark.usefixtures("on_nfs")
def test_a_directory_on_a_network_filesystem_is_refused_by_name_and_left_empty(tmp_path: Path) -> None:
    with serve(tmp_path / "data") as process:
        assert process.end() == 1
    assert process.log[-1]["reason"] == "NETWORK_FILESYSTEM"
    assert "(nfs)" in process.log[-1]["message"]
    assert not (tmp_path / "data" / "admin.key").exists()


@pytest.mark.usefixtures("on_nfs")
def test_who_insists_is_served(tmp_path: Path) -> None:
    with serve(tmp_path / "data", "--set", "allow_network_filesystem=true") as process:
        process.until("listening")
