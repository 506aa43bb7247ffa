"""The pages keep their word: what the README shows runs, and what they list is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from marigram.cli.demonstration import server
from marigram.config import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


async def test_the_tour_of_the_readme_runs_as_it_is_printed(tmp_path: Path) -> None:
    (tour,) = [block for block in blocks("") if "marigram import" in block]
    (script,) = blocks("python")
    async with server.running() as (address, key):
        environment = {**os.environ, "MARIGRAM_ADDRESS": address, "MARIGRAM_KEY": key, "COLUMNS": "120"}
        bin_folder = str(Path(sys.executable).parent)
        shell = subprocess.run(  # noqa: ASYNC221 (nothing else runs here)
            ["bash", "-euc", tour.replace(".venv/bin", bin_folder)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        python = subprocess.run(  # noqa: ASYNC221
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
        )
    assert shell.returncode == 0, shell.stderr
    assert re.search(r"2026-01-01T00:01:00Z\s*│\s*a\s*│\s*1\s*│\s*4\b", shell.stdout), shell.stdout
    assert python.returncode == 0, python.stderr
    assert "p99_value" in python.stdout


async def test_the_examples_of_the_pages_run_one_after_the_other() -> None:
    pages = [(ROOT / "docs" / name).read_text() for name in ("ingest.md", "queries.md", "rollups.md")]
    script = "\n".join(block for page in pages for block in blocks("python", page))
    async with server.running() as (address, key):
        environment = {**os.environ, "MARIGRAM_ADDRESS": address, "MARIGRAM_KEY": key}
        done = subprocess.run(  # noqa: ASYNC221
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    stored, refused, tracked, written, *_ = done.stdout.splitlines()
    assert stored.startswith("4 rows in commit ")
    assert refused.startswith("1 {'TIME_IN_FUTURE': 1}")
    assert tracked == "[True, True]"
    assert written == "3 stored, 0 rejected, 0 sent twice"


PAGES = sorted(str(page.relative_to(ROOT)) for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", [*PAGES, "bench/README.md"])
def test_links_of_a_page_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    folder = (ROOT / page).parent
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    missing = [target for target in targets if not (folder / target).exists()]
    assert missing == []


def test_folders_of_the_architecture_page_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    folders = re.findall(r"^\| `([^`]+/)` \|", text, re.MULTILINE)
    assert len(folders) >= 9
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def settings_rows() -> list[str]:
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else str(field.default)
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return rows


def test_the_settings_page_lists_every_setting_as_it_is() -> None:
    page = (ROOT / "docs/settings.md").read_text().splitlines()
    listed = [line for line in page if line.startswith("| `")]
    assert listed == settings_rows(), "\n".join(["the table should be:", *settings_rows()])
