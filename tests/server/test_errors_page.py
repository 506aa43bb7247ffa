"""docs/errors.md lists every reason that the sources know, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
WORD = r"[A-Z]+(?:_[A-Z]+)*"
NO_REASONS = {
    "CARGO_PKG_VERSION",
    *("WRITE", "WRITE_STREAM", "TRACK_EVENTS", "QUERY", "STREAM_QUERY"),
    *("LIST_EVENTS", "GET_EVENT", "EXPLORE_DIMENSION", "EXPLAIN_QUERY"),
    *("MARIGRAM", "BACKUP", "UTC", "VERSION"),
    *("AND", "OR", "NOT", "TRUE", "FALSE"),
}


def in_rust() -> set[str]:
    """Every word in capitals outside of tests; the generated messages hold others."""
    found: set[str] = set()
    for file in (ROOT / "engine_core/src").rglob("*.rs"):
        if file.name not in ("v1.rs", "tests.rs") and "tests" not in file.parts:
            found |= set(re.findall(f'"({WORD})"', file.read_text().split("#[cfg(test)]")[0]))
    return found - NO_REASONS


def in_python() -> set[str]:
    """What is given as a reason, and the reasons of classes where none is given."""
    found: set[str] = set()
    for file in (ROOT / "server/src/marigram").rglob("*.py"):
        if file.parent.name != "v1":
            found |= set(re.findall(r'reason(?:: str)? ?= ?"([A-Z_]+)"', file.read_text()))
    return found


def documented() -> list[str]:
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs/errors.md").read_text(), re.MULTILINE)
    return [reason for row in rows for reason in re.findall(r"`([A-Z_]+)`", row)]


def test_every_reason_is_documented() -> None:
    assert in_rust() | in_python() <= set(documented())


def test_every_documented_reason_exists_and_stands_once() -> None:
    assert sorted(documented()) == sorted(set(documented()))
    words = in_python() | in_rust() | {"INTERNAL", "CANCELLED"}
    assert set(documented()) <= words
