"""Directories that a run makes for itself and removes."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "BENCH_DIR"


@contextmanager
def run_directory() -> Iterator[Path]:
    """Makes the directory of a run below BENCH_DIR, or the system's temporary directory, and removes it at the end.

    Inside, BENCH_DIR names it, so what the run starts works there too. It should lie on a real disk: on a memory file
    system a sync costs nothing, and both sides' figures say less.
    """
    before = os.environ.get(VARIABLE)
    path = Path(tempfile.mkdtemp(prefix="marigram-bench-", dir=before))
    os.environ[VARIABLE] = str(path)
    try:
        yield path
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
        shutil.rmtree(path, ignore_errors=True)


def new_directory(what: str) -> Path:
    """A new directory below the run's."""
    return Path(tempfile.mkdtemp(prefix=f"{what}-", dir=os.environ.get(VARIABLE)))


def file_system_of(path: Path) -> str:
    """Type of the file system that holds ``path``, such as ``ext4``; empty when the system does not say."""
    found, longest = "", -1
    mounts = Path("/proc/self/mounts")
    for line in mounts.read_text(encoding="utf-8").splitlines() if mounts.exists() else []:
        _, point, kind, *_ = line.split()
        if path.resolve().is_relative_to(point) and len(point) > longest:
            found, longest = kind, len(point)
    return found
