"""The two clients are one source, and importing them costs no more than what is used."""

import ast
import importlib.util
import inspect
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import marigram_client
from marigram_client import aio, blocking
from marigram_client.aio.writer import Writer
from marigram_client.blocking.writer import Writer as BlockingWriter

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "clients/python/src/marigram_client"


@pytest.fixture(scope="module")
def generator() -> Any:
    spec = importlib.util.spec_from_file_location("blocking", ROOT / ".ci/blocking.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of both clients, to be changed."""
    for side in ("aio", "blocking"):
        shutil.copytree(PACKAGE / side, tmp_path / side, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_blocking_client_is_what_the_asynchronous_one_yields(generator: Any) -> None:
    assert generator.differences(PACKAGE) == []


@pytest.mark.parametrize(
    ("side", "name", "text"),
    [
        ("aio", "admin.py", "\n\nasync def more() -> None:\n    await more()\n"),
        ("aio", "extra.py", '"""A new room."""\n'),
        ("blocking", "writer.py", "\nBY_HAND = True\n"),
        ("blocking", "gone.py", '"""A room that was deleted."""\n'),
    ],
)
def test_a_stale_blocking_client_is_named(generator: Any, package: Path, side: str, name: str, text: str) -> None:
    with (package / side / name).open("a") as file:
        file.write(text)
    assert generator.differences(package) == [name]


@pytest.mark.parametrize(
    ("line", "twin"),
    [
        ("async with client.writer('w') as writer:", "with client.writer('w') as writer:"),
        ("    ...     await client.write(await rows())", "    ...     client.write(rows())"),
        ("print((await client.flush()).stored)", "print(client.flush().stored)"),
        ("opened(await calls.unary(request()))", "opened(calls.unary(request()))"),
        ("x = [item async for item in call]", "x = list(call)"),
        ("work: Callable[[], Awaitable[int]]", "work: Callable[[], int]"),
        ("from marigram_client.aio import runtime", "from marigram_client.blocking import runtime"),
        ("except grpc.aio.AioRpcError as error:", "except grpc.RpcError as error:"),
        ("async def __aexit__(self) -> AsyncIterator[int]:", "def __exit__(self) -> Iterator[int]:"),
        ("awaiting = asynchronous", "awaiting = asynchronous"),
    ],
)
def test_words_of_asyncio_become_plain_ones(generator: Any, line: str, twin: str) -> None:
    assert generator.blocking(line, "x.py").splitlines()[1:] == [twin]


@pytest.mark.parametrize(("one", "other"), [(aio.Client, blocking.Client), (Writer, BlockingWriter)])
def test_both_clients_take_the_same_arguments(one: type, other: type) -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(method).parameters) for name, method in found if not name.startswith("_")}

    assert methods(one) == methods(other)
    assert methods(one)


def test_nothing_of_asyncio_is_left_in_the_blocking_client() -> None:
    for path in (PACKAGE / "blocking").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith), path.name


def test_the_names_of_the_package_are_listed_alike_for_readers_checkers_and_the_interpreter() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    checked = {
        (str(node.module).removeprefix("marigram_client."), name.name)
        for branch in tree.body
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    found = {(home, name) for home, names in marigram_client._HOMES.items() for name in names.split()}
    assert found == checked
    assert {name for _, name in found} == set(marigram_client.__all__) <= set(dir(marigram_client))
    assert all(getattr(marigram_client, name) for name in marigram_client.__all__)


def test_a_name_that_the_package_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        marigram_client.nothing  # type: ignore[attr-defined]  # noqa: B018
    assert marigram_client.Client is blocking.Client


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import marigram_client", {"grpc", "google", "asyncio"}),
        ("from marigram_client import InvalidArgument, Overloaded", {"grpc", "google", "asyncio"}),
        ("from marigram_client import Client, mean, column, provenance", set()),
        ("from marigram_client.aio import Client", set()),
    ],
)
def test_an_import_loads_no_library_that_it_does_not_use(statement: str, heavy: set[str]) -> None:
    never = {"numpy", "pyarrow", "pandas", "polars", "marigram"} | heavy
    script = f"import sys\n{statement}\nprint({never!r} & {{name.split('.')[0] for name in sys.modules}})"
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(PACKAGE.parent)},
    )
    assert found.stdout.strip() == "set()"
