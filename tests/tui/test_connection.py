"""A server is followed through its restarts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from marigram_client.admin import ServerStatus
from marigram_tui.connection import DELAYS_S, PATIENT_S, SILENCE_S, Connection, Link, Phase
from marigram_tui.gateway import Kind, Trouble
from tests.tui.fake import Clock, FakeGateway, status

LOST = Trouble(Kind.LOST, "connection refused")


class Followed:
    """A connection, what it brought, and how it stood."""

    def __init__(self) -> None:
        self.gateway, self.clock = FakeGateway(), Clock()
        self.figures: list[ServerStatus] = []
        self.links: list[Link] = []
        self.connection = Connection(self.gateway, self.clock, self.figures.append, self.links.append)

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def brings(self, *coming: ServerStatus | Trouble) -> None:
        self.gateway.push(*coming)
        await self.settle()

    async def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.settle()


@pytest.fixture
async def followed() -> AsyncIterator[Followed]:
    made = Followed()
    running = asyncio.ensure_future(made.connection.run())
    await made.settle()
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_figures_are_handed_on_and_the_link_is_live(followed: Followed) -> None:
    await followed.brings(status(0), status(1))
    assert followed.figures == [status(0), status(1)]
    assert [link.phase for link in followed.links] == [Phase.LIVE]


async def test_a_lost_connection_is_tried_again_after_a_second(followed: Followed) -> None:
    await followed.brings(status(0), LOST)
    assert followed.links[-1] == Link(Phase.LOST, LOST, followed.clock.now() + DELAYS_S[0])
    await followed.passes(DELAYS_S[0])
    assert followed.gateway.connections == 2


async def test_attempts_grow_rarer_up_to_a_bound(followed: Followed) -> None:
    waits = []
    for _ in range(6):
        await followed.brings(LOST)
        waits.append(followed.links[-1].retry_at - followed.clock.now())
        await followed.passes(waits[-1])
    assert waits == [1.0, 2.0, 3.0, 5.0, 5.0, 5.0]


async def test_after_figures_attempts_are_frequent_again(followed: Followed) -> None:
    for delay in DELAYS_S:
        await followed.brings(LOST)
        await followed.passes(delay)
    await followed.brings(status(0))
    assert followed.links[-1].phase is Phase.LIVE
    await followed.brings(LOST)
    assert followed.links[-1].retry_at - followed.clock.now() == DELAYS_S[0]


async def test_what_a_person_must_mend_is_tried_rarely(followed: Followed) -> None:
    await followed.brings(Trouble(Kind.DENIED, "the key is not known"))
    assert followed.links[-1].retry_at - followed.clock.now() == PATIENT_S


async def test_a_server_that_falls_silent_is_lost(followed: Followed) -> None:
    await followed.brings(status(0))
    await followed.passes(SILENCE_S)
    assert followed.links[-1].trouble is not None
    assert followed.links[-1].trouble.why == "no figures for 8 s"


async def test_a_slow_server_is_not_lost(followed: Followed) -> None:
    for second in range(5):
        await followed.passes(SILENCE_S - 1)
        await followed.brings(status(second))
    assert [link.phase for link in followed.links] == [Phase.LIVE]


async def test_waiting_can_be_cut_short(followed: Followed) -> None:
    await followed.brings(Trouble(Kind.DENIED, "the key is not known"))
    followed.connection.retry_now()
    await followed.settle()
    assert followed.gateway.connections == 2
