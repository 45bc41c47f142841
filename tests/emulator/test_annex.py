"""The specification's value tables are those of the formats."""

from __future__ import annotations

from fractions import Fraction

import pytest

from emulator.annex import exact, insert
from tests.spec_examples import SPEC


def test_the_annex_is_up_to_date() -> None:
    """spec §2.2 to §2.5."""
    text = SPEC.read_text("utf-8")
    assert insert(text) == text
    assert text.count("| NaN") == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(3, 512), "0.005859375"),
        (Fraction(114688), "114688"),
        (Fraction(2) ** 127, "2^127"),
        (Fraction(3, 2**40), "3/2*2^-39"),
    ],
)
def test_exact_text(value: Fraction, text: str) -> None:
    assert exact(value) == text


def test_text_without_markers() -> None:
    with pytest.raises(ValueError, match="no markers"):
        insert("nothing here")
