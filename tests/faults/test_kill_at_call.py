"""T2: killed at any of its writes, syncs and changed names, from the first of a new directory on, the engine comes back
whole; so it does when a seal, a recode or the deletion of what is sealed is killed."""

import random
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults import disk, process, rows, shim

pytestmark = pytest.mark.fault
BATCHES = 5
LONGEST = 2_000


Run = tuple[bool, set[rows.Batch], set[rows.Batch]]  # whether it was killed, what was sent and acked


def all_killed(
    run: Callable[[Path, int, bool], Run], tmp_path: Path, dice: random.Random, full: bool, step: int
) -> dict[Path, tuple[set[rows.Batch], set[rows.Batch]]]:
    """Have ``run`` killed at every call, or in a small round at every ``step``-th, until there are no more."""
    runs: dict[Path, tuple[set[rows.Batch], set[rows.Batch]]] = {}
    step = 1 if full else step
    with ThreadPoolExecutor(2) as pool:
        start = 1 if full else dice.randrange(1, step + 1)
        for low in range(start, LONGEST, 4 * step):
            calls = [
                (call, torn)
                for call in range(low, low + 4 * step, step)
                for torn in ((False, True) if full else (bool(call // step % 2),))
            ]
            folders = [tmp_path / f"{call}-{torn}" for call, torn in calls]
            results = list(pool.map(lambda each: run(each[0], *each[1]), zip(folders, calls, strict=True)))
            runs |= {folder: result[1:] for folder, result in zip(folders, results, strict=True) if result[0]}
            if not all(hit for hit, *_ in results):
                return runs
    pytest.fail(f"after {LONGEST} calls it still was killed")


def killed(folder: Path, library: Path, call: int, torn: bool) -> Run:
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
    def run(folder: Path, call: int, torn: bool) -> Run:
        return killed(folder, shim_library, call, torn)

    runs = all_killed(run, tmp_path, dice, full, 2)
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


def killed_sealing(folder: Path, library: Path, call: int, torn: bool) -> Run:
    """Seal, write and seal again on a store that has a part, until the ``call``-th call of that kills it. Each
    seal packs the texts of its rows as well."""
    folder.mkdir(parents=True)
    control = shim.Control(folder / "control")
    settings = shim.environment(library, f"{folder}/store/", control=control.path, torn=int(torn), mask=disk.COUNTED)
    with process.Child(settings) as child:
        child.command("open", path=str(folder / "store"), options=disk.OPTIONS)
        child.command("write", producer="one", first=0, count=2, tagged=True)
        child.command("seal")
        child.command("write", producer="one", first=2, count=2, tagged=True)
        control["kill_at"] = control["counted"] + call
        try:
            assert child.command("seal")["parts"] == 1
            child.command("write", producer="one", first=4, count=1, tagged=True)
            assert child.command("seal")["parts"] == 1
            child.command("write", producer="one", first=5, count=1, tagged=True)
        except process.DiedError as death:
            if death.code != -signal.SIGKILL:
                raise
            assert control["hits"] == 1
            return True, child.sent, child.acked
        control["kill_at"] = 0
        return False, child.sent, child.acked


def recovered(runs: dict[Path, tuple[set[rows.Batch], set[rows.Batch]]]) -> int:
    """Open the store of each run and write to it: acknowledged rows are there once, and no part that no record names.

    How many runs had left such a part.
    """
    unfinished = sum(bool(disk.orphans(folder / "store")) for folder in runs)
    found = process.inspect([folder / "store" for folder in runs], disk.OPTIONS, write=BATCHES)
    for folder, (sent, acked) in runs.items():
        store = folder / "store"
        result = found[store]
        assert "error" not in result, (store, result)
        assert result["damaged"] == [], (store, result)
        assert not rows.judge(sent, acked, process.unpacked(result["before"])), store
        after = {("after", BATCHES)}
        assert not rows.judge(sent | after, acked | after, process.unpacked(result["shown"])), store
        assert not disk.orphans(store), (store, disk.orphans(store))
        assert disk.named_parts(store) == disk.part_files(store)
    print(f"{len(runs)} kills, {unfinished} left files of parts that nothing names")  # noqa: T201
    return unfinished


def test_a_kill_at_any_call_of_a_seal_leaves_every_row_once(
    tmp_path: Path, shim_library: Path, dice: random.Random, full: bool
) -> None:
    def run(folder: Path, call: int, torn: bool) -> Run:
        return killed_sealing(folder, shim_library, call, torn)

    runs = all_killed(run, tmp_path, dice, full, 2)
    unfinished = recovered(runs)
    published = {len(disk.part_files(folder / "store")) for folder in runs}
    assert published == {1, 2, 3}, "before, between and after the seals"
    assert unfinished >= len(runs) // 4, "many kills must fall between the first write of a part and its publication"


def killed_recoding(folder: Path, library: Path, call: int, torn: bool) -> Run:
    """Recode two parts, beside rows that are in none, until the ``call``-th call of that kills it; then write."""
    folder.mkdir(parents=True)
    control = shim.Control(folder / "control")
    settings = shim.environment(library, f"{folder}/store/", control=control.path, torn=int(torn), mask=disk.COUNTED)
    with process.Child(settings) as child:
        child.command("open", path=str(folder / "store"), options=disk.OPTIONS)
        for first in range(0, 4, 2):
            child.command("write", producer="one", first=first, count=2, tagged=True)
            child.command("seal")
        child.command("write", producer="one", first=4, count=1, tagged=True)
        control["kill_at"] = control["counted"] + call
        try:
            assert child.command("recode")["parts"] == 2
            child.command("write", producer="one", first=5, count=1, tagged=True)
        except process.DiedError as death:
            if death.code != -signal.SIGKILL:
                raise
            assert control["hits"] == 1
            return True, child.sent, child.acked
        control["kill_at"] = 0
        return False, child.sent, child.acked


def test_a_kill_at_any_call_of_a_recode_leaves_every_row_once(
    tmp_path: Path, shim_library: Path, dice: random.Random, full: bool
) -> None:
    def run(folder: Path, call: int, torn: bool) -> Run:
        return killed_recoding(folder, shim_library, call, torn)

    runs = all_killed(run, tmp_path, dice, full, 2)
    unfinished = recovered(runs)
    # Those that are written anew have the numbers behind the two of the seals.
    numbers = [
        tuple(sorted(int(name.split("-")[2].removesuffix(".mdb")) for name in disk.part_files(folder / "store")))
        for folder in runs
    ]
    recoded = set(numbers)
    assert recoded == {(0, 1), (1, 2), (2, 3)}, "before, between and after the two parts"
    assert unfinished >= len(runs) // 4, "many kills must fall between the first write of a part and its publication"


def killed_deleting(folder: Path, library: Path, call: int, torn: bool) -> Run:
    """Delete a stream that has two parts and rows besides, until the ``call``-th call of that kills it."""
    folder.mkdir(parents=True)
    control = shim.Control(folder / "control")
    settings = shim.environment(library, f"{folder}/store/", control=control.path, torn=int(torn), mask=disk.COUNTED)
    with process.Child(settings) as child:
        child.command("open", path=str(folder / "store"), options=disk.OPTIONS)
        for first in range(0, 4, 2):
            child.command("write", producer="one", first=first, count=2)
            child.command("seal")
        child.command("write", producer="one", first=4, count=1)
        control["kill_at"] = control["counted"] + call
        try:
            child.command("delete")
        except process.DiedError as death:
            if death.code != -signal.SIGKILL:
                raise
            assert control["hits"] == 1
            return True, child.sent, child.acked
        control["kill_at"] = 0
        return False, child.sent, child.acked


def test_a_kill_at_any_call_of_a_deletion_leaves_all_or_nothing(
    tmp_path: Path, shim_library: Path, dice: random.Random, full: bool
) -> None:
    def run(folder: Path, call: int, torn: bool) -> Run:
        return killed_deleting(folder, shim_library, call, torn)

    runs = all_killed(run, tmp_path, dice, full, 1)
    stores = [folder / "store" for folder in runs]
    found = process.inspect(stores, disk.OPTIONS)
    outcomes = []
    for store, (sent, acked) in zip(stores, runs.values(), strict=True):
        result = found[store]
        assert "error" not in result, (store, result)
        assert result["damaged"] == [], (store, result)
        shown = process.unpacked(result["shown"])
        assert not shown or not rows.judge(sent, acked, shown), store
        assert len(disk.part_files(store)) == (2 if shown else 0), store
        outcomes.append(bool(shown))
    print(f"{len(runs)} kills, {outcomes.count(True)} before and {outcomes.count(False)} after the deletion")  # noqa: T201
    assert set(outcomes) == {True, False}


def test_control_a_part_that_is_gone_and_one_that_comes_twice_are_found_out(tmp_path: Path) -> None:
    store, older = tmp_path / "store", tmp_path / "older"
    with process.Child() as child:
        child.command("open", path=str(store), options=disk.OPTIONS)
        child.command("write", producer="one", first=0, count=2)
        child.command("close")
        disk.copy(store, older)
        child.command("open", path=str(store), options=disk.OPTIONS)
        child.command("seal")
        sent, acked = child.sent, child.acked
    (store / "parts" / disk.named_parts(store).pop()).unlink()
    found = process.inspect([store, older], disk.OPTIONS)
    assert disk.verdict(found[store], sent, acked)[0] == "refused"
    shown = process.unpacked(found[older]["shown"])
    assert not rows.judge(sent, acked, shown)
    twice = {batch: rows.Shown(2 * seen.count, seen.distinct, 2 * seen.total) for batch, seen in shown.items()}
    assert rows.judge(sent, acked, twice).torn
