"""bench/RESULTS.md: the last full run of each case, with everything needed to do it again.

``results.json`` beside it holds what the table is made of, so that a run of some cases leaves the lines of others.
"""

import datetime as dt
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.harness import OURS, Result, Size
from bench.workspace import file_system_of

RESULTS = Path(__file__).with_name("RESULTS.md")
KEPT = Path(__file__).with_name("results.json")
PACKAGES = ("marigram", "duckdb", "chdb", "polars", "grpcio", "protobuf", "pyarrow", "numpy", "lmdb")

Lines = dict[str, dict[str, str]]
"""By case: its ``line`` of the table, the ``note`` below it, and the ``run`` it is of."""


def write_report(
    results: Sequence[Result],
    broken: Sequence[str],
    skipped: Mapping[str, str],
    size: Size,
    arguments: Sequence[str],
    machine: str,
) -> None:
    """Writes the results of a full run in place of those the cases had. A small run, whose ratios mean nothing, is not
    kept.

    Args:
        broken: cases that could not be measured.
        skipped: cases that this machine cannot hold, and why.
        arguments: those of ``python -m bench``.
        machine: as ``describe_machine`` found it.
    """
    if size == "full":
        kept: dict[str, Lines] = {"cases": {}, "runs": {}}
        if KEPT.exists():
            kept = json.loads(KEPT.read_text(encoding="utf-8"))
        update(kept, results, broken, skipped, _run(arguments, machine))
        KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
        RESULTS.write_text(render(kept), encoding="utf-8")


def update(
    kept: dict[str, Lines],
    results: Sequence[Result],
    broken: Sequence[str],
    skipped: Mapping[str, str],
    run: dict[str, str],
) -> None:
    """Puts a run's cases in place of what is kept of them, and forgets runs that no case is of any more."""
    name, cases = run["name"], kept["cases"]
    for result in results:
        notes = [f"{result.note}." if result.note else ""]
        notes += [f"Without {peer}: {why}." for peer, why in result.absent.items()]
        cases[result.case.name] = {"line": _row(result), "note": " ".join(filter(None, notes)), "run": name}
    for case in broken:
        cases[case] = {"line": f"| {case} | | | | | | | **could not be measured** |", "note": "", "run": name}
    for case, reason in skipped.items():
        cases[case] = {"line": f"| {case} | | | | | | | skipped |", "note": f"{reason}.", "run": name}
    kept["runs"][name] = run
    used = {case["run"] for case in cases.values()}
    kept["runs"] = {name: run for name, run in kept["runs"].items() if name in used}


def render(kept: Mapping[str, Lines]) -> str:
    """The page."""
    cases, runs = kept["cases"], kept["runs"]
    numbers = {name: number for number, name in enumerate(sorted(runs), start=1)}
    lines = [
        "# Results of the last full run of each case",
        "",
        "Written by `make bench SIZE=full`; README.md beside it says what each figure is and by which rules it was",
        "taken.",
        "",
        "| case | unit | ours | peers | ratio | target | answers | met | run |",
        "|---|---|---|---|---|---|---|---|---|",
        *(f"{case['line']} {numbers[case['run']]} |" for _, case in sorted(cases.items())),
        "",
        "A figure in brackets is the median of the rounds, the one before it the best round.",
        *(f"{name}: {case['note']}" for name, case in sorted(cases.items()) if case["note"]),
        "",
        "## Runs",
        "",
    ]
    for name, number in numbers.items():
        run = runs[name]
        lines += [f"{number}. {run['date']}, revision {run['revision']}: `{run['command']}`"]
        lines += [f"   - {run['machine']}", f"   - {run['versions']}"]
    return "\n".join([*lines, ""])


def _run(arguments: Sequence[str], machine: str) -> dict[str, str]:
    now = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC"
    return {
        "name": f"{now} {' '.join(arguments)}",
        "date": now,
        "revision": _revision(),
        "command": f"python -m bench {' '.join(arguments)}".rstrip(),
        "machine": machine,
        "versions": f"Python {platform.python_version()}; {_versions()}",
    }


def _row(result: Result) -> str:
    case = result.case
    peers = "; ".join(f"{name} {_figure(result, name)}" for name in result.best if name != OURS)
    floors = [f"{peer} ≥ {floor:g}x" for peer, floor in case.floors.items()]
    wanted = [f"≥ {case.target:g}x" if case.target is not None else "", *floors, _bound(result)]
    if result.ratio is None or result.median_ratio is None:
        ratio = ""
    else:
        ratio = f"{result.ratio:.2f} ({result.median_ratio:.2f})"
    judged = "yes" if result.met else "no"
    cells = [
        case.name,
        case.unit,
        _figure(result, OURS),
        peers,
        ratio,
        ", ".join(filter(None, wanted)),
        "differ" if result.wrong else "agree",
        judged,
    ]
    return f"| {' | '.join(cells)} |"


def _bound(result: Result) -> str:
    if result.case.bound is None:
        return ""
    return f"{'≥' if result.case.bigger_is_better else '≤'} {result.case.bound:g} {result.case.unit}"


def _figure(result: Result, name: str) -> str:
    also = "".join(f", {key.replace('_', ' ')} {value:.3g}" for key, value in result.also[name].items())
    return f"{result.best[name]:.3g} ({result.median[name]:.3g}){also}"


def describe_machine(directory: Path) -> str:
    """The machine as it is before a run whose data will lie in ``directory``; its load is what others put on it."""
    threads = f"{len(os.sched_getaffinity(0))} threads used of {os.cpu_count()}"
    disk = f"{file_system_of(directory) or 'unknown'} file system"
    load = f"load {os.getloadavg()[0]:.2f} before the run"
    return f"{_processor()}, {threads}; {_memory()}; {disk}; {platform.system()} {platform.release()}; {load}"


def _revision() -> str:
    command = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    for line in information.read_text(encoding="utf-8").splitlines() if information.exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory"


def _versions() -> str:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)
