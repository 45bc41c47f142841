"""What a block format accepts, and what it costs to store."""

from __future__ import annotations

from fractions import Fraction

import pytest

from emulator.blocks import BlockFormat
from emulator.formats import E2M1, E4M3, E8M0, UE4M3, UE5M3


def test_bits_per_element() -> None:
    assert BlockFormat(E2M1, UE5M3, 16).bits_per_element == Fraction(9, 2)
    assert BlockFormat(E2M1, UE4M3, 32).bits_per_element == Fraction(17, 4)
    assert BlockFormat(E2M1, E8M0, 4).bits_per_element == 6


@pytest.mark.parametrize("size", [-4, 0, 1, 3, 12, 512])
def test_block_size_rule(size: int) -> None:
    """spec §5.3."""
    with pytest.raises(ValueError, match=f"block size {size} is not a power of two from 2 to 256"):
        BlockFormat(E2M1, UE5M3, size)


def test_roles_of_formats() -> None:
    with pytest.raises(ValueError, match="element format ue5m3 has no sign"):
        BlockFormat(UE5M3, UE5M3, 16)
    with pytest.raises(ValueError, match="scale format e4m3 is not an unsigned format"):
        BlockFormat(E2M1, E4M3, 16)
    with pytest.raises(ValueError, match="tensor scale 'h2' is not one of h, h256, hbf16, hp2"):
        BlockFormat(E2M1, UE4M3, 16, "h2")
