"""A program in a terminal, timed until it has painted."""

import os
import sys

import pytest

from bench.terminal import plain, seconds_until


def command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_texts_are_found_between_control_sequences_in_a_terminal_of_120_by_40() -> None:
    code = """
import os
size = os.get_terminal_size()
print(f"\\x1b[2J\\x1b[1;31msi\\x1b[0mze {size.columns}x{size.lines}", flush=True)
input()
"""
    [seconds] = seconds_until(["size 120x40"], command(code), os.environ)
    assert 0.0 < seconds < 30.0


def test_all_texts_are_waited_for_and_timed_in_the_order_they_are_asked_for() -> None:
    code = "print('first', flush=True); print('second', flush=True); input()"
    second, first = seconds_until(["second", "first"], command(code), os.environ)
    assert 0.0 < first <= second


def test_a_program_that_ends_without_painting_is_told_with_what_it_said() -> None:
    with pytest.raises(RuntimeError, match=r"never painted .*'Overview'.*no such module"):
        seconds_until(["Overview"], command("print('no such module')"), os.environ)


def test_a_program_that_paints_nothing_is_not_waited_for_for_ever() -> None:
    with pytest.raises(RuntimeError, match=r"never painted within 0\.2 s"):
        seconds_until(["Overview"], command("input()"), os.environ, timeout=0.2)


def test_control_sequences_are_no_text() -> None:
    assert (
        plain(b"\x1b[?1049h\x1b]0;title\x07\x1b[38;2;1;2;3m\xe2\x80\xba \x1b[1mOver\x1b[0mview\x1b(B") == "› Overview"
    )
