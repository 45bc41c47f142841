"""NVFP4 as fouroversix' PyTorch backend computes it on a CPU: two static rules, three adaptive.

A model of a foreign program in its own float32 arithmetic, no part of the specification.
"""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np

from emulator.peers_codes import Codes, Floats, e2m1_decode, e4m3_cast, e4m3_values
from emulator.peers_nvfp4 import ONE, SIX, Constants, block_amax

_NAN_CODE = np.uint8(0xB)


@dataclass(frozen=True)
class FourOverSix:
    """fouroversix' quantizer.

    Args:
        rule: "static-6", "static-4", "mse", "mae" or "abs-max".
    """

    rule: str

    def constants(self, amax: np.float32) -> Constants:
        """The tensor's largest magnitude, which is stored."""
        return {"amax": amax}

    def _limits(self) -> tuple[np.float32, np.float32]:
        """The element value a block's largest is mapped to, and that times the scale limit."""
        if self.rule == "static-4":
            return np.float32(4), np.float32(4 * 448)
        return SIX, np.float32(6 * (448 if self.rule == "static-6" else 256))

    def quantize(self, x: Floats, constants: Constants) -> tuple[Codes, Codes]:
        """Element and scale codes of blocks."""
        amax = constants["amax"]
        limit, product = self._limits()
        encode = product / amax
        base = np.zeros((len(x), 1), np.float32)
        if amax != 0:
            base = (block_amax(x) / limit) * encode
        if self.rule.startswith("static"):
            values, scales = _with_scale(x, base, encode)
            return _pack(values), scales[:, 0]
        values6, scales6 = _with_scale(x, base, encode)
        values4, scales4 = _with_scale(x, base * np.float32(1.5), encode)
        take4 = self._error(x, values4, scales4, amax) < self._error(x, values6, scales6, amax)
        values = np.where(take4[:, None], values4, values6)
        return _pack(values), np.where(take4, scales4[:, 0], scales6[:, 0])

    def _error(self, x: Floats, values: Floats, scales: Codes, amax: np.float32) -> Floats:
        decoded = ((values * e4m3_values(scales)) * amax) / self._limits()[1]
        difference = decoded - x
        if self.rule == "abs-max":
            return np.abs(difference).max(axis=-1)
        return _sum(np.abs(difference) if self.rule == "mae" else difference * difference)

    def decode(self, codes: Codes, scales: Codes, constants: Constants) -> Floats:
        """Dequantized blocks: ((q * s) * amax) / (6 * 448, 4 * 448 or 6 * 256)."""
        value = e2m1_decode(codes) * e4m3_values(scales)[:, None]
        return (value * constants["amax"]) / self._limits()[1]


def _with_scale(x: Floats, base: Floats, encode: np.float32) -> tuple[Floats, Codes]:
    """Element values, not clamped, and scale codes of shape (blocks, 1)."""
    scales = e4m3_cast(base)
    factor = ONE / ((ONE / encode) * e4m3_values(scales))
    y = np.where(scales == 0, np.float32(0), x * factor)
    m = np.abs(y)
    two = np.float32(2)
    fine, middle, coarse = np.rint(two * m) / two, np.rint(m), two * np.rint(m / two)
    rounded = np.where(m < 2, fine, np.where(m < 4, middle, coarse))
    # An infinite number is multiplied by the masks of the other branches, 0, and is lost.
    rounded = np.where(np.isinf(m), np.float32(np.nan), rounded)
    return np.sign(y) * rounded, scales


def _sum(terms: Floats) -> Floats:
    """Sum of 16 terms in the order of torch on a CPU: two vectors of 8, then lane by lane."""
    lanes = terms[:, :8] + terms[:, 8:]
    total = lanes[:, 0]
    for lane in range(1, 8):
        total = total + lanes[:, lane]
    return total


def _pack(values: Floats) -> Codes:
    """Codes as the packer leaves them in the nibbles of a byte.

    It takes the bits of bfloat16 apart: 8 becomes code 8, larger values spill into the
    neighbour's nibble.
    """
    bits = values.astype(ml_dtypes.bfloat16).view(np.uint16)
    sign, exponent, top = bits >> 15, (bits >> 7) & 0xFF, (bits >> 6) & 1
    half = (exponent == 126) & (bits & 0x7F == 0)
    zero = bits & 0x7FFF == 0
    code = (sign << 3) | ((exponent - 126) << 1) | np.where(half, 1, top).astype(np.uint16)
    code = np.where(zero, sign << 3, code).astype(np.uint8)
    code = np.where(np.isnan(values), _NAN_CODE, code)
    byte = (code[:, 1::2] << np.uint8(4)) | code[:, 0::2]
    nibbles = np.empty_like(code)
    nibbles[:, 0::2], nibbles[:, 1::2] = byte & np.uint8(0xF), byte >> np.uint8(4)
    return nibbles
