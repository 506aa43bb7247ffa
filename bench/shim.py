"""The sync delay: tests/faults/shim.c, loaded into the process under measurement."""

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

from bench.workspace import new_directory

SOURCE = Path(__file__).parents[1] / "tests" / "faults" / "shim.c"


@cache
def library() -> Path:
    """The shim, compiled once a run.

    Raises:
        FileNotFoundError: there is no C compiler, or no source.
        subprocess.CalledProcessError: it does not compile.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not SOURCE.exists():
        raise FileNotFoundError(f"the sync delay needs a C compiler and {SOURCE.name}")
    name = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    built = new_directory("shim") / f"shim-{name}.so"
    flags = ["-O2", "-shared", "-fPIC", "-pthread"]
    subprocess.run([compiler, *flags, "-o", str(built), str(SOURCE)], check=True, timeout=120)
    return built


def delayed_syncs(directory: Path, delay_us: int) -> dict[str, str]:
    """Environment in which each sync of a file below ``directory`` takes ``delay_us`` longer; empty for no delay.

    A sync is fsync, fdatasync, or a write through an O_DSYNC or O_SYNC descriptor, as LMDB writes its meta page.
    """
    if delay_us == 0:
        return {}
    return {
        "LD_PRELOAD": str(library()),
        "MARIGRAM_SHIM_PATH": str(directory),
        "MARIGRAM_SHIM_SYNC_DELAY_US": str(delay_us),
    }
