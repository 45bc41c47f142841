"""Tensors on which peers are compared: seven kinds of data, and whole tensors at the edges."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]

COLUMNS = 256
KINDS = ("normal", "bf16", "rows", "small", "quarters", "zeros", "ties")
EDGES = (
    *("all-zero", "tiny", "subnormal", "huge", "powers", "blocks"),
    *("boundaries", "exact-boundaries"),
)

_MIDPOINTS = np.array([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 6], np.float32)


def bf16(x: Floats) -> Floats:
    """Round to bfloat16 values."""
    return x.astype(ml_dtypes.bfloat16).astype(np.float32)


def tensor(kind: str, elements: int, seed: int = 0) -> Floats:
    """A float32 tensor of rows of 256 numbers; the same for the same arguments."""
    rows = elements // COLUMNS
    names = (*KINDS, *EDGES)
    rng = np.random.Generator(np.random.PCG64([seed, names.index(kind)]))
    x = rng.standard_normal((rows, COLUMNS), np.float32)
    if kind == "bf16":
        return bf16(x)
    if kind == "rows":
        return x * np.exp2(rng.uniform(-40, 10, (rows, 1))).astype(np.float32)
    if kind == "small":
        return x * np.float32(1e-4)
    if kind == "quarters":
        return np.rint(x * np.float32(8)) / np.float32(4)
    if kind == "zeros":
        x[rng.random(x.shape) < 0.5] = 0
        x[rng.random((rows, COLUMNS // 32)).repeat(32, axis=1) < 0.2] = 0
        return np.where(rng.random(x.shape) < 0.5, -x, x)
    if kind == "ties":
        return _ties(rng, rows)
    if kind == "all-zero":
        x[...] = 0
    elif kind == "tiny":  # a tensor scale below the smallest normal float32
        x *= np.float32(1e-36)
    elif kind == "subnormal":
        x = np.rint(x * np.float32(40)) * np.float32(2.0**-149)
    elif kind == "huge":
        x *= np.float32(3.3e38) / np.abs(x).max()
    elif kind == "powers":  # largest magnitudes at and just above 6 * 2^k, where logarithms err
        x = (x * np.float32(0.5)).reshape(rows, -1, 32)
        above = 1 + rng.integers(0, 64, x.shape[:2]) * 2.0**-23
        x[..., 0] = np.float32(6) * above.astype(np.float32)
        exponent = rng.integers(-100, 100, (*x.shape[:2], 1))
        # Half of them around the smallest exponents of E8M0 and of normal float32 numbers.
        low = rng.integers(-131, -122, exponent.shape)
        x = np.ldexp(x, np.where(rng.random(exponent.shape) < 0.5, exponent, low))
        x = x.reshape(rows, COLUMNS)
    elif kind == "blocks":  # block scales through all subnormal codes down to 0
        exponent = rng.uniform(-19, 0, (rows, COLUMNS // 16)).repeat(16, axis=1)
        x *= np.exp2(exponent).astype(np.float32)
        x[0, 0] = 4
    elif kind == "boundaries":  # under a tensor scale of 24 bits
        x = _boundaries(rng, rows, np.float32(5.2871))
    elif kind == "exact-boundaries":  # under a power of two, or none
        x = _boundaries(rng, rows, np.float32(2688 * 2.0**-9))
    return x


def _ties(rng: np.random.Generator, rows: int) -> Floats:
    """Midpoints between E2M1 values, times scales of 4 significant bits; some one ulp beside."""
    shape = (rows, COLUMNS // 16, 16)
    significand = rng.integers(8, 16, (*shape[:2], 1)).astype(np.float32)
    significand += np.where(rng.random(significand.shape) < 0.3, np.float32(0.5), np.float32(0))
    scale = np.ldexp(significand, rng.integers(-10, -2, significand.shape))
    x = _MIDPOINTS[rng.integers(0, len(_MIDPOINTS), shape)]
    x[..., 0] = 6
    x = (x * scale).astype(np.float32)
    step = rng.integers(-1, 2, shape) * (rng.random(shape) < 0.2)
    x = (x.view(np.int32) + step.astype(np.int32)).view(np.float32)
    x = np.where(rng.random(shape) < 0.5, -x, x).reshape(rows, COLUMNS)
    # A largest magnitude that makes the tensor scale a power of two.
    x[0, 0] = 2688 * 2.0**-6
    return x


def _boundaries(rng: np.random.Generator, rows: int, largest: np.float32) -> Floats:
    """Within 2 ulp of where scale and element codes change, if ``largest`` is the largest."""
    shape = (rows, COLUMNS // 16, 16)
    scale = rng.integers(8, 16, (*shape[:2], 1)) * np.exp2(rng.integers(-9, 4, (*shape[:2], 1)))
    middle = scale + np.exp2(np.floor(np.log2(scale)) - 4)
    x = _MIDPOINTS[rng.integers(0, len(_MIDPOINTS), shape)] * scale
    x[..., :1] = 6 * np.where(rng.random(scale.shape) < 0.5, middle, scale)
    x = (x * (np.float64(largest) / 2688)).astype(np.float32)
    x = (x.view(np.int32) + rng.integers(-2, 3, shape).astype(np.int32)).view(np.float32)
    x = np.where(rng.random(shape) < 0.5, -x, x).reshape(rows, COLUMNS)
    x[0, 0] = largest
    return np.clip(x, -largest, largest)
