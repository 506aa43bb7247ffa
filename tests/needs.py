"""What a test needs of its machine."""

import os

import pytest


def need(present: object, what: str) -> None:
    """Skip the running test where ``what`` is missing, except in CI, which must have it: there the test fails."""
    if present:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have {what}")
    pytest.skip(f"needs {what}")
