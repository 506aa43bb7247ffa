"""The packages that only the demonstration needs: the extra ``demo``."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from marigram_client.errors import FailedPrecondition


def require(names: Iterable[str]) -> None:
    """Refuse to go on without packages.

    Raises:
        FailedPrecondition: some of ``names`` are not installed; the message names them and the extra.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        rule = f"the demonstration needs the packages of marigram[demo], and {', '.join(missing)} cannot be found"
        raise FailedPrecondition(f"{rule}: pip install 'marigram[demo]'", reason="PACKAGE_MISSING")


def folder(name: str) -> Path:
    """Where a package lies; it is not imported."""
    require([name])
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise FailedPrecondition(f"the package {name} must lie in a folder", reason="PACKAGE_MISSING")
    return Path(spec.origin).parent
