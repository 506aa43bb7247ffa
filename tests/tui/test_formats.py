"""Figures are short and foreign text is harmless."""

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from marigram_tui import formats


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (7, "7"),
        (-3, "-3"),
        (9_999, "9,999"),
        (10_000, "10.0 k"),
        (999_600, "1.00 M"),
        (1_234_567, "1.23 M"),
        (12.345, "12.3"),
        (0.5, "0.50"),
        (0.0123, "0.0123"),
        (0.0000123, "1.23e-05"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
    ],
)
def test_a_number_has_three_digits_and_a_scale(value: float, shown: str) -> None:
    assert formats.number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (2_147_483_648, "2.00 GiB")]
)
def test_bytes_are_in_powers_of_1024(value: int, shown: str) -> None:
    assert formats.size(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (0.000000012, "12 ns"),
        (0.00000042, "420 ns"),
        (0.0031, "3.10 ms"),
        (5, "5 s"),
        (59.94, "59.9 s"),
        (90, "1 min 30 s"),
        (3_600, "1 h"),
        (11_520, "3 h 12 min"),
        (180_000, "2 d 2 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, shown: str) -> None:
    assert formats.duration(seconds) == shown


def test_a_young_watermark_is_an_age_and_an_old_one_a_date() -> None:
    now = 1_771_000_000 * formats.SECOND_NS
    assert formats.watermark(now - 12 * formats.SECOND_NS, now) == "12 s ago"
    assert formats.watermark(1_357_214_410 * formats.SECOND_NS, now) == "2013-01-03 12:00"
    assert formats.watermark(None, now) == "–"


def test_a_sparkline_leaves_gaps_and_shows_little_things() -> None:
    assert formats.sparkline([math.nan, 0, 0.01, 4, 8]) == ["·▁▁▄█"]


def test_a_tall_sparkline_stacks_blocks() -> None:
    assert formats.sparkline([8, 16, 4], rows=2) == [" █ ", "██▄"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("flights", "flights"),
        ("a\x1b[31mb", "a␛[31mb"),
        ("a\nb\tc\x00", "a␊b␉c␀"),
        ("\x9b31m", "�31m"),
        ("ab\u202egpj.exe", "ab�gpj.exe"),
        ("zero\u200bwidth", "zero�width"),
        ("\u2028line", "�line"),
        ("[red]x[/]", "[red]x[/]"),
        ("Züri ☂", "Züri ☂"),
        ("航班", "航班"),
        ("a" + "\u0301" * 50, "a\u0301\u0301"),
        ("\ud800", "�"),
        ("\u00a0", " "),
    ],
)
def test_foreign_text_is_shown_harmlessly(text: str, shown: str) -> None:
    assert formats.safe(text) == shown


@given(st.text(max_size=400), st.integers(1, 80))
def test_safe_text_is_one_line_of_visible_signs_that_fits(text: str, cells: int) -> None:
    shown = formats.safe(text, cells)
    assert cell_len(shown) <= cells
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_a_cut_line_says_so() -> None:
    assert formats.safe("x" * 1_000, 10) == "xxxxxxxxx…"
    assert formats.safe("航" * 20, 10) == "航航航航…"
