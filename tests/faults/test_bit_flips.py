"""T7: one flipped bit anywhere in the hot environment or in a part is found, or does not matter: no answer changes."""

import random
import shutil
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.faults import disk, pages, process, rows
from tests.needs import need

pytestmark = pytest.mark.fault
BATCHES = 14
SHARES = ((0, 7), (7, 5), (12, 2))  # first and number of the batches of two seals, and of the log
SENT = {(producer, index) for producer in ("one", "two", "three") for index in range(BATCHES)}
AFTER = ("after", BATCHES)
TRACES = (("one", 3), ("two", 9), ("three", BATCHES - 1))  # a batch of each share
REFUSALS = {"Corrupt", "FailedPrecondition"}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A closed store with rows of three producers, in two parts and in the log."""
    folder = tmp_path / "store"
    with process.Child() as child:
        child.command("open", path=str(folder), options=disk.OPTIONS)
        for first, count in SHARES:
            for producer in ("one", "two", "three"):
                # Those of the second seal have tags, whose texts come into a sealed index.
                tagged = first == SHARES[1][0]
                child.command("write", producer=producer, first=first, count=count, traced=True, tagged=tagged)
            if first + count < BATCHES:
                assert child.command("seal")["parts"] == 1
        assert child.acked == SENT
    return folder


def files_of(folder: Path, what: str) -> list[Path]:
    return [disk.environment_file(folder)] if what == "hot" else sorted(folder.glob("parts/*.mdb"))


def flip(folder: Path, what: str, aim: str, dice: random.Random) -> str:
    """Flip one bit of the environment's file or of a part; say which."""
    file = dice.choice(files_of(folder, what))
    data = bytearray(file.read_bytes())
    place, bit = pages.aim(bytes(data), aim, dice), dice.randrange(8)
    data[place] ^= 1 << bit
    file.write_bytes(data)
    return f"{file.name}, {aim}: bit {bit} of byte {place} in page {place // pages.PAGE}"


def outcome(result: dict[str, Any], truth: dict[str, Any]) -> str:
    """Name what became of a flipped store; what begins with BAD may not be."""
    if "signal" in result or "exit" in result:
        return "BAD: the process died"
    before = result.get("before", result.get("shown"))
    if before is not None and dict(process.unpacked(before)) != dict(process.unpacked(truth["before"])):
        return "BAD: a wrong answer"
    if "error" not in result:
        if rows.judge(SENT | {AFTER}, SENT | {AFTER}, process.unpacked(result["shown"])):
            return "BAD: a wrong answer after a write"
        if result["places"] != truth["places"]:
            return "BAD: a wrong answer about places"
        if result["producers"] != truth["producers"]:
            return "BAD: a wrong answer about producers"
        if result["traces"] != truth["traces"]:
            return "BAD: a wrong answer about traces"
        return "found by verify, answers right" if result["damaged"] else "no effect"
    if result["error"] not in REFUSALS:
        return f"BAD: {result['error']} {result['reason']}"
    if result.get("damaged") == [] and "before" not in result:
        return "BAD: verify found nothing, a query did"
    if "damaged" in result and f'"{rows.STREAM}"' not in result["message"]:
        return "BAD: the refusal does not name the stream"
    return "refused: " + (
        "when written to" if "before" in result else "at a query" if "damaged" in result else "at open"
    )


@pytest.mark.parametrize("what", ["hot", "parts"])
def test_a_flipped_bit_never_changes_an_answer(
    store: Path, tmp_path: Path, dice: random.Random, full: bool, what: str
) -> None:
    flips = 2_000 if full else 200
    original = tmp_path / "original"
    disk.copy(store, original)
    truth = process.inspect([original], disk.OPTIONS, BATCHES, TRACES)[original]
    assert outcome(truth, truth) == "no effect", truth
    assert [found["count"] for found in truth["traces"]] == [[1], [1], [1], [0], [len(SENT) * rows.ROWS]]
    seen: Counter[str] = Counter()
    trouble: list[tuple[str, dict[str, Any]]] = []
    for low in range(0, flips, disk.AT_ONCE):
        stories = {}
        for number in range(low, min(low + disk.AT_ONCE, flips)):
            copy = tmp_path / f"flip-{number}"
            disk.copy(store, copy)
            stories[copy] = flip(copy, what, pages.AIMS[number % len(pages.AIMS)], dice)
        for copy, result in process.inspect(list(stories), disk.OPTIONS, BATCHES, TRACES).items():
            name = outcome(result, truth)
            seen[name] += 1
            if name.startswith("BAD"):
                trouble.append((f"{name}; {stories[copy]}", result))
            shutil.rmtree(copy)
    print(dict(seen))  # noqa: T201
    assert not trouble, trouble[:3]
    assert sum(seen.values()) == flips
    assert sum(count for name, count in seen.items() if name != "no effect") >= flips // 5, (
        "the flips must hit something"
    )


@pytest.mark.parametrize("what", ["hot", "parts"])
def test_control_without_checksums_flips_change_what_is_read(
    store: Path, tmp_path: Path, dice: random.Random, what: str
) -> None:
    need(find_spec("lmdb"), "py-lmdb")
    files = []
    for number in range(101):
        files.append(tmp_path / f"plain-{number}")
        shutil.copy(files_of(store, what)[0], files[-1])
        if number:
            data = bytearray(files[-1].read_bytes())
            data[pages.aim(bytes(data), "value", dice)] ^= 1 << dice.randrange(8)
            files[-1].write_bytes(data)
    command = [sys.executable, "-m", "tests.faults.unprotected", *map(str, files)]
    result = subprocess.run(command, cwd=process.ROOT, capture_output=True, text=True, timeout=120, check=False)
    # A flip may kill this reader; what it said until then is enough.
    truth, *read = result.stdout.split("\n")[:-1]
    silent = sum(line != truth and not line.startswith("error") for line in read)
    print(f"{silent} of {len(read)} flips changed what a plain read finds, without an error")  # noqa: T201
    assert silent >= 5
