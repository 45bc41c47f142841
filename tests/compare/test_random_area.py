"""The areas that the project promises for stochastic rounding, block size 16, BF16 input."""

from __future__ import annotations

import pytest

from tests.compare.limits import check_limit

LIMITS_GE = {
    "quantizer-ue5m3-absmax-sr4-b16-bf16-r1": 12500,
}
"""`make exhaustive` checks all of them."""


@pytest.mark.slow
@pytest.mark.exhaustive
def test_one_round_per_cycle() -> None:
    """Four random bits, 27 cycles a block."""
    check_limit(*next(iter(LIMITS_GE.items())))
