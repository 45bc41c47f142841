"""Codes as other libraries compute them: E2M1 elements and 8-bit scales, from float32 numbers.

The rounding of a peer is part of the peer, so ties are a parameter here: "even" (to the even
code), "away" (from zero) or "down" (towards zero). Everything else of the specification's
arithmetic (spec §3) is left aside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import ml_dtypes
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
"""Arrays of float32; NumPy's stubs lose the width in arithmetic."""

Codes = npt.NDArray[np.uint8]
Ties = Literal["even", "away", "down"]

F32_MAX = np.finfo(np.float32).max

E2M1_VALUES: Floats = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
_MIDPOINTS = (0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0)


def e2m1_magnitudes(y: Floats, ties: Ties = "even") -> Codes:
    """Nearest E2M1 magnitude codes of non-negative numbers, saturating; NaN gives 0."""
    codes = np.zeros(y.shape, np.uint8)
    for below, midpoint in enumerate(_MIDPOINTS):
        # The code above the midpoint is below + 1: even where below is odd.
        up = ties == "away" or (ties == "even" and below % 2 == 1)
        codes += (y >= midpoint) if up else (y > midpoint)
    return codes


def with_sign(magnitudes: Codes, negative: npt.NDArray[np.bool_]) -> Codes:
    """Put the sign bit of E2M1 in front of magnitude codes."""
    return magnitudes | (negative.astype(np.uint8) << np.uint8(3))


def e2m1_decode(codes: Codes) -> Floats:
    """The values of E2M1 codes."""
    values = np.concatenate([E2M1_VALUES, -E2M1_VALUES])
    return values[codes]


def bfloat16(x: Floats) -> Floats:
    """Round to bfloat16, ties to even, and widen again."""
    return x.astype(ml_dtypes.bfloat16).astype(np.float32)


@dataclass(frozen=True)
class Minifloat:
    """An unsigned 8-bit scale format with three fraction bits.

    Args:
        bias: exponent bias.
        max_code: largest finite code; larger numbers get it.
    """

    bias: int
    max_code: int

    def encode(self, v: Floats, ties: Ties = "even") -> Codes:
        """Nearest codes of non-negative numbers, saturating; NaN is not expected."""
        # Twice the largest value saturates as surely as infinity, and has an exponent.
        v = np.minimum(v, np.float32(2) * self.decode(np.uint8(self.max_code)))
        exponent = np.maximum(np.frexp(v)[1] - 1, 1 - self.bias)
        units = np.ldexp(v.astype(np.float64), 3 - exponent)
        if ties == "even":
            rounded = np.rint(units)
        else:
            rounded = np.floor(units + 0.5) if ties == "away" else np.ceil(units - 0.5)
        code = ((exponent + self.bias) << 3) + rounded.astype(np.int64) - 8
        return np.where(v > 0, np.minimum(code, self.max_code), 0).astype(np.uint8)

    def decode(self, codes: Codes | np.uint8) -> Floats:
        """The values of codes; exact."""
        field = codes.astype(np.int64) >> 3
        significand = (codes & np.uint8(7)) + np.where(field > 0, 8, 0)
        exponent = np.maximum(field, 1) - self.bias - 3
        return np.ldexp(significand.astype(np.float32), exponent.astype(np.int32))


E4M3 = Minifloat(7, 0x7E)
UE5M3 = Minifloat(15, 0xFE)
UE5M3_IEEE = Minifloat(15, 0xF7)
"""UE5M3 with the top exponent field held back for infinity and NaN: largest value 61440."""

E4M3_NAN = np.uint8(0xFF)
"""What a scale of 0/0 becomes: x86 gives that NaN a sign bit, and the cast keeps it."""


def e4m3_cast(v: Floats) -> Codes:
    """What ``tensor.to(torch.float8_e4m3fn)`` gives for non-negative numbers and NaN.

    That is of torch 2.13, which saturates; up to 2.11 numbers above 464 became NaN (0x7f).
    """
    nan = np.isnan(v)
    if not nan.any():
        return E4M3.encode(v)
    return np.where(nan, E4M3_NAN, E4M3.encode(np.where(nan, np.float32(0), v)))


def e4m3_values(codes: Codes) -> Floats:
    """The values of E4M3 scale codes; NaN codes give NaN."""
    return np.where(codes == E4M3_NAN, np.float32(np.nan), E4M3.decode(codes & np.uint8(0x7F)))


def e8m0_values(codes: Codes) -> Floats:
    """The values of E8M0 codes other than NaN; 2^-127 is a subnormal float32."""
    return np.ldexp(np.float32(1), codes.astype(np.int32) - 127)
