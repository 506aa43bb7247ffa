"""A peer in a process of its own."""

from collections.abc import Iterator

import pytest

from bench.child import Child

THIS = "tests.bench.test_child"


class Peer:
    """What the child holds."""

    def add(self, a: int, b: int) -> int:
        print("a library that prints")  # noqa: T201 — that is what is tested
        return a + b

    def fail(self) -> None:
        raise ValueError("as asked")

    def leave(self) -> None:
        raise SystemExit(3)


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child(THIS)
    yield child
    child.close()


def test_a_call_returns_its_answer_whatever_is_printed(child: Child) -> None:
    assert child.call("add", a=2, b=3) == 5


def test_a_failure_is_told_and_the_child_goes_on(child: Child) -> None:
    with pytest.raises(RuntimeError, match="fail: ValueError: as asked"):
        child.call("fail")
    assert child.call("add", a=1, b=1) == 2


def test_a_child_that_ends_is_noticed(child: Child) -> None:
    with pytest.raises(EOFError, match="ended with 3"):
        child.call("leave")
