"""Lines of cases that are not measured."""

import json
from collections.abc import Mapping

import pytest

from bench.__main__ import run
from bench.harness import Case, Contender, Size, Skipped
from bench.report import _report


def skips(_: Size) -> Mapping[str, Contender]:
    raise Skipped("it needs 20 GB free")


def breaks(_: Size) -> Mapping[str, Contender]:
    raise ValueError("nothing there")


def case(name: str, contenders: object) -> Case:
    return Case(name, "ms", bigger_is_better=False, target=2.0, contenders=contenders)  # type: ignore[arg-type]


def test_a_case_that_this_machine_cannot_hold_is_said_aloud_and_is_no_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    results, broken, skipped = run([case("g/large", skips)], "full")
    said = capsys.readouterr()
    assert (results, broken, skipped) == ([], [], {"g/large": "it needs 20 GB free"})
    assert json.loads(said.out) == {
        "case": "g/large",
        "ours": None,
        "peers": {},
        "unit": "ms",
        "ratio": None,
        "target": 2.0,
        "ok": None,
        "skipped": "it needs 20 GB free",
    }
    assert "g/large IS SKIPPED: it needs 20 GB free" in said.err
    assert "**g/large was skipped: it needs 20 GB free.**" in _report(results, broken, skipped, "full", [], "machine")


def test_a_case_that_breaks_is_not_ok(capsys: pytest.CaptureFixture[str]) -> None:
    _, broken, skipped = run([case("g/broken", breaks)], "small")
    line = json.loads(capsys.readouterr().out)
    assert (broken, skipped) == (["g/broken"], {})
    assert line["ok"] is False
    assert line["wrong"] == ["ValueError: nothing there"]
