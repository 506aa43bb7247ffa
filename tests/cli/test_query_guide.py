"""The worked examples of the guide print what the guide shows, on the rows of the demonstration."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.running import Served, run

PAGE = (Path(__file__).parents[2] / "docs" / "query-guide.md").read_text()
EXAMPLES = re.findall(r"^```\n\$ (.*?[^\\])\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
"""(command, what it prints)."""


def test_examples_print_what_the_guide_shows(
    demonstrated: Served, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in demonstrated.environment.items():
        monkeypatch.setenv(name, value)
    asked = 0
    for command, expected in EXAMPLES:
        if command.startswith("cat"):
            name = command.split()[2]
            (folder / name).write_text(expected.removesuffix("EOF\n"))
            continue
        result = run(*shlex.split(command.replace("\\\n", " "))[1:])
        assert result.exit_code == 0, f"{command}: {result.output}"
        if " import " in command:
            assert expected.partition(", as of")[0] in result.stderr
        elif " explain " in command:
            assert told(result.stdout) == told(expected), f"{command}\n{result.stdout}"
            asked += 1
        else:
            assert lines(result.stdout) == lines(expected), f"{command}\n{result.stdout}"
            asked += 1
    assert asked >= 20


def told(text: str) -> list[str]:
    """What is told of a query but for commits, times, and how its rows came to lie."""
    kept, section = [], ""
    for line in lines(text):
        section = line[:10].strip() or section
        if section not in ("Stream", "Parts", "Batches", "Blocks", "Time") and "decoded" not in line:
            kept.append(line)
    return kept


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]
