"""Copies of data directories that several tests read, made once."""

from pathlib import Path

import pytest

from tests.inspect import making
from tests.inspect.making import Written


@pytest.fixture(scope="session")
def log_alone(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """All rows in L0."""
    return making.log_alone(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Rows in parts and in L0."""
    return making.sealed(tmp_path_factory.mktemp("sealed"))


@pytest.fixture(scope="session")
def regular(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Rows in one part, with aggregates."""
    return making.regular(tmp_path_factory.mktemp("regular"))


@pytest.fixture(scope="session")
def rolled(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Rows in one part, with rollups."""
    return making.rolled(tmp_path_factory.mktemp("rolled"))


@pytest.fixture(scope="session")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Rows in one part, with filters of texts."""
    return making.traced(tmp_path_factory.mktemp("traced"))


@pytest.fixture(scope="session")
def recoded(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Rows in cold parts and in L0."""
    return making.sealed(tmp_path_factory.mktemp("recoded"), cold=True)


@pytest.fixture(params=["log_alone", "sealed", "recoded"])
def written(request: pytest.FixtureRequest) -> Written:
    """Any of them."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Written)
    return found


@pytest.fixture
def fixture_store() -> Path:
    """The store that is kept of format 1."""
    return Path(__file__).parents[2] / "engine_core/tests/fixtures/format-1"
