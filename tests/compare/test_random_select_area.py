"""The areas that the project promises for choices whose elements round at random (spec §26.5)."""

from __future__ import annotations

import pytest

from tests.compare.limits import check_limit

LIMITS_GE = {
    "quantizer-ue5m3-4o6-sr4-b16-bf16-turn-r1": 22000,
    "quantizer-ue5m3-top2-sr4-b16-bf16-r1": 12500,
}
"""`make exhaustive` checks all of them."""


@pytest.mark.slow
@pytest.mark.exhaustive
def test_votes() -> None:
    """Four random bits, 27 cycles a block."""
    name = "quantizer-ue5m3-top2-sr4-b16-bf16-r1"
    check_limit(name, LIMITS_GE[name])
