"""NVFP4 by the largest magnitude as torchao, compressed-tensors and ModelOpt compute it.

Float32 arithmetic of these libraries, restated step by step: every operation below is one
float32 rounding, in their order. It is a model of foreign programs and no part of the
specification, whose quotients are exact (spec §8.1, §9.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from emulator.peers_codes import (
    Codes,
    Floats,
    bfloat16,
    e2m1_decode,
    e2m1_magnitudes,
    e4m3_cast,
    e4m3_values,
    with_sign,
)

Constants = Mapping[str, np.float32]

ONE, SIX, E4M3_MAX = np.float32(1), np.float32(6), np.float32(448)


def block_amax(x: Floats) -> Floats:
    """Largest magnitude of each block, shape (blocks, 1)."""
    return np.abs(x).max(axis=-1, keepdims=True)


@dataclass(frozen=True)
class Torchao:
    """torchao's NVFP4: scales clamped to the normal numbers of E4M3, reciprocals multiplied.

    Args:
        levels: 1, or 2 with a tensor scale.
        cuda: divisions by a Python number are products with its float32 reciprocal, as on CUDA.
    """

    levels: int
    cuda: bool = False

    def _over(self, x: Floats | np.float32, divisor: float) -> Floats:
        """Divide by a Python number."""
        number = np.float32(divisor)
        return np.asarray(x * (ONE / number) if self.cuda else x / number)

    def constants(self, amax: np.float32) -> Constants:
        """The tensor scale, if there is one."""
        if self.levels == 1:
            return {}
        return {"per_tensor_scale": np.float32(self._over(amax, 2688.0))}

    def quantize(self, x: Floats, constants: Constants) -> tuple[Codes, Codes]:
        """Element and scale codes of blocks."""
        scale = self._over(block_amax(x), 6.0)
        if self.levels == 2:
            scale = scale / constants["per_tensor_scale"]
        scales = e4m3_cast(np.clip(scale, np.float32(2.0**-6), E4M3_MAX))
        decoded = e4m3_values(scales)
        if self.levels == 2:
            factor = (ONE / constants["per_tensor_scale"]) / decoded
        else:
            factor = ONE / decoded
        # A block of zeros under a tensor scale that is 0 has the scale NaN, whose bits give 0xc.
        return np.where(np.isnan(decoded), np.uint8(0xC), saturated(x * factor)), scales[:, 0]

    def decode(self, codes: Codes, scales: Codes, constants: Constants) -> Floats:
        """Dequantized blocks: q * (p * s)."""
        scale = e4m3_values(scales)[:, None]
        if self.levels == 2:
            scale = constants["per_tensor_scale"] * scale
        return e2m1_decode(codes) * scale


def saturated(y: Floats) -> Codes:
    """torchao's cast to E2M1: ties to even, the sign bit kept; NaN, of 0 * Inf, becomes 0xb."""
    codes = with_sign(e2m1_magnitudes(np.abs(y)), np.signbit(y))
    return np.where(np.isnan(y), np.uint8(0xB), codes)


@dataclass(frozen=True)
class CompressedTensors:
    """compressed-tensors' NVFP4 with minimum-maximum scales: divisions, scale 0 becomes 0.125.

    Args:
        bf16: for a bfloat16 tensor, where quotients are rounded to bfloat16 before use.
    """

    bf16: bool = False

    def _typed(self, x: Floats) -> Floats:
        return bfloat16(x) if self.bf16 else x

    def constants(self, amax: np.float32) -> Constants:
        """The encode scale: about 2688 / amax, and 1 where that overflows."""
        reciprocal = self._typed(ONE / np.maximum(amax, np.finfo(np.float32).tiny))
        g = self._typed(reciprocal * np.float32(2688))
        return {"global_scale": ONE if np.isinf(g) else np.float32(g)}

    def quantize(self, x: Floats, constants: Constants) -> tuple[Codes, Codes]:
        """Element and scale codes of blocks."""
        g = constants["global_scale"]
        scale = g * self._typed(block_amax(x) / SIX)
        scales = e4m3_cast(np.minimum(scale, E4M3_MAX))
        scales = np.where(scales == 0, np.uint8(0x20), scales)
        y = np.clip(x / (e4m3_values(scales) / g), -SIX, SIX)
        return with_sign(e2m1_magnitudes(np.abs(y)), y < 0), scales[:, 0]

    def decode(self, codes: Codes, scales: Codes, constants: Constants) -> Floats:
        """Dequantized blocks: q * (s / g)."""
        return e2m1_decode(codes) * (e4m3_values(scales)[:, None] / constants["global_scale"])


@dataclass(frozen=True)
class ModelOpt:
    """ModelOpt's NVFP4: divisions; a quotient of exactly 0 becomes 1, a scale code is never 0."""

    def constants(self, amax: np.float32) -> Constants:
        """The tensor scale."""
        return {"weights_scaling_factor_2": np.float32(amax / np.float32(2688))}

    def quantize(self, x: Floats, constants: Constants) -> tuple[Codes, Codes]:
        """Element and scale codes of blocks."""
        w2 = constants["weights_scaling_factor_2"]
        scale = block_amax(x) / (SIX * w2)
        scale = np.where(scale == 0, ONE, scale)
        scales = e4m3_cast(np.clip(scale, np.float32(2.0**-9), E4M3_MAX))
        y = x / (e4m3_values(scales) * w2)
        # The search among midpoints puts NaN, 0/0 of a tensor of zeros, behind the last.
        codes = np.where(np.isnan(y), np.uint8(7), e2m1_magnitudes(np.abs(y)))
        return with_sign(codes, y < 0), scales[:, 0]

    def decode(self, codes: Codes, scales: Codes, constants: Constants) -> Floats:
        """Dequantized blocks: q * (s * w2)."""
        w2 = constants["weights_scaling_factor_2"]
        return e2m1_decode(codes) * (e4m3_values(scales)[:, None] * w2)
