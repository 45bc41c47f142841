"""Relative squared error of a recipe, on normal numbers and on given tensors.

    error = sum((x - y)**2) / sum(x**2)

x is what the hardware gets: the number rounded to the variant's input format. y is the exact
decode of the quantized block as float32. Blocks run along the last axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from emulator.formats import Format
from emulator.peers import Peer
from emulator.recipes import Recipe
from emulator.tensor import dequantize, quantize

_CHUNK = 1 << 20

Quantization = Recipe | Peer
"""What a quantizer computes: its own exact recipe, or the arithmetic of another library."""

_DTYPES = {"fp32": np.float32, "fp16": np.float16, "bf16": ml_dtypes.bfloat16}


@dataclass(frozen=True)
class Error:
    """Squared error and energy of one or more tensors, in float64.

    Attributes:
        error: sum of squared differences.
        energy: sum of squares of the input.
        elements: how many elements were compared.
    """

    error: float
    energy: float
    elements: int

    @property
    def relative(self) -> float:
        """Relative mean squared error; 0 where there is nothing to lose."""
        return self.error / self.energy if self.energy else 0.0

    def __add__(self, other: Error) -> Error:
        return Error(
            self.error + other.error, self.energy + other.energy, self.elements + other.elements
        )


def normal_error(
    recipe: Quantization,
    input_format: Format,
    sigma: float,
    *,
    samples: int,
    seed: int,
) -> Error:
    """Error on ``samples`` numbers from N(0, sigma), the same numbers for every recipe.

    They are tensors of 2**20 numbers each, and of what is left. Where elements are rounded at
    random, each has its own seed.
    """
    x = sigma * _normal(samples, seed)
    starts = range(0, samples, _CHUNK)
    return _sum(
        [tensor_error(recipe, input_format, x[i : i + _CHUNK], seed=i // _CHUNK) for i in starts]
    )


def tensor_error(
    recipe: Quantization, input_format: Format, x: npt.NDArray[Any], *, seed: int = 0
) -> Error:
    """Error on one array (its last axis in blocks) of floating-point numbers.

    Args:
        recipe: what quantizes the array; its tensor scale, if it has one, is that of all of it.
        input_format: what the numbers are rounded to first.
        x: the array.
        seed: of recipes that round at random (spec §19.7).

    Raises:
        ValueError: if the array is empty or holds NaN or infinity once rounded to the input format.
    """
    rows = x.reshape(-1, x.shape[-1]) if x.ndim > 1 else x.reshape(1, -1)
    if x.size == 0:
        raise ValueError(f"array of shape {x.shape} has no element to measure")
    with np.errstate(over="ignore"):
        given = rows.astype(_DTYPES[input_format.name])
    if not all(np.isfinite(part).all() for part in _split_rows(given)):
        raise ValueError(f"NaN, infinity or a number beyond {input_format.name} has no error")
    if isinstance(recipe, Peer):
        decoded = recipe.quantize(given).dequantize()
    else:
        random = None if recipe.sr_bits is None else seed
        decoded = dequantize(quantize(given, recipe, seed=random, threads=1), threads=1)
    parts = zip(_split_rows(given), _split_rows(decoded), strict=True)
    return _sum([_difference(exact, other) for exact, other in parts])


def _sum(parts: Sequence[Error]) -> Error:
    """All parts together, each sum rounded once."""
    return Error(
        math.fsum(p.error for p in parts),
        math.fsum(p.energy for p in parts),
        sum(p.elements for p in parts),
    )


def _split_rows(rows: npt.NDArray[Any]) -> Sequence[npt.NDArray[Any]]:
    """Pieces of about `_CHUNK` elements that never cut a block (256 is the largest)."""
    if len(rows) == 1:
        return [rows[:, i : i + _CHUNK] for i in range(0, rows.shape[1], _CHUNK)]
    step = max(1, _CHUNK // rows.shape[1])
    return [rows[i : i + step] for i in range(0, len(rows), step)]


def _difference(given: npt.NDArray[Any], decoded: npt.NDArray[Any]) -> Error:
    exact, other = given.astype(np.float64), decoded.astype(np.float64)
    return Error(
        float(np.sum(np.square(exact - other))), float(np.sum(np.square(exact))), exact.size
    )


@lru_cache(maxsize=1)
def _normal(samples: int, seed: int) -> npt.NDArray[np.float64]:
    """Standard normal numbers by Box and Muller's transform of raw PCG64 bits.

    NumPy may change its own normal generator between releases; raw bits stay.
    """
    if samples < 2 or samples % 2:
        raise ValueError(f"{samples} samples are not an even number above 0")
    raw = np.random.PCG64(seed).random_raw(samples)
    uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log(uniform[: samples // 2]))
    angle = 2.0 * np.pi * uniform[samples // 2 :]
    return np.concatenate((radius * np.cos(angle), radius * np.sin(angle)))
