"""Write the blocking client from the asynchronous one, or compare it.

Each module of ``marigram_client.aio`` becomes the one of the same name in ``marigram_client.blocking``, word by word,
examples of docstrings too. What the words below cannot say stands in ``runtime.py``, which each side has by hand.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("clients/python/src/marigram_client")
BY_HAND = {"__init__.py", "runtime.py"}
WORDS = [
    (r"# ruff: noqa: ASYNC\d+.*\n", ""),
    (r"^import grpc\.aio\n", ""),
    (r"\[(\w+) async for \1 in (\w+)\]", r"list(\2)"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"(?<![\w\]])\(await (\w[\w.]*\((?:[^()]|\([^()]*\))*\))\)", r"\1"),
    (r"\bawait ", ""),
    (r"\bAwaitable\[([^\[\]]+)\]", r"\1"),
    (r"\bgrpc\.aio\.AioRpcError\b", "grpc.RpcError"),
    (r"\bgrpc\.aio\b", "grpc"),
    (r"\bmarigram_client\.aio\b", "marigram_client.blocking"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\b__a(enter|exit|iter)__\b", r"__\1__"),
    (r"an asynchronous context manager", "a context manager"),
    (r"it belongs to the event loop that it was made in", "it may be used by several threads"),
]


def blocking(text: str, name: str) -> str:
    """The blocking twin of a module's text."""
    for pattern, twin in WORDS:
        text = re.sub(pattern, twin, text, flags=re.MULTILINE)
    return f"# Written by `make proto` from aio/{name}: change that one.\n{text}"


def generate(source: Path, target: Path) -> None:
    """Write the twin of each module of ``source`` to ``target``."""
    ours = [path for path in sorted(source.glob("*.py")) if path.name not in BY_HAND]
    target.mkdir(parents=True, exist_ok=True)
    for path in ours:
        (target / path.name).write_text(blocking(path.read_text(), path.name))
    ruff = [str(Path(sys.executable).parent / "ruff")]
    written = [str(target / path.name) for path in ours]
    options = ["--config", str(ROOT / "pyproject.toml"), "--quiet"]
    subprocess.run([*ruff, "check", "--select", "I,F401", "--fix", *options, *written], check=True)
    subprocess.run([*ruff, "format", *options, *written], check=True)


def differences(package: Path) -> list[str]:
    """Names of modules whose committed twin is not what the source yields."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(package / "aio", fresh)
        wanted = {path.name: path.read_bytes() for path in fresh.glob("*.py")}
        kept = {path.name: path.read_bytes() for path in (package / "blocking").glob("*.py")}
    names = (wanted.keys() | kept.keys()) - BY_HAND
    return sorted(name for name in names if wanted.get(name) != kept.get(name))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    package = ROOT / PACKAGE
    if not parser.parse_args().check:
        for path in (package / "blocking").glob("*.py"):
            if path.name not in BY_HAND:
                path.unlink()
        generate(package / "aio", package / "blocking")
    elif stale := differences(package):
        sys.exit("not what marigram_client.aio yields, run `make proto`: " + ", ".join(stale))


if __name__ == "__main__":
    main()
