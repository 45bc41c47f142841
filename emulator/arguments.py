"""The arguments of the public functions: what is accepted, and the errors for the rest."""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from emulator.format_tables import decode_table
from emulator.formats import BF16, FP16, FP32, Format, format_named
from emulator.recipes import Recipe
from emulator.recipes import recipe as recipe_named

Array = npt.NDArray[Any]

INPUTS: dict[np.dtype[Any], Format] = {
    np.dtype(np.float32): FP32,
    np.dtype(ml_dtypes.bfloat16): BF16,
    np.dtype(np.float16): FP16,
}
"""The dtypes of tensors, and their formats (spec §4.1)."""

ACCEPTED = "float32, bfloat16 or float16"


@lru_cache(maxsize=1)
def _float16_patterns() -> npt.NDArray[np.uint32]:
    return decode_table(FP16)


def widen(bits: Array, fmt: Format, out: Array) -> None:
    """Write the float32 patterns of input patterns; exact, subnormals included (spec §4.2)."""
    if fmt is FP32:
        out[...] = bits
    elif fmt is BF16:
        np.left_shift(bits, np.uint32(16), out=out, dtype=np.uint32)
    else:
        np.take(_float16_patterns(), bits, out=out, mode="clip")  # never clips; but does not buffer


def bit_view(x: Array) -> Array:
    """Return the array's bit patterns, as a view."""
    return x.view(np.uint32 if x.dtype.itemsize == 4 else np.uint16)


def kind_of(value: object) -> str:
    """Return what a value is, for a message."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return f"a {type(value).__name__}"


def input_format(x: object, name: str) -> Format:
    """Return the format of an input array, or refuse it (spec §4.1)."""
    if isinstance(x, np.ma.MaskedArray) or not isinstance(x, np.ndarray) or x.dtype not in INPUTS:
        raise TypeError(f"{name} is {kind_of(x)}, not an array of {ACCEPTED} (spec §4.1)")
    return INPUTS[x.dtype]


def output_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return the dtype if it is one of the three (spec §4.1)."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype {dtype!r} is not {ACCEPTED} (spec §4.1)") from None
    if found not in INPUTS:
        raise TypeError(f"dtype {found} is not {ACCEPTED} (spec §4.1)")
    return found


def blocked_axis(axis: int, ndim: int) -> int:
    """Return the axis counted from the front (spec §5.1)."""
    if isinstance(axis, bool):
        raise TypeError(f"axis is {axis!r}, not an integer")
    try:
        number = operator.index(axis)
    except TypeError:
        raise TypeError(f"axis is {axis!r}, not an integer") from None
    if ndim == 0:
        raise ValueError("an array of shape () has no axis for blocks to run along (spec §5.1)")
    if not -ndim <= number < ndim:
        raise ValueError(f"axis {number} is not one of an array with {ndim} dimensions")
    return number % ndim


def available_recipe(recipe: Recipe | str) -> Recipe:
    """Return a recipe, or the recipe of that name, if this version can compute it."""
    if isinstance(recipe, str):
        recipe = recipe_named(recipe)
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe is a {type(recipe).__name__}, not a Recipe or its name")
    return recipe.require_available()


def given_seed(seed: object, recipe: Recipe) -> int | None:
    """Return the seed of a recipe with stochastic rounding, or None for others (spec §19.7).

    Raises:
        TypeError: if it is no integer.
        ValueError: if it is missing, out of its range, or without use.
    """
    if recipe.sr_bits is None:
        if seed is not None:
            raise ValueError(f"seed={seed}: {recipe.name} rounds nothing at random (spec §19.7)")
        return None
    if seed is None:
        raise ValueError(f"{recipe.name} rounds at random and needs a seed (spec §19.7)")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed is {seed!r}, not an integer (spec §19.7)")
    if not 0 <= seed < 1 << 128:
        raise ValueError(f"seed={seed} is not from 0 to 2^128 - 1 (spec §19.7)")
    return int(seed)


def known_format(fmt: Format | str) -> Format:
    """Return a format, or the format of that name."""
    if isinstance(fmt, str):
        return format_named(fmt)
    if not isinstance(fmt, Format):
        raise TypeError(f"fmt is a {type(fmt).__name__}, not a Format or its name")
    return fmt


def check_out(
    out: object, shape: tuple[int, ...], dtype: np.dtype[Any], sources: tuple[Array, ...]
) -> None:
    """Refuse an output array that does not fit, cannot be written or overlaps an input."""
    if not isinstance(out, np.ndarray) or out.dtype != dtype:
        raise TypeError(f"out is {kind_of(out)}, not an array of {dtype}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, not {shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
    if any(np.may_share_memory(out, source) for source in sources):
        raise ValueError("out shares memory with another array of the call")
