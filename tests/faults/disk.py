"""Directories of a store, and the judgement over many of them."""

import shutil
import struct
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import lmdb

from tests.faults import process, rows
from tests.faults.powercut import State

# Small, since every state of the disk is a copy of all of it.
OPTIONS = {"reserve_bytes": 65_536, "min_free_bytes": 0, "map_size": 1 << 30, "ingest_threads": 1, "query_workers": 1}
AT_ONCE = 64
COUNTED = 15 + 64 + 128 + 256  # all but openings
Trouble = list[tuple[str, Any]]


def environment_file(folder: Path) -> Path:
    """The one LMDB file of the hot environment."""
    (found,) = folder.rglob("hot.mdb")
    return found


def part_files(folder: Path) -> set[str]:
    """Names of the files of parts, published or not, and of those in the making."""
    return {path.name for path in folder.glob("parts/*") if path.suffix in {".mdb", ".new"}}


def named_parts(folder: Path) -> set[str]:
    """Names of the files of the parts that records of a closed store name; read from a copy, without the engine."""
    with tempfile.TemporaryDirectory() as place:
        hot = shutil.copy(environment_file(folder), place)
        with lmdb.open(hot, subdir=False, readonly=True, lock=False, max_dbs=16) as environment:
            table = environment.open_db(b"parts", create=False)
            with environment.begin(db=table) as transaction:
                keys = [struct.unpack(">IIQ", key) for key in transaction.cursor().iternext(values=False)]
    return {f"{namespace}-{stream}-{part}.mdb" for namespace, stream, part in keys}


def orphans(folder: Path) -> set[str]:
    """Files of parts that no record of a closed store names."""
    return part_files(folder) - named_parts(folder)


def is_lock(name: str) -> bool:
    """Whether a file is LMDB's lock table or the directory's lock: made anew by each start, and never synced."""
    return "lock" in Path(name).name.lower()


def judged(states: Iterable[State], sent: set[rows.Batch], producer: str, folder: Path) -> tuple[Counter[str], Trouble]:
    """Open every state with the engine; count what became of them, and collect what may not be.

    Before the first ack a refusal is an answer too, for the directory was never finished.
    """
    outcomes: Counter[str] = Counter()
    trouble: Trouble = []
    everything = iter(states)
    while some := list(islice(everything, AT_ONCE)):
        paths = [folder / str(number) for number in range(len(some))]
        for path, state in zip(paths, some, strict=True):
            path.mkdir(parents=True)
            state.write_to(path)
        found = process.inspect(paths, OPTIONS)
        for path, state in zip(paths, some, strict=True):
            acked = {(producer, int(mark.split()[1])) for mark in state.marks}
            outcome, wrong = verdict(found[path], sent, acked)
            outcomes[outcome] += 1
            if wrong:
                trouble.append((state.story, wrong))
            shutil.rmtree(path)
    return outcomes, trouble


def verdict(result: Mapping[str, Any], sent: set[rows.Batch], acked: set[rows.Batch]) -> tuple[str, Any]:
    """Name the outcome of one opened directory, and what is wrong with it if anything is."""
    if "signal" in result or "exit" in result:
        return "died", result
    if "error" in result:
        return (
            ("refused", result) if acked or result["error"] not in {"Corrupt", "FailedPrecondition"} else ("new", None)
        )
    if result["damaged"] or "closing" in result:
        return "damaged", result
    findings = rows.judge(sent, acked, process.unpacked(result["shown"]))
    return ("wrong", findings) if findings else ("sound", None)


def copy(folder: Path, to: Path) -> None:
    """Copy a store without its locks."""
    shutil.copytree(folder, to, ignore=lambda _, names: [name for name in names if is_lock(name)])
