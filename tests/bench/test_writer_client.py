"""What the writer cases see of a client's memory."""

import pytest

from bench.clients.writer import Held

ALLOCATED = 1_000_000


def stalled(held: Held, address: str, key: str) -> None:
    """Takes a row and then no more."""
    held.took(0, 1)
    held.stopping.wait(30.0)


def leaking(held: Held, address: str, key: str) -> None:
    """The same, and keeps what it could not send."""
    held.took(0, 1)
    kept: list[bytes] = []
    while not held.stopping.wait(0.02):
        kept.append(bytes([1]) * ALLOCATED)
        held.gave_up()


def failing(held: Held, address: str, key: str) -> None:
    held.took(0, 1)
    raise ConnectionError("gone")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.clients.writer.STALLED_S", 0.3)


def test_a_client_that_waits_does_not_grow() -> None:
    held = Held(stalled, "", "")
    held.wait_until_begun(1)
    seen = held.watch(0.5)
    assert held.end() == 1
    assert seen["growth_mb"] < 4.0


def test_a_client_that_keeps_what_it_cannot_send_is_seen_to_grow() -> None:
    held = Held(leaking, "", "")
    held.wait_until_begun(1)
    seen = held.watch(0.7)
    held.end()
    assert seen["growth_mb"] > 4.0
    assert seen["given_up"] > 0


def test_a_client_that_fails_is_told() -> None:
    held = Held(failing, "", "")
    with pytest.raises(RuntimeError, match="the writer failed"):
        held.watch(0.5)
