"""Directories that take long to make and are kept between runs, outside the repository."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.harness import Skipped, log

VARIABLE = "BENCH_CACHE"


def folder() -> Path:
    """Where they are kept: BENCH_CACHE, or else a folder below the system's temporary directory."""
    return Path(os.environ.get(VARIABLE) or Path(tempfile.gettempdir()) / "marigram-bench-cache")


def kept(name: str, make: Callable[[Path], None], *, free_bytes: int) -> Path:
    """The directory of a name; if there is none, ``make`` fills a new one, which is kept once it is whole.

    Raises:
        Skipped: it would have to be made, and there are less than ``free_bytes`` free.
    """
    place = folder() / name
    if place.exists():
        return place
    folder().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder()).free
    if free < free_bytes:
        raise Skipped(f"{name} would have to be made and needs {free_bytes / 1e9:g} GB free, got {free / 1e9:.1f} GB")
    log(f"   {name}: made in {folder()} and kept")
    making = Path(tempfile.mkdtemp(prefix=f"{name}.new-", dir=folder()))
    try:
        make(making)
        making.rename(place)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return place
