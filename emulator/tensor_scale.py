"""The scale of a whole tensor: from its amax, or given from outside (spec §14)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from emulator.formats import FP32, Format
from emulator.pieces import LARGE, pieces, run
from emulator.recipes import Recipe
from emulator.scaled_tables import number

SMALLEST = 2.0**-126
"""The smallest tensor scale: float32's smallest normal number."""

_BITS = {"h": 24, "h256": 24, "hbf16": 8, "hp2": 1}
"""Significand bits of each kind of tensor scale."""


def tensor_amax(bits: np.ndarray[Any, Any], fmt: Format, threads: int) -> tuple[int, int]:
    """Return ``(c, q)`` of the largest finite magnitude of an array of patterns (spec §14.1)."""
    from emulator.selection_kernels import finite_amax_kernel

    assert fmt.inf_code is not None
    halves = fmt is not FP32
    kernel, infinity = finite_amax_kernel(halves), fmt.inf_code
    found: list[int] = []

    def one(index: tuple[slice, ...]) -> None:
        part = np.ascontiguousarray(bits[index]).reshape(-1)
        found.append(kernel(part.view(np.int16 if halves else np.int32), infinity))

    limit = LARGE if bits.flags.c_contiguous else LARGE // 4
    run(one, list(pieces(bits.shape, bits.strides, 1, limit)), threads)
    return fmt.parts(max(found))[1:]


def scale_of(amax: tuple[int, int], recipe: Recipe) -> float:
    """Return the tensor scale for a tensor amax of ``c * 2**q`` (spec §14.1 to §14.5)."""
    c, q = amax
    if c == 0:
        return 1.0
    _, cs, qs = recipe.scale.parts(recipe.scale.max_code)
    if recipe.tensor_scale == "h256":
        cs, qs = 1, 8
    divisor, q = 6 * cs, q - qs
    assert recipe.tensor_scale is not None
    bits = _BITS[recipe.tensor_scale]
    # The quotient has at least `bits` bits before the point once c is shifted up this far.
    up = max(0, divisor.bit_length() + bits - c.bit_length() + 1)
    whole, rest = divmod(c << up, divisor)
    exponent = whole.bit_length() - bits
    if recipe.tensor_scale == "hp2":
        power = whole.bit_length() - 1
        power += rest > 0 or whole != 1 << power
        return math.ldexp(1.0, max(-126, power + q - up))
    lost = whole & ((1 << exponent) - 1)
    kept = whole >> exponent
    half = 1 << exponent - 1
    kept += lost > half or (lost == half and (rest > 0 or kept & 1))
    return max(SMALLEST, math.ldexp(kept, exponent + q - up))


def given_scale(value: object, recipe: Recipe) -> float:
    """Check a tensor scale that the caller gives (spec §14.6).

    Raises:
        TypeError: if it is no number.
        ValueError: if the recipe has no tensor scale, or its kind cannot express the value.
    """
    if recipe.tensor_scale is None:
        raise ValueError(f"tensor_scale={value}: {recipe.name} has no tensor scale")
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"tensor_scale is {value!r}, not a number")
    g = float(value)
    if not SMALLEST <= g <= float(FP32.max):
        raise ValueError(f"tensor_scale={value} is not a normal float32 above 0 (spec §14.6)")
    if g != value or number(g)[0].bit_length() > _BITS[recipe.tensor_scale]:
        kinds = {24: "a float32", 8: "a bfloat16", 1: "a power of two"}
        kind = kinds[_BITS[recipe.tensor_scale]]
        raise ValueError(f"tensor_scale={value} is not {kind}, as {recipe.name} needs (spec §14.6)")
    return g
