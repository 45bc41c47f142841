"""MXFP4 (E8M0 scales, blocks of 32) as torchao computes it.

A model of a foreign program in its own float32 arithmetic, no part of the specification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.peers_codes import Codes, Floats, e2m1_decode, e8m0_values
from emulator.peers_nvfp4 import SIX, Constants, block_amax, saturated


@dataclass(frozen=True)
class TorchaoMx:
    """torchao's MXFP4.

    Args:
        mode: "floor", "ceil", "even" or "rceil", after its ScaleCalculationMode.
    """

    mode: str

    def constants(self, amax: np.float32) -> Constants:
        """None: MX has no tensor scale."""
        return {}

    def quantize(self, x: Floats, constants: Constants) -> tuple[Codes, Codes]:
        """Element and scale codes of blocks."""
        amax = block_amax(x)
        if self.mode == "rceil":
            scales = _rceil(amax)
            # Byte 0 stands for blocks of zeros, which are multiplied by 1.
            factor = np.where(scales == 0, np.float32(1), e8m0_values(np.uint8(254) - scales))
            return saturated(np.clip(x * factor, -SIX, SIX)), scales[:, 0]
        pattern = amax.view(np.uint32).astype(np.int64)
        if self.mode == "even":
            pattern = pattern + (1 << 21)
        exponent = pattern >> 23
        if self.mode == "ceil":
            exponent = exponent + (pattern & 0x7FFFFF > 0)
        scales = np.maximum(exponent - 2, 0).astype(np.uint8)
        divisor = np.maximum(e8m0_values(scales), np.float32(2.0**-126))
        return saturated(x / divisor), scales[:, 0]

    def decode(self, codes: Codes, scales: Codes, constants: Constants) -> Floats:
        """Dequantized blocks: q * 2^e."""
        return e2m1_decode(codes) * e8m0_values(scales)[:, None]


def _rceil(amax: Floats) -> Codes:
    """The exponent byte by a float32 logarithm.

    The logarithm of a number just above a power of two can round to the integer, and the next
    power of two is missed then. The correctly rounded logarithm is taken.
    """
    ratio = (amax / SIX).astype(np.float64)
    logarithm = np.log2(ratio).astype(np.float32)
    return (np.clip(np.ceil(logarithm), -127, 127) + 127).astype(np.uint8)
