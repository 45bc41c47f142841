"""Areas that the project promises for quantizers that choose under a tensor scale, block 16.

Synthesis takes minutes here, so that `make exhaustive` checks all of them.
"""

from __future__ import annotations

import pytest

from tests.compare.limits import check_limit

LIMITS_GE = {
    "quantizer-ue4m3-4o6-pz-hp2-b16-bf16-turn": 14500,
    "quantizer-ue4m3-4o6-pz-h-b16-bf16-turn": 20500,
    "quantizer-ue4m3-4o6-pz-h-b16-bf16": 40000,
}
"""Candidates in turn, and side by side."""

SMALL = {"quantizer-ue4m3-4o6-pz-h-b2-bf16-turn": 8000}
"""What a block costs once."""


@pytest.mark.slow
@pytest.mark.exhaustive
def test_smallest_block() -> None:
    """What a block costs once."""
    check_limit(*next(iter(SMALL.items())))
