"""Seeds, sizes and the compiled shim."""

import os
import random
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import shim
from tests.needs import need

FULL = os.environ.get("MARIGRAM_FAULTS") == "full"


@pytest.fixture(scope="session")
def shim_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shim.build(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def control(tmp_path: Path) -> shim.Control:
    return shim.Control(tmp_path / "control")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """MARIGRAM_FAULTS_SEED, else a new one for a full run and always the same for a small one."""
    given = os.environ.get("MARIGRAM_FAULTS_SEED")
    value = int(given) if given else secrets.randbits(32) if FULL else 4774
    print(f"{request.node.name}: MARIGRAM_FAULTS_SEED={value}")  # noqa: T201
    return value


@pytest.fixture
def dice(seed: int) -> random.Random:
    return random.Random(seed)


@pytest.fixture
def full() -> bool:
    """Whether this is `make faults` with MARIGRAM_FAULTS=full."""
    return FULL


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 64 MiB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    need(sys.platform == "linux" and os.geteuid() == 0 and mount and umount, "root, to mount a tmpfs")
    assert mount
    assert umount
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    need(done.returncode == 0, f"the right to mount a tmpfs: {done.stderr.decode()}")
    yield folder
    subprocess.run([umount, str(folder)], check=True)
