"""What the client's pages and docstrings show works."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

from marigram.cli.demonstration import server
from marigram_client import filters, measures

FOLDER = Path(__file__).parents[2] / "clients/python"


@pytest.mark.parametrize("module", [filters, measures])
def test_examples_of_docstrings_give_what_they_show(module: object) -> None:
    failed, tried = doctest.testmod(module)  # type: ignore[arg-type]
    assert tried > 0
    assert failed == 0


def readme() -> str:
    (example,) = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    return str(example)


@pytest.mark.parametrize(
    "script", [readme(), (FOLDER / "examples/first_steps.py").read_text()], ids=["readme", "example"]
)
async def test_the_first_example_runs_beside_a_server(script: str) -> None:
    async with server.running() as (address, key):
        done = subprocess.run(  # noqa: ASYNC221 (nothing else runs here)
            [sys.executable, "-c", script],
            env={"MARIGRAM_ADDRESS": address, "MARIGRAM_KEY": key, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "mean_value" in done.stdout
