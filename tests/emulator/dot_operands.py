"""Operands that reach the corners of spec §16, and the comparison of kernels with the reference."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from emulator import reference_dot
from emulator.accumulation import accumulation
from emulator.dot import dot
from emulator.errors import MismatchError
from emulator.formats import Format
from emulator.recipes import Recipe, recipe
from emulator.tensor import Quantized

STYLES = ("any", "near", "small", "large", "ties", "subnormal", "sparse", "nan")


def scale_codes(fmt: Format, style: str, shape: tuple[int, ...], rng: Any) -> Any:
    """Random scale codes of a style; only "nan" holds NaN."""
    top = fmt.max_code
    middle = top // 2
    low, high = {
        "near": (middle - 12, middle + 12),
        "small": (0, 9),
        "large": (top - 9, top),
        # e8m0: exponents whose sums lie around -149, where float32 ends
        "subnormal": (40, 70) if not fmt.has_zero else (0, 16),
    }.get(style, (0, top))
    codes: Any = rng.integers(low, high + 1, shape)
    if style == "ties":  # powers of two that are 2**12 apart or less
        step = 1 << fmt.fraction_bits
        start = (fmt.bias - 6) << fmt.fraction_bits
        codes = start + step * rng.choice([0, 0, 1, 11, 12, 12], shape)
    if style == "sparse":
        codes = np.where(rng.integers(0, 3, shape) == 0, rng.integers(0, 2, shape), codes)
    if style == "nan":
        codes = np.where(rng.integers(0, 20, shape) == 0, fmt.nan_code, codes)
    return codes.astype(np.uint8)


def operand(
    r: Recipe, rows: int, length: int, style: str, rng: Any, tensor_scale: Any = None
) -> Quantized:
    """A random operand (rows, length) with blocks along axis 1."""
    codes: Any = rng.integers(0, 16, (rows, length))
    if style == "ties":
        codes = rng.choice([0, 0, 0, 0, 1, 2, 9, 10], (rows, length))
    if style == "sparse":
        codes = np.where(rng.integers(0, 8, (rows, length)) == 0, codes, codes & 8)
    scales = scale_codes(r.scale, style, (rows, -(-length // r.block_size)), rng)
    return Quantized(codes.astype(np.uint8), scales, r, 1, tensor_scale)


def cancelling(a: Quantized, b: Quantized, rng: Any) -> tuple[Quantized, Quantized]:
    """Operands whose second half nearly undoes the first: copied, with the sign of b turned."""
    n = a.recipe.block_size
    half = a.scales.shape[1] // 2
    order = rng.permutation(half)
    at = (order[:, None] * n + np.arange(n)).reshape(-1)
    a_codes, b_codes = (q.codes[:, : half * n] for q in (a, b))
    a_scales, b_scales = (q.scales[:, :half] for q in (a, b))
    return (
        Quantized(
            np.hstack([a_codes, a_codes[:, at], a.codes[:, half * n :]]),
            np.hstack([a_scales, a_scales[:, order], a.scales[:, half:]]),
            a.recipe,
            1,
        ),
        Quantized(
            np.hstack([b_codes, b_codes[:, at] ^ np.uint8(8), b.codes[:, half * n :]]),
            np.hstack([b_scales, b_scales[:, order], b.scales[:, half:]]),
            b.recipe,
            1,
        ),
    )


def blocks(q: Quantized, row: int) -> list[reference_dot.Block]:
    """A row of a matrix with blocks along axis 1, as the reference takes it."""
    n = q.recipe.block_size
    codes, scales = q.codes[row].tolist(), q.scales[row].tolist()
    return [(s, codes[j * n : (j + 1) * n]) for j, s in enumerate(scales)]


def by_reference(a: Quantized, i: int, b: Quantized, j: int, name: str) -> int:
    """Float32 pattern of row i of a with row j of b, by the reference."""
    scales = [q.tensor_scale for q in (a, b) if q.tensor_scale is not None]
    return reference_dot.dot(
        blocks(a, i),
        blocks(b, j),
        a.recipe.block_format,
        b.recipe.block_format,
        accumulation(name),
        [int(np.float32(g).view(np.uint32)) for g in scales],
    )


def compare(a: Quantized, b: Quantized, name: str) -> int:
    """Compare `dot` with the reference, row by row; return the number of rows.

    Raises:
        MismatchError: with the first row that differs.
    """
    got = dot(a, b, name).view(np.uint32).tolist()
    for row, bits in enumerate(got):
        spec = by_reference(a, row, b, row, name)
        if bits != spec:
            raise MismatchError(
                f"dot {a.recipe.name},{b.recipe.name} {name} {blocks(a, row)} * {blocks(b, row)}: "
                f"{bits:08x}, by the reference {spec:08x}"
            )
    return len(got)


def random_dots(name_a: str, name_b: str, name: str, rows: int, seed: int) -> int:
    """Compare random dot products of every style, ``rows`` of each; return their number."""
    rng = np.random.Generator(np.random.PCG64(seed))
    a_recipe, b_recipe = recipe(name_a), recipe(name_b)
    compared = 0
    for style in STYLES:
        length = int(rng.integers(1, 6 * a_recipe.block_size + 1))
        a = operand(a_recipe, rows, length, style, rng)
        b = operand(b_recipe, rows, length, style, rng)
        compared += compare(a, b, name)
        if length > 2 * a_recipe.block_size:
            compared += compare(*cancelling(a, b, rng), name)
    return compared


def is_tie(x: Fraction) -> bool:
    """Whether a normal float32 result is half-way: the odd part of x has exactly 25 bits."""
    n = abs(x.numerator)
    return n > 0 and (n // (n & -n)).bit_length() == 25
