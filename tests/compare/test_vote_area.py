"""The areas that the project promises for quantizers that vote, block size 16, BF16 input."""

from __future__ import annotations

import pytest

from tests.compare.limits import check_limit

LIMITS_GE = {
    "quantizer-ue5m3-top2-b16-bf16": 6700,
    "quantizer-ue5m3-pop-b16-bf16": 7300,
    "quantizer-ue5m3-top3-b16-bf16": 8200,
}
"""`make exhaustive` checks all of them."""


@pytest.mark.slow
@pytest.mark.exhaustive
def test_votes_of_the_second_largest() -> None:
    """The smallest of those that vote."""
    check_limit(*next(iter(LIMITS_GE.items())))
