"""The areas that the project promises for quantizers that choose, block size 16, BF16 input."""

from __future__ import annotations

import pytest

from tests.compare.limits import check_limit

LIMITS_GE = {
    "quantizer-ue5m3-6c-b16-bf16-turn": 16000,
    "quantizer-ue5m3-3c-b16-bf16-turn": 16000,
    "quantizer-ue4m3-4o6-b16-bf16-turn": 16000,
    "quantizer-ue5m3-4o6-b16-bf16": 24000,
}
"""Candidates in turn, and side by side; `make exhaustive` checks all of them."""


@pytest.mark.slow
@pytest.mark.exhaustive
def test_candidates_in_turn() -> None:
    """The largest of those that take turns."""
    check_limit(*next(iter(LIMITS_GE.items())))
