"""bench/RESULTS.md: the last run, with everything needed to do it again."""

import datetime as dt
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.harness import OURS, Result, Size
from bench.workspace import file_system_of

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("marigram", "duckdb", "chdb", "grpcio", "protobuf", "pyarrow", "numpy", "lmdb")


def write_report(
    results: Sequence[Result],
    broken: Sequence[str],
    skipped: Mapping[str, str],
    size: Size,
    arguments: Sequence[str],
    machine: str,
) -> None:
    """Writes the results of a run anew.

    Args:
        broken: cases that could not be measured.
        skipped: cases that this machine cannot hold, and why.
        arguments: those of ``python -m bench``.
        machine: as ``describe_machine`` found it.
    """
    RESULTS.write_text(_report(results, broken, skipped, size, arguments, machine), encoding="utf-8")


def _report(
    results: Sequence[Result],
    broken: Sequence[str],
    skipped: Mapping[str, str],
    size: Size,
    arguments: Sequence[str],
    machine: str,
) -> str:
    now = dt.datetime.now(dt.UTC)
    lines = [
        "# Results of the last run",
        "",
        "Written by `make bench`; README.md beside it says what each figure is and by which rules it was taken.",
        "",
        f"- Command: `python -m bench {' '.join(arguments)}`".rstrip(),
        f"- Date: {now:%Y-%m-%d %H:%M} UTC; revision {_revision()}",
        f"- Machine: {machine}",
        f"- Versions: Python {platform.python_version()}; {_versions()}",
        "",
    ]
    if size == "small":
        lines += ["At this size only the answers count: the ratios below are printed, not judged.", ""]
    lines += [f"**{name} could not be measured.**\n" for name in broken]
    lines += [f"**{name} was skipped: {reason}.**\n" for name, reason in skipped.items()]
    lines += [
        "| case | unit | ours | peers | ratio | target | answers | met |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(result) for result in results),
        "",
        "A figure in brackets is the median of the rounds, the one before it the best round.",
        *(f"{result.case.name}: {result.note}." for result in results if result.note),
        *(f"{result.case.name}: without {name}: {why}." for result in results for name, why in result.absent.items()),
        "",
    ]
    return "\n".join(lines)


def _row(result: Result) -> str:
    case = result.case
    peers = "; ".join(f"{name} {_figure(result, name)}" for name in result.best if name != OURS)
    wanted = [f"≥ {case.target:g}x" if case.target is not None else "", _bound(result)]
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
