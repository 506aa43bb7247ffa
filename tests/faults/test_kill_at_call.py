"""T2: killed at any of its writes and syncs, from the first of a new directory on, the engine comes back whole."""

import random
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults import disk, process, rows, shim

pytestmark = pytest.mark.fault
BATCHES = 5
LONGEST = 2_000


def killed(folder: Path, library: Path, call: int, torn: bool) -> tuple[bool, set[rows.Batch], set[rows.Batch]]:
    """Run the engine until its ``call``-th write or sync kills it; say whether it did, what was sent and acked."""
    folder.mkdir(parents=True)
    control = shim.Control(folder / "control")
    settings = shim.environment(
        library, f"{folder}/store/", control=control.path, kill_at=call, torn=int(torn), mask=disk.COUNTED
    )
    with process.Child(settings) as child:
        try:
            child.command("open", path=str(folder / "store"), options=disk.OPTIONS)
            child.command("write", producer="one", first=0, count=BATCHES)
            child.command("close")
        except process.DiedError as death:
            if death.code != -signal.SIGKILL:
                raise
        return control["hits"] == 1, child.sent, child.acked


def test_a_kill_at_any_call_leaves_a_whole_store(
    tmp_path: Path, shim_library: Path, dice: random.Random, full: bool
) -> None:
    step = 1 if full else 2
    runs: dict[Path, tuple[set[rows.Batch], set[rows.Batch]]] = {}
    with ThreadPoolExecutor(2) as pool:
        start = 1 if full else dice.randrange(1, step + 1)
        for low in range(start, LONGEST, 4 * step):
            calls = [
                (call, torn)
                for call in range(low, low + 4 * step, step)
                for torn in ((False, True) if full else (bool(call % 2),))
            ]
            folders = [tmp_path / f"{call}-{torn}" for call, torn in calls]
            results = list(
                pool.map(lambda each: killed(each[0], shim_library, *each[1]), zip(folders, calls, strict=True))
            )
            runs |= {folder: result[1:] for folder, result in zip(folders, results, strict=True) if result[0]}
            if not all(hit for hit, *_ in results):
                break
        else:
            pytest.fail(f"after {LONGEST} calls it still was killed")
    stores = [folder / "store" for folder in runs]
    found = process.inspect(stores, disk.OPTIONS, write=BATCHES)
    acked_somewhere = 0
    for store, (sent, acked) in zip(stores, runs.values(), strict=True):
        result = found[store]
        assert "error" not in result, (store, result)
        assert not result.get("damaged", ["died"]), (store, result)
        findings = rows.judge(sent, acked, process.unpacked(result["before"]))
        assert not findings, (store, findings)
        findings = rows.judge(
            sent | {("after", BATCHES)}, acked | {("after", BATCHES)}, process.unpacked(result["shown"])
        )
        assert not findings, (store, findings)
        acked_somewhere += bool(acked)
    print(f"{len(runs)} kills, {acked_somewhere} of them with rows acknowledged before")  # noqa: T201
    assert acked_somewhere >= BATCHES, "the kills must fall between commits too"
