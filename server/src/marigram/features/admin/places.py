"""How many watch at once, in all and of one namespace."""

import contextlib
from collections import Counter
from collections.abc import Iterator

from marigram.errors import LimitExceeded

RETRY_SECONDS = 1.0


class Places:
    """Places of watchers. For the event loop alone."""

    def __init__(self, most: int, most_of_namespace: int) -> None:
        self._most = most
        self._most_of_namespace = most_of_namespace
        self._taken: Counter[int] = Counter()

    @contextlib.contextmanager
    def one(self, namespace: int) -> Iterator[None]:
        """A place for as long as the block runs.

        Raises:
            LimitExceeded: all of them are taken.
        """
        if self._taken.total() >= self._most:
            raise _refusal("the server", self._most)
        if self._taken[namespace] >= self._most_of_namespace:
            raise _refusal("a namespace", self._most_of_namespace)
        self._taken[namespace] += 1
        try:
            yield
        finally:
            self._taken[namespace] -= 1
            if not self._taken[namespace]:
                del self._taken[namespace]

    def taken(self, namespace: int) -> int:
        """Places that a namespace has taken."""
        return self._taken[namespace]


def _refusal(who: str, most: int) -> LimitExceeded:
    return LimitExceeded(
        f"{who} may have {most} watchers of its figures at once, and has as many",
        reason="TOO_MANY_WATCHERS",
        retry_after=RETRY_SECONDS,
    )
