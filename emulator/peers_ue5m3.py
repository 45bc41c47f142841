"""Blocks with UE5M3 scales and no tensor scale, as three others compute them.

Models of foreign programs in their own float32 arithmetic, no part of the specification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.peers_codes import (
    UE5M3,
    UE5M3_IEEE,
    Codes,
    Floats,
    Minifloat,
    Ties,
    e2m1_decode,
    e2m1_magnitudes,
    with_sign,
)
from emulator.peers_nvfp4 import ONE, SIX, Constants, block_amax


@dataclass(frozen=True)
class Ue5m3:
    """Scale and elements by float32 division, or by the reciprocal of 6.

    Args:
        scale: which UE5M3.
        ties: rounding of scale and elements.
        reciprocal: multiply by the rounded 1/6 instead of dividing by 6.
        zero_scale: magnitude code of nonzero elements in a block of scale 0.
        signed_zero: whether an element that rounds to zero keeps the sign of a number below 0.
    """

    scale: Minifloat
    ties: Ties
    reciprocal: bool = False
    zero_scale: int = 0
    signed_zero: bool = True

    def constants(self, amax: np.float32) -> Constants:
        """None."""
        return {}

    def quantize(self, x: Floats, constants: Constants) -> tuple[Codes, Codes]:
        """Element and scale codes of blocks."""
        amax = block_amax(x)
        wanted = amax * (ONE / SIX) if self.reciprocal else amax / SIX
        scales = self.scale.encode(wanted, self.ties)
        y = x / self.scale.decode(scales)
        codes = e2m1_magnitudes(np.abs(y), self.ties)
        unscaled = np.where(x != 0, np.uint8(self.zero_scale), np.uint8(0))
        codes = np.where(scales == 0, unscaled, codes)
        negative = y < 0
        if self.zero_scale == 0:
            negative &= scales != 0
        if not self.signed_zero:
            negative &= codes != 0
        return with_sign(codes, negative), scales[:, 0]

    def decode(self, codes: Codes, scales: Codes, constants: Constants) -> Floats:
        """Dequantized blocks: q * s; exact."""
        return e2m1_decode(codes) * self.scale.decode(scales)[:, None]


AUTOROUND = Ue5m3(UE5M3, "even", reciprocal=True)
FASOLI = Ue5m3(UE5M3_IEEE, "away", zero_scale=7, signed_zero=False)
SCHAEFER = Ue5m3(UE5M3, "down")
