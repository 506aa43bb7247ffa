"""Tickets of the core become futures of the event loop."""

import asyncio

import pytest

from marigram.engine.tickets import Tickets
from marigram.errors import Cancelled, NotFound, Overloaded
from tests.server.fake_core import FakeCore


def tickets(core: FakeCore) -> Tickets:
    return Tickets(core, asyncio.get_running_loop())


async def test_answers_find_their_futures_in_any_order() -> None:
    core = FakeCore()
    watched = tickets(core)
    futures = [watched.future(core.query(1, 1, b"", None)) for _ in range(3)]
    core.answer(3, [b"three"])
    core.answer(1, [b"one"])
    core.answer(2, NotFound("there is none"))
    assert await futures[0] == [b"one"]
    with pytest.raises(NotFound):
        await futures[1]
    assert await futures[2] == [b"three"]
    assert len(watched) == 0
    watched.close()


async def test_whoever_goes_away_cancels_the_query_in_the_core() -> None:
    core = FakeCore()
    watched = tickets(core)
    task = asyncio.create_task(watched.answer(core.query(1, 1, b"", None)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert core.cancelled == [1]
    watched.close()


async def test_a_close_hands_out_what_is_done_and_fails_the_rest() -> None:
    core = FakeCore()
    watched = tickets(core)
    done, open_ = (watched.future(core.query(1, 1, b"", None)) for _ in range(2))
    core.answer(1, [b"one"])
    watched.close()
    watched.close()
    assert await done == [b"one"]
    with pytest.raises(Cancelled):
        await open_
    with pytest.raises(Overloaded):
        watched.must_be_open()
