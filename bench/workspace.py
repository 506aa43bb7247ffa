"""Directories that a run makes for itself and removes."""

import os
import tempfile
from pathlib import Path


def new_directory(what: str) -> Path:
    """A new directory of this run, below BENCH_DIR or the system's temporary directory.

    It should lie on a real disk: on a memory file system a sync costs nothing, and both sides' figures say less.
    """
    return Path(tempfile.mkdtemp(prefix=f"marigram-bench-{what}-", dir=os.environ.get("BENCH_DIR")))


def file_system_of(path: Path) -> str:
    """Type of the file system that holds ``path``, such as ``ext4``; empty when the system does not say."""
    found, longest = "", -1
    mounts = Path("/proc/self/mounts")
    for line in mounts.read_text(encoding="utf-8").splitlines() if mounts.exists() else []:
        _, point, kind, *_ = line.split()
        if path.resolve().is_relative_to(point) and len(point) > longest:
            found, longest = kind, len(point)
    return found
