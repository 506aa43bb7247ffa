"""``python -m bench``: run benchmark cases, ours through gRPC, beside their peers.

One JSON line a case goes to standard output, everything else to standard error; a full run's cases are put
in bench/RESULTS.md in place of what they had there. Ends with 0 when every answer agrees and, at full size, every
target is met.
"""

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from bench.cases import CASES
from bench.harness import Case, Result, Size, Skipped, log, measure
from bench.report import describe_machine, write_report
from bench.workspace import run_directory

CORES = 2  # for everything: ours, the client that drives it, and each peer


def main() -> int:
    """Runs the cases whose group or full name was given, all if none was."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    groups = sorted({case.group for case in CASES})
    parser.add_argument("names", nargs="*", metavar="GROUP", help=f"{', '.join(groups)}, or one case as GROUP/detail")
    parser.add_argument("--size", choices=("small", "full"), default="small")
    options = parser.parse_args()
    unknown = [n for n in options.names if n not in groups and n not in {case.name for case in CASES}]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # inherited: by the server and the peers
    wanted = [case for case in CASES if not options.names or {case.name, case.group} & set(options.names)]
    with run_directory() as directory:
        machine = describe_machine(directory)
        results, broken, skipped = run(wanted, options.size)
    write_report(results, broken, skipped, options.size, sys.argv[1:], machine)
    return 0 if not broken and all(result.ok for result in results) else 1


def run(cases: Sequence[Case], size: Size) -> tuple[list[Result], list[str], dict[str, str]]:
    """Measures the cases and prints their lines; returns what was measured, which cases broke, and which were skipped
    for which reason."""
    results: list[Result] = []
    broken: list[str] = []
    skipped: dict[str, str] = {}
    for case in cases:
        line: dict[str, Any] = {"case": case.name, "ours": None, "peers": {}, "unit": case.unit, "ratio": None}
        line |= {"target": case.target}
        try:
            result = measure(case, size)
            measured = result.to_json()
        except Skipped as reason:
            log(f"   {case.name} IS SKIPPED: {reason}")
            skipped[case.name] = str(reason)
            line |= {"ok": None, "skipped": str(reason)}
        except Exception as failure:
            log(traceback.format_exc())
            broken.append(case.name)
            line |= {"ok": False, "wrong": [f"{type(failure).__name__}: {failure}"]}
        else:
            results.append(result)
            line = measured
        print(json.dumps(line), flush=True)
    return results, broken, skipped


if __name__ == "__main__":
    sys.exit(main())
