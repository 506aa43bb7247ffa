"""Write, compare or accept what is generated from ``proto/``.

Without an option: messages for the server, for the client and for the core. ``--check``: the same into a temporary
folder, compared with what is committed. ``--accept``: the image of the contract that ``buf breaking`` compares with.
"""

import argparse
import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
IMAGE = PROTO / "image.binpb"
SERVER = Path("server/src/marigram/v1")
CLIENT = Path("clients/python/src/marigram_client/_pb/marigram/v1")
CORE = Path("engine_core/src/wire/v1.rs")
SUFFIXES = (".py", ".pyi")
BIN = Path(sys.executable).parent


def run(*command: str | Path) -> None:
    """Run a program from the repository's root, plugins of this environment first on the path."""
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    subprocess.run([str(part) for part in command], cwd=ROOT, env={**os.environ, "PATH": path}, check=True)


def protoc(*options: str) -> None:
    """Run protoc over the contract."""
    sources = sorted(PROTO.glob("marigram/v1/*.proto"))
    if not sources:
        sys.exit("proto/marigram/v1 holds no .proto file")
    well_known = files("grpc_tools") / "_proto"
    run(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"-I{well_known}", *options, *sources)


def own(text: str) -> str:
    """Point imports of the contract's messages to the client's own copy of them."""
    return re.sub(r"\bmarigram\.v1(?=[. ](?:\w+_pb2|import\b))", "marigram_client._pb.marigram.v1", text)


def generate(target: Path) -> None:
    """Write everything below ``target`` as it lies below the repository's root."""
    with tempfile.TemporaryDirectory() as scratch:
        built = Path(scratch) / "python"
        built.mkdir()
        descriptors = Path(scratch) / "contract.binpb"
        protoc(
            f"--python_out={built}",
            f"--grpc_python_out={built}",
            f"--mypy_out=quiet:{built}",
            f"--mypy_grpc_out=quiet:{built}",
            f"--descriptor_set_out={descriptors}",
            "--include_imports",
            "--include_source_info",
        )
        for folder in (SERVER, CLIENT):
            (target / folder).mkdir(parents=True, exist_ok=True)
            for old in generated(target / folder):
                old.unlink()
        for source in generated(built / "marigram/v1"):
            shutil.copyfile(source, target / SERVER / source.name)
            (target / CLIENT / source.name).write_text(own(source.read_text()))
        rust = target / CORE
        rust.parent.mkdir(parents=True, exist_ok=True)
        cargo = ("cargo", "run", "--quiet", "--profile", "develop", "--package", "marigram-generate-proto", "--")
        run(*cargo, descriptors, rust)
        run("rustfmt", "--edition", "2024", "--config-path", ROOT, rust)


def generated(folder: Path) -> list[Path]:
    """Files of ``folder`` that protoc writes."""
    return sorted(path for path in folder.glob("*_pb2*") if path.suffix in SUFFIXES)


def differences() -> list[str]:
    """Paths whose committed content is not what the contract yields."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch)
        generate(target)
        fresh, kept = (
            {CORE, *(path.relative_to(root) for folder in (SERVER, CLIENT) for path in generated(root / folder))}
            for root in (target, ROOT)
        )
        same = {
            path
            for path in fresh & kept
            if (ROOT / path).exists() and filecmp.cmp(target / path, ROOT / path, shallow=False)
        }
        return sorted(str(path) for path in (fresh | kept) - same)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="compare, write nothing")
    choice.add_argument("--accept", action="store_true", help="take today's contract for the one not to break")
    options = parser.parse_args()
    if options.accept:
        run(BIN / "buf", "build", "proto", "--exclude-source-info", "-o", IMAGE)
    elif options.check:
        stale = differences()
        if stale:
            sys.exit("not what the contract yields, run `make proto`:\n" + "\n".join(stale))
    else:
        generate(ROOT)


if __name__ == "__main__":
    main()
