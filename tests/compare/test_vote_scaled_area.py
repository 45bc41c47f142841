"""Areas that the project promises for quantizers that vote under a tensor scale, block 16, BF16.

Synthesis takes minutes here, so that `make exhaustive` checks them all.
"""

from __future__ import annotations

import pytest

from tests.compare.limits import check_limit

LIMITS_GE = {
    "quantizer-ue4m3-top2-hp2-b16-bf16": 9000,
    "quantizer-ue4m3-top2-h-b16-bf16": 16000,
    "quantizer-ue4m3-pop-h-b16-bf16": 16000,
}
"""A power of two as tensor scale, and a float32."""

SMALL = {"quantizer-ue4m3-top2-hp2-b2-bf16": 2400}
"""What `make test` checks."""


@pytest.mark.slow
def test_smallest_block() -> None:
    """What a block costs once."""
    check_limit(*next(iter(SMALL.items())))
