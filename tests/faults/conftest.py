"""Seeds, sizes and the compiled shim."""

import os
import random
import secrets
from pathlib import Path

import pytest

from tests.faults import shim

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
