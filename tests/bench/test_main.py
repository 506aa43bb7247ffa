"""Lines of cases that are not measured."""

import json
from collections.abc import Mapping

import pytest

from bench.__main__ import run
from bench.harness import OURS, Case, Contender, Result, Size, Skipped
from bench.report import Lines, render, update


def skips(_: Size) -> Mapping[str, Contender]:
    raise Skipped("it needs 20 GB free")


def breaks(_: Size) -> Mapping[str, Contender]:
    raise ValueError("nothing there")


def case(name: str, contenders: object) -> Case:
    return Case(name, "ms", bigger_is_better=False, target=2.0, contenders=contenders)  # type: ignore[arg-type]


def kept_of(results: list[Result], broken: list[str], skipped: dict[str, str]) -> dict[str, Lines]:
    kept: dict[str, Lines] = {"cases": {}, "runs": {}}
    update(kept, results, broken, skipped, a_run("first"))
    return kept


def a_run(name: str) -> dict[str, str]:
    return {word: f"{word} of {name}" for word in ("date", "revision", "command", "machine", "versions")} | {
        "name": name
    }


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
    kept = kept_of(results, broken, skipped)
    assert "| g/large | | | | | | | skipped | 1 |" in render(kept)
    assert "g/large: it needs 20 GB free." in render(kept)


def test_a_case_that_breaks_is_not_ok(capsys: pytest.CaptureFixture[str]) -> None:
    _, broken, skipped = run([case("g/broken", breaks)], "small")
    line = json.loads(capsys.readouterr().out)
    assert (broken, skipped) == (["g/broken"], {})
    assert line["ok"] is False
    assert line["wrong"] == ["ValueError: nothing there"]


def test_a_run_of_some_cases_leaves_the_others() -> None:
    def result(name: str, ours: float) -> Result:
        best = {OURS: ours, "peer": 8.0}
        return Result(case(name, skips), "full", best, best, {OURS: {}, "peer": {}}, [])

    kept = kept_of([result("g/one", 2.0), result("g/two", 4.0)], [], {})
    update(kept, [result("g/one", 1.0)], [], {}, a_run("second"))
    page = render(kept)
    assert "| g/one | ms | 1 (1) | peer 8 (8) | 8.00 (8.00) | ≥ 2x | agree | yes | 2 |" in page
    assert "| g/two | ms | 4 (4) | peer 8 (8) | 2.00 (2.00) | ≥ 2x | agree | yes | 1 |" in page
    assert "2. date of second, revision revision of second: `command of second`" in page
    update(kept, [], ["g/two"], {}, a_run("third"))
    assert sorted(kept["runs"]) == ["second", "third"]
    assert "| g/two | | | | | | | **could not be measured** | 2 |" in render(kept)
