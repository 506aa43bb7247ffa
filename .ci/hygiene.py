"""Refuse what belongs to one machine: hosts of package registries, and absolute paths into somebody's folders.

Looks at every file that is tracked or would be. The patterns are put together from pieces, so that this file passes.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOT = r"\."

HOSTS = [
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("crates", "io"),
    ("npmjs", "(?:org|com)"),
    ("yarnpkg", "com"),
    ("repo1?", "maven", "(?:apache|org)"),
    ("sonatype", "(?:org|com)"),
    ("(?:proxy|sum)", "golang", "org"),
    ("debian", "org"),
]
FOLDERS = ["work", "root", "home", "farm"]

HOST = re.compile(r"(?<![\w-])(?:" + "|".join(DOT.join(parts) for parts in HOSTS) + r")(?![\w-])", re.IGNORECASE)
FOLDER = re.compile(r"(?<![\w.~/)}\]*-])/(?:" + "|".join(FOLDERS) + r")/")
NAMESPACE = re.compile(r"""xmlns(?::\w+)?=["'][^"']*["']|xsi:schemaLocation=["'][^"']*["']""")


def findings(path: str, text: str) -> Iterator[str]:
    """Lines of ``text`` that may not be kept, as ``path:line: what``."""
    for number, line in enumerate(text.splitlines(), 1):
        plain = NAMESPACE.sub("", line)
        if Path(path).name != "Cargo.lock" and (host := HOST.search(plain)):
            yield f"{path}:{number}: names a package registry: {host.group()}"
        if folder := FOLDER.search(plain):
            yield f"{path}:{number}: names a folder of one machine: {folder.group()}"


def kept() -> list[str]:
    """Paths of the files that are tracked or would be."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return sorted({path for path in listing.stdout.decode().split("\0") if path and (ROOT / path).is_file()})


def main() -> None:
    """Print every finding; fail if there is one."""
    found = [line for path in kept() for line in findings(path, (ROOT / path).read_bytes().decode("latin-1"))]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
