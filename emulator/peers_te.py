"""NVFP4 as Transformer Engine's reference quantizer computes it, plain and with 4over6.

A model of a foreign program in its own float32 arithmetic, no part of the specification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.peers_codes import (
    F32_MAX,
    Codes,
    Floats,
    e2m1_decode,
    e2m1_magnitudes,
    e4m3_cast,
    e4m3_values,
    with_sign,
)
from emulator.peers_nvfp4 import E4M3_MAX, ONE, SIX, Constants, block_amax


def _codes(y: Floats) -> Codes:
    """E2M1 codes; the sign is that of a comparison with zero, so -0 loses it."""
    return with_sign(e2m1_magnitudes(np.abs(y)), y < 0)


@dataclass(frozen=True)
class TransformerEngine:
    """NVFP4QuantizerRef, one scale per 16 elements of a row.

    Args:
        e4m3_max: what the tensor's largest block scale is mapped to, 448 or 256.
        error: "mae" or "mse" for 4over6 by the sum of absolute or squared errors, or None for
            the plain quantizer.
    """

    e4m3_max: int = 448
    error: str | None = None

    def constants(self, amax: np.float32) -> Constants:
        """The tensor's largest magnitude, which is stored."""
        return {"amax": amax}

    def _limit(self) -> np.float32:
        return np.float32(6 * self.e4m3_max)

    def quantize(self, x: Floats, constants: Constants) -> tuple[Codes, Codes]:
        """Element and scale codes of blocks."""
        encode = self.multiplier(constants["amax"])
        if self.error is None:
            return self.quantize_by(x, encode)
        base = (block_amax(x) / SIX) * encode
        codes6, scales6 = self._with_scale(x, base, encode)
        codes4, scales4 = self._with_scale(x, base * np.float32(1.5), encode)
        take4 = self._error(x, codes4, scales4, constants) < self._error(
            x, codes6, scales6, constants
        )
        return np.where(take4[:, None], codes4, codes6), np.where(take4, scales4, scales6)

    def multiplier(self, amax: Floats | np.float32) -> Floats:
        """What maps a tensor of that largest magnitude to the range of scales times elements."""
        encode = np.minimum(self._limit() / amax, F32_MAX)
        return np.where(encode == 0, ONE, encode)

    def quantize_by(self, x: Floats, encode: Floats) -> tuple[Codes, Codes]:
        """Element and scale codes of blocks by their tensor's multiplier, without 4over6.

        Args:
            x: blocks.
            encode: one multiplier, or one per block, of shape (blocks, 1).
        """
        # 1/6 goes into the tensor's multiplier here, but not for 4over6.
        wanted = np.minimum(block_amax(x) * (encode * (ONE / SIX)), F32_MAX)
        return self._with_scale(x, wanted, encode)

    def _with_scale(self, x: Floats, wanted: Floats, encode: Floats) -> tuple[Codes, Codes]:
        scales = e4m3_cast(np.minimum(wanted, E4M3_MAX))
        # Scale 0 gives an infinite factor, held at the largest float32.
        factor = np.minimum(ONE / (e4m3_values(scales) * (ONE / encode)), F32_MAX)
        return _codes(np.clip(x * factor, -SIX, SIX)), scales[:, 0]

    def _error(self, x: Floats, codes: Codes, scales: Codes, constants: Constants) -> Floats:
        difference = self.decode(codes, scales, constants) - x
        terms = np.abs(difference) if self.error == "mae" else difference * difference
        total = np.zeros(len(x), np.float32)
        for lane in range(x.shape[1]):
            total = total + terms[:, lane]
        return total

    def decode(self, codes: Codes, scales: Codes, constants: Constants) -> Floats:
        """Dequantized blocks: ((q * s) * amax) / (6 * e4m3_max), as 4over6 sees them."""
        value = e2m1_decode(codes) * e4m3_values(scales)[:, None]
        return (value * constants["amax"]) / self._limit()
