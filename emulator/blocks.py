"""How a block of elements is stored: element format, scale format, block size, tensor scale."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from emulator.formats import Format

MIN_BLOCK, MAX_BLOCK = 2, 256

TENSOR_SCALES = ("h", "h256", "hbf16", "hp2")
"""Kinds of tensor scale: float32, float32 for a maximum scale of 256, bfloat16, power of two."""


def check_block_size(size: int) -> int:
    """Return ``size`` if it is a power of two from 2 to 256 (spec §5.3), else raise ValueError."""
    if not MIN_BLOCK <= size <= MAX_BLOCK or size & (size - 1):
        raise ValueError(
            f"block size {size} is not a power of two from {MIN_BLOCK} to {MAX_BLOCK} (spec §5.3)"
        )
    return size


@dataclass(frozen=True)
class BlockFormat:
    """Storage of one block: ``block_size`` element codes and one scale code.

    Args:
        element: a signed format.
        scale: an unsigned format of at most 8 bits.
        block_size: a power of two from 2 to 256.
        tensor_scale: one of `TENSOR_SCALES`, or None.

    Raises:
        ValueError: if a field is out of its range.
    """

    element: Format
    scale: Format
    block_size: int
    tensor_scale: str | None = None

    def __post_init__(self) -> None:
        check_block_size(self.block_size)
        if not self.element.signed:
            raise ValueError(f"element format {self.element.name} has no sign")
        if self.scale.signed or self.scale.width > 8:
            raise ValueError(
                f"scale format {self.scale.name} is not an unsigned format of at most 8 bits"
            )
        if self.tensor_scale is not None and self.tensor_scale not in TENSOR_SCALES:
            raise ValueError(
                f"tensor scale {self.tensor_scale!r} is not one of {', '.join(TENSOR_SCALES)}"
            )

    @property
    def bits_per_element(self) -> Fraction:
        """Storage per element: element code plus its share of the stored scale code."""
        return self.element.storage_bits + Fraction(self.scale.storage_bits, self.block_size)
