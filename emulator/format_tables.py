"""What encoding and decoding need to know of a format, made from `Format` data with integers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from emulator.errors import NotAvailableError
from emulator.formats import Format
from emulator.tables import INF, first_pattern


def float32_patterns(codes: npt.NDArray[np.uint32], fmt: Format) -> npt.NDArray[np.uint32]:
    """Return the float32 patterns of codes of any format (spec §2.1), bits above ignored (§2.6).

    A NaN code gives 7fc00000 and keeps the sign of a signed format (spec §3.5 turned round).

    Raises:
        NotAvailableError: if float32 does not hold all values of the format.
    """
    _, c, q = fmt.parts(fmt.max_code)
    if fmt.min_quantum < -149 or q + c.bit_length() > 128:
        raise NotAvailableError(f"float32 does not hold all values of {fmt.name}")
    magnitude = codes.astype(np.int64) & fmt.magnitude_mask
    field = magnitude >> fmt.fraction_bits
    c = magnitude & ((1 << fmt.fraction_bits) - 1)
    q = np.maximum(field, int(fmt.has_zero)) - fmt.bias - fmt.fraction_bits
    if fmt.has_zero:
        c |= np.where(field > 0, 1 << fmt.fraction_bits, 0)
    else:
        c |= 1 << fmt.fraction_bits
    length = np.searchsorted(1 << np.arange(25, dtype=np.int64), c, side="right")
    k = np.maximum(q + length - 24, -149)
    # k <= q, because c has at most 24 bits and no value lies below 2**-149.
    patterns = np.where(c > 0, ((k + 149) << 23) + (c << np.clip(q - k, 0, 24)), 0)
    patterns[magnitude > fmt.max_code] = 0x7FC00000
    if fmt.inf_code is not None:
        patterns[magnitude == fmt.inf_code] = INF
    if fmt.signed:
        patterns |= np.where(codes & np.uint32(fmt.sign_mask), 1 << 31, 0)
    return patterns.astype(np.uint32)


@lru_cache(maxsize=64)
def decode_table(fmt: Format) -> npt.NDArray[np.uint32]:
    """Return `float32_patterns` of all codes of a format of at most 16 bits."""
    return float32_patterns(np.arange(1 << fmt.width, dtype=np.uint32), fmt)


@dataclass(frozen=True)
class EncodeRule:
    """What the encoding kernel needs to know of a format; patterns are float32 magnitudes.

    Attributes:
        fraction_bits: fraction bits of the format.
        min_quantum: exponent of the smallest spacing.
        hidden: ``2**fraction_bits`` to subtract where exponent field 0 is a normal binade.
        under: first pattern that is not below the smallest value of a format without zero.
        over: first pattern that gives ``over_code``.
        over_code: the largest finite code or that of infinity.
        nan_code: magnitude code of NaN, 0 if there is none.
        sign_mask: sign bit of the code, 0 if unsigned.
        nan_sign: sign bit of a NaN code, 0 if unsigned or without NaN (spec §3.4).
        normalize: whether subnormal inputs can give a code other than by the smallest quantum.
    """

    fraction_bits: int
    min_quantum: int
    hidden: int
    under: int
    over: int
    over_code: int
    nan_code: int
    sign_mask: int
    nan_sign: int
    normalize: bool


@lru_cache(maxsize=64)
def encode_rule(fmt: Format, ieee: bool) -> EncodeRule:
    """Return the parameters of spec §3.1 to §3.7 for a format.

    Raises:
        ValueError: if IEEE overflow is asked of a format without infinity (spec §3.3).
    """
    _, c, q = fmt.parts(fmt.max_code)
    if ieee:
        if fmt.inf_code is None:
            raise ValueError(f"overflow='ieee': {fmt.name} has no infinity (spec §3.3)")
        over, over_code = first_pattern(2 * c + 1, q - 1), fmt.inf_code
    else:
        over, over_code = first_pattern(c, q, beyond=True), fmt.max_code
    under = 0
    if not fmt.has_zero:
        _, c, q = fmt.parts(0)
        under = first_pattern(c, q)
    return EncodeRule(
        fmt.fraction_bits,
        fmt.min_quantum,
        0 if fmt.has_zero else 1 << fmt.fraction_bits,
        under,
        over,
        over_code,
        fmt.nan_code or 0,
        fmt.sign_mask,
        fmt.sign_mask if fmt.nan_code is not None else 0,
        normalize=fmt.min_quantum + fmt.fraction_bits < -127,
    )
