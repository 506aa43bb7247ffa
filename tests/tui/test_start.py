"""Starting is cheap: what is not on the first screen is not imported."""

import subprocess
import sys

import pytest

HEAVY = ("numpy", "pyarrow", "grpc", "google.protobuf", "textual_plot", "marigram_client")


def imported(statement: str) -> set[str]:
    """What a fresh interpreter has imported after this."""
    script = f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


def test_the_package_alone_imports_nothing_of_textual() -> None:
    assert "textual" not in imported("import marigram_tui")


@pytest.mark.parametrize("module", HEAVY)
def test_the_first_screen_does_without(module: str) -> None:
    assert module not in imported("import marigram_tui.app")
