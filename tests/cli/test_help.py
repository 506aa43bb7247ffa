"""What help and the page say of the commands is what the commands are."""

import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click import unstyle
from typer.main import get_command

from marigram.cli import app, failures
from marigram.cli.options import EXIT_CODES
from tests.cli.running import Served, command, run

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()


def commands() -> Iterator[tuple[str, Any]]:
    """(words of the command, command) of everything that can be run."""

    def walk(words: str, group: Any) -> Iterator[tuple[str, Any]]:
        for name, inner in group.commands.items():
            path = f"{words} {name}".strip()
            if hasattr(inner, "commands"):
                yield from walk(path, inner)
            else:
                yield path, inner

    yield from walk("", get_command(app))


COMMANDS = dict(commands())


def options_of(one: Any) -> set[str]:
    shown = [parameter for parameter in one.params if not getattr(parameter, "hidden", False)]
    return {name for parameter in shown for name in (*parameter.opts, *parameter.secondary_opts) if name[:2] == "--"}


def section(words: str) -> str:
    """The part of the page about a command, to the next heading of its level or above."""
    found = re.search(rf"^## `marigram {words}`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, f"the page has no section about {words}"
    return found[1]


def examples(text: str) -> list[list[str]]:
    """Command lines of ``marigram`` in a text, without what surrounds them in a shell."""
    lines = text.replace("\\\n", " ").splitlines()
    found = (re.search(r"\bmarigram ([a-z][^|>#)]*)", line) for line in lines)
    return [shlex.split(match[1]) for match in found if match is not None]


def parsed(words: list[str]) -> None:
    """Refuses a command line that the command would refuse."""
    one: Any = get_command(app)
    while hasattr(one, "commands"):
        one = one.commands[words.pop(0)]
    one.make_context(one.name, list(words))


@pytest.mark.parametrize("words", COMMANDS)
def test_every_help_text_has_an_example_and_the_exit_codes(words: str) -> None:
    result = run(*words.split(), "--help")
    assert result.exit_code == 0
    text = " ".join(unstyle(result.stdout).split())  # typer colours it wherever PY_COLORS or FORCE_COLOR are set
    assert f"Example: marigram {words}" in text
    assert "Exit codes: 0 done" in text


@pytest.mark.parametrize("words", COMMANDS)
def test_examples_of_help_are_command_lines_that_are_understood(words: str) -> None:
    help_text = COMMANDS[words].help.partition("Example:")[2]
    found = examples(help_text)
    assert found
    for line in found:
        parsed(line)


@pytest.mark.parametrize("words", COMMANDS)
def test_the_page_has_every_command_and_each_of_its_options(words: str) -> None:
    text = section(words)
    missing = {name for name in options_of(COMMANDS[words]) if f"`{name}" not in text and name != "--help"}
    common = {"--address", "--profile"}
    assert missing - common == set()
    assert "```" in text


@pytest.mark.parametrize("words", COMMANDS)
def test_the_page_names_no_option_that_is_not_there(words: str) -> None:
    named = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", section(words)))
    known = {name for one in COMMANDS.values() for name in options_of(one)} | {"--help", "--no-reflection", "--version"}
    assert named - known == set()
    in_lists = set(re.findall(r"^\| `(--[a-z][a-z-]*)", section(words), re.MULTILINE))
    assert in_lists <= options_of(COMMANDS[words])


def test_command_lines_of_the_page_are_understood() -> None:
    found = examples("\n".join(re.findall(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)))
    assert len(found) > 20
    for line in found:
        parsed(line)


def test_the_page_has_the_exit_codes_of_the_command() -> None:
    of_help = {int(code): words for code, words in re.findall(r"(\d+) ([^·]+?)(?: ·|$)", EXIT_CODES.split(": ")[1])}
    of_page = {int(code): words for code, words in re.findall(r"^\| (\d+) \| ([^|]+?) \|", PAGE, re.MULTILINE)}
    assert of_page.keys() == of_help.keys()
    told = {
        failures.FAILED, failures.WRONG, failures.AWAY, failures.DENIED, failures.MISSING, failures.QUARANTINED,
        failures.INTERRUPTED, failures.UNREAD,
    }  # fmt: skip
    assert of_help.keys() == told | {0}


def test_the_tour_of_the_page_prints_what_the_page_shows(served: Served, folder: Path) -> None:
    """Blocks that begin with ``$`` are run in order; times, sizes and names that differ between runs are left out."""
    blocks = re.findall(r"^```\n(\$ .*?)^```", PAGE.partition("## Common to all")[0], re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 4
    for block in blocks:
        first, _, expected = block.replace("\\\n", " ").partition("\n")
        line = first.removeprefix("$ ")
        if line.startswith("printf"):
            text, _, name = line.removeprefix("printf ").rpartition(" > ")
            (folder / name).write_text(shlex.split(text)[0].replace("\\n", "\n"))
            continue
        result = run(*shlex.split(line)[1:])
        assert result.exit_code == 0, result.output
        shown = [_settled(one) for one in (result.stderr + result.stdout).splitlines()]
        for wanted in expected.splitlines():
            assert _settled(wanted) in shown, f"{wanted!r} is not what {line} prints: {shown}"


def _settled(line: str) -> str:
    line = re.sub(r"\d+(\.\d+)? ms", "… ms", line)
    line = re.sub(r"commit \d+", "commit …", line)
    line = re.sub(r"import-[0-9a-f]+", "import-…", line)
    return " ".join(line.replace("━", "").replace("─", "").split())


def test_help_is_quick() -> None:
    def seconds() -> float:
        started = time.perf_counter()
        subprocess.run(command("--help"), check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started

    assert min(seconds() for _ in range(5)) < 1.0


def test_a_word_that_is_no_command_is_refused() -> None:
    assert run("dance").exit_code == 2
