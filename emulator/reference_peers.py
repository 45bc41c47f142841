"""The clauses of spec §25 in exact numbers: each rounding to float32 is one of a Fraction.

Slow, and independent of `emulator.peers`, whose float32 arithmetic is the processor's.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from emulator.formats import E2M1, FP32, UE4M3, Format
from emulator.reference import round_magnitude

LARGEST = FP32.max
INFINITE = Fraction(2) ** 1024
"""Stands for infinity: above all sums and products of float32 numbers that are looked at."""

ONE, SIX = Fraction(1), Fraction(6)


def fl(value: Fraction) -> Fraction:
    """Round a magnitude to float32, to `INFINITE` on overflow."""
    assert FP32.inf_code is not None
    code = round_magnitude(value, FP32)
    return INFINITE if code >= FP32.inf_code else FP32.value(code)


def multiplier(amax: Fraction) -> Fraction:
    """The multiplier S of a tensor (spec §25.3)."""
    return LARGEST if amax == 0 else min(fl(Fraction(2688) / amax), LARGEST)


def lane(bits: int, x_format: Format) -> tuple[bool, Fraction]:
    """Whether the sign is set, and the magnitude (spec §25.8)."""
    magnitude = bits & x_format.magnitude_mask
    finite = magnitude <= x_format.max_code
    return bool(bits & x_format.sign_mask), x_format.value(magnitude) if finite else INFINITE


def scale_code(wanted: Fraction) -> int:
    """The UE4M3 code of a float32 (spec §3.1, §3.2)."""
    return min(round_magnitude(wanted, UE4M3), UE4M3.max_code)


def element_code(y: Fraction) -> int:
    """The E2M1 magnitude code of a float32 (spec §3.1, §3.2)."""
    return min(round_magnitude(y, E2M1), E2M1.max_code)


def torchao(lanes: Sequence[int], x_format: Format) -> tuple[int, list[int]]:
    """Scale and element codes of a block (spec §25.4, §25.5)."""
    numbers = [lane(bits, x_format) for bits in lanes]
    amax = max(magnitude for _, magnitude in numbers)
    lowest = Fraction(2) ** (1 - UE4M3.bias)
    code = scale_code(max(fl(amax / SIX), lowest))
    factor = fl(ONE / UE4M3.value(code))
    return code, [element_code(fl(x * factor)) | negative << 3 for negative, x in numbers]


def te(lanes: Sequence[int], x_format: Format, s: Fraction) -> tuple[int, list[int]]:
    """Scale and element codes of a block under a tensor's multiplier (spec §25.6, §25.7)."""
    numbers = [lane(bits, x_format) for bits in lanes]
    amax = max(magnitude for _, magnitude in numbers)
    code = scale_code(fl(amax * fl(s * fl(ONE / SIX))))
    divisor = fl(UE4M3.value(code) * fl(ONE / s))
    factor = min(fl(ONE / divisor), LARGEST) if divisor else LARGEST
    products = [(negative, fl(x * factor)) for negative, x in numbers]
    return code, [element_code(y) | (negative and y > 0) << 3 for negative, y in products]
