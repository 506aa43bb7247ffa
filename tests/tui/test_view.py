"""Which part of time a chart shows."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from marigram_tui.view import MOST_WINDOWS, RANGES_S, WIDTHS_S, View

SECOND_NS = 1_000_000_000
EDGE = 1_357_214_407 * SECOND_NS + 5


def test_a_range_ends_at_the_newest_time_and_begins_on_a_window() -> None:
    view = View()
    start, end = view.span(EDGE, 60)
    width = int(view.width(60).total_seconds()) * SECOND_NS
    assert end == EDGE + 1
    assert start % width == 0
    assert 900 * SECOND_NS <= end - start < 900 * SECOND_NS + width + 1


def test_the_width_follows_range_and_columns() -> None:
    assert View().width(60) == timedelta(seconds=10)
    assert View().width(450) == timedelta(seconds=1)


def test_a_pause_holds_the_end_and_ends_at_the_next() -> None:
    view = View()
    view.pause(EDGE)
    assert view.span(EDGE + 60 * SECOND_NS, 60)[1] == EDGE + 1
    view.pause(EDGE + 60 * SECOND_NS)
    assert not view.paused


def test_going_back_pauses_and_coming_back_to_the_edge_goes_on() -> None:
    view = View()
    view.pan(-1, EDGE)
    assert view.end_ns == EDGE - 225 * SECOND_NS
    view.pan(1, EDGE)
    assert not view.paused


def test_zooming_lets_go_of_a_width_that_makes_too_many_windows() -> None:
    view = View(width_s=1)
    view.zoom(len(RANGES_S))
    assert view.width_s is None
    assert view.range_s == RANGES_S[-1]


def test_windows_grow_and_shrink_within_the_range() -> None:
    view = View()
    for _ in WIDTHS_S:
        view.resize(1, 60)
    assert view.width(60) == timedelta(minutes=5)
    for _ in WIDTHS_S:
        view.resize(-1, 60)
    assert view.width(60) == timedelta(seconds=1)


def test_a_replay_widens_the_range_until_it_can_be_watched() -> None:
    view = View()
    while view.adapt(3_600.0, None):
        pass
    assert view.range_s == 3 * 86_400


def test_few_points_widen_the_range_nobody_chose() -> None:
    view = View()
    assert view.adapt(1.0, 3)
    assert view.range_s == 3_600


def test_a_chosen_or_paused_range_stays() -> None:
    chosen, paused = View(), View()
    chosen.zoom(1)
    paused.pause(EDGE)
    assert not chosen.adapt(10_000.0, 0)
    assert not paused.adapt(10_000.0, 0)


@given(st.lists(st.sampled_from(("out", "in", "wider", "narrower")), max_size=60), st.integers(0, 300))
def test_no_keys_ask_for_more_windows_than_the_bound(keys: list[str], columns: int) -> None:
    view = View()
    for key in keys:
        match key:
            case "out" | "in":
                view.zoom(1 if key == "out" else -1)
            case _:
                view.resize(1 if key == "wider" else -1, columns)
    start, end = view.span(EDGE, columns)
    assert (end - start) / SECOND_NS / view.width(columns).total_seconds() <= MOST_WINDOWS + 2
