"""The areas that the project promises for quantizers of limited width, block size 16, BF16."""

from __future__ import annotations

import pytest

from tests.compare.limits import check_limit

LIMITS_GE = {
    "quantizer-ue5m3-4o6t-b16-bf16": 9800,
    "quantizer-ue4m3-4o6t-b16-bf16": 9800,
    "quantizer-ue5m3-4o6-e6-b16-bf16-turn": 13500,
}
"""The table form, and errors in turn; `make exhaustive` checks all of them."""


@pytest.mark.slow
@pytest.mark.exhaustive
def test_table_form() -> None:
    """A choice for less than twice a quantizer without one."""
    check_limit(*next(iter(LIMITS_GE.items())))
