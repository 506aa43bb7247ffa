"""The layout of the repository keeps its promises."""

import importlib.metadata
import importlib.util
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = {"marigram": "marigram", "marigram-client": "marigram_client", "marigram-tui": "marigram_tui"}

# Right although no room may have such a module yet.
ROOM_PATTERNS = {f"marigram.features.*{part}" for part in ("", ".model", ".compute")}
COPIES = ("marigram", "marigram_client._pb.marigram")


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    found: list[dict[str, Any]] = settings["contracts"]
    return found


def modules(package: str) -> Iterator[str]:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    yield package
    for folder in spec.submodule_search_locations or ():
        for found in pkgutil.iter_modules([folder], f"{package}."):
            if found.ispkg:
                yield from modules(found.name)
            else:
                yield found.name


@pytest.mark.parametrize(("distribution", "package"), DISTRIBUTIONS.items())
def test_each_distribution_is_installed_under_its_own_import_name(distribution: str, package: str) -> None:
    assert importlib.metadata.version(distribution) == "0.1.0"
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert (Path(spec.origin).parent / "py.typed").exists()


def test_the_core_is_compiled_in() -> None:
    spec = importlib.util.find_spec("marigram.engine._core")
    assert spec is not None
    assert spec.origin is not None
    assert spec.origin.endswith(".so")


@pytest.mark.parametrize("order", [COPIES, COPIES[::-1]], ids=["server first", "client first"])
def test_server_and_client_messages_live_in_one_process(order: tuple[str, str]) -> None:
    names = [path.stem for path in sorted((ROOT / "server/src/marigram/v1").glob("*_pb2*.py"))]
    assert names
    script = "\n".join(f"import {package}.v1.{name}" for package in order for name in names)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_client_never_imports_the_server_s_messages() -> None:
    script = (
        "import sys, pkgutil, importlib, marigram_client._pb.marigram.v1 as p\n"
        "[importlib.import_module(f'{p.__name__}.{m.name}') for m in pkgutil.iter_modules(p.__path__)]\n"
        "assert 'marigram' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_pattern_of_an_import_contract_matches_a_module() -> None:
    known = {name for package in DISTRIBUTIONS.values() for name in modules(package)}
    for contract in contracts():
        for key in ("modules", "source_modules", "forbidden_modules", "protected_modules", "allowed_importers"):
            for pattern in contract.get(key, []):
                if pattern.split(".")[0] not in DISTRIBUTIONS.values():
                    continue
                if pattern in ROOM_PATTERNS:
                    continue
                expression = re.compile(re.escape(pattern).replace(r"\*", r"[^.]+"))
                assert any(map(expression.fullmatch, known)), f"{contract['name']}: nothing is called {pattern}"


@pytest.mark.parametrize(
    "line",
    [
        "see https://" + "py" + "pi.org/simple",
        "registry = " + "registry." + "npm" + "js.org",
        "https://" + "repo." + "maven.apache.org/maven2",
        "GOPROXY=https://" + "proxy." + "golang.org",
        "open('/" + "root/data')",
        "cd /" + "work/main",
    ],
)
def test_hygiene_finds_a_planted_line(line: str) -> None:
    assert len(list(load_script("hygiene").findings("notes.md", f"first\n{line}\n"))) == 1


@pytest.mark.parametrize(
    "line",
    [
        '<project xmlns="http://maven.apache.org/POM/4.0.0">',
        "go get google.golang.org/grpc",
        "server/work/file",
        "https://example.org/home/page",
    ],
)
def test_hygiene_lets_innocent_lines_pass(line: str) -> None:
    assert list(load_script("hygiene").findings("notes.md", line)) == []
