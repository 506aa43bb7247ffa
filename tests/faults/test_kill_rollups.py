"""Killed at any write, sync or changed name while rows of a stream with rollups are sealed, the engine comes back
whole, with the rollups of its parts and no others."""

import random
import signal
from pathlib import Path

import pytest

from tests.faults import disk, process, shim
from tests.faults.test_kill_at_call import Run, all_killed, recovered

pytestmark = pytest.mark.fault


def killed_sealing(folder: Path, library: Path, call: int, torn: bool) -> Run:
    """Seal rows twice, of a stream with two rollups, until the ``call``-th call of that kills it; then write."""
    folder.mkdir(parents=True)
    control = shim.Control(folder / "control")
    settings = shim.environment(library, f"{folder}/store/", control=control.path, torn=int(torn), mask=disk.COUNTED)
    with process.Child(settings) as child:
        child.command("open", path=str(folder / "store"), options=disk.OPTIONS)
        child.command("write", producer="one", first=0, count=2, tagged=True)
        child.command("roll", widths_s=[60, 3_600])
        control["kill_at"] = control["counted"] + call
        try:
            assert child.command("seal")["parts"] == 1
            child.command("write", producer="one", first=2, count=2, tagged=True)
            assert child.command("seal")["parts"] == 1
            child.command("write", producer="one", first=4, count=1, tagged=True)
        except process.DiedError as death:
            if death.code != -signal.SIGKILL:
                raise
            assert control["hits"] == 1
            return True, child.sent, child.acked
        control["kill_at"] = 0
        return False, child.sent, child.acked


def test_a_kill_at_any_call_of_a_seal_leaves_parts_with_their_rollups_or_neither(
    tmp_path: Path, shim_library: Path, dice: random.Random, full: bool
) -> None:
    def run(folder: Path, call: int, torn: bool) -> Run:
        return killed_sealing(folder, shim_library, call, torn)

    runs = all_killed(run, tmp_path, dice, full, 4)
    unfinished = recovered(runs)
    # Rows that are written when a store is opened again are not sealed.
    published = {len(disk.part_files(folder / "store")) for folder in runs}
    assert published <= {0, 3, 6}, "a part comes with two rollups, at once"
    assert len(published) > 1
    assert unfinished >= len(runs) // 4, "many kills must fall between the first write of a part and its publication"
