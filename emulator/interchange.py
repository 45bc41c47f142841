"""Quantized tensors as arrays of other libraries: packed codes, typed views (spec §20.1 to §20.6).

Nothing is rounded here: bytes are moved, viewed and checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from emulator.arguments import blocked_axis
from emulator.formats import Format
from emulator.recipes import Recipe
from emulator.torch_io import as_array

if TYPE_CHECKING:
    from emulator.tensor import Quantized

Bytes = npt.NDArray[np.uint8]

TYPES = {"e2m1": "float4_e2m1fn", "ue4m3": "float8_e4m3fn", "e8m0": "float8_e8m0fnu"}
"""The types of ml_dtypes and torch that have a format's codes (spec §20.5)."""


def pack(codes: Any, axis: int = -1) -> Bytes:
    """Pack 4-bit codes, two in a byte, the first of a pair in the low nibble (spec §20.1).

    Args:
        codes: uint8 or ml_dtypes' float4_e2m1fn, each at most 15; any shape but ().
        axis: the axis along which pairs run.

    Returns:
        uint8: the shape of codes with the axis moved to the end and its length n replaced by
        ceil(n / 2); the high nibble of the last byte of an odd length is 0.

    Raises:
        TypeError: for an array of another type.
        ValueError: for a byte above 15, an axis out of range or shape ().
    """
    taken = _four_bits(_bytes(codes, "codes", ("float4_e2m1fn",)))
    moved = np.moveaxis(taken, blocked_axis(axis, taken.ndim), -1)
    length = moved.shape[-1]
    packed = np.zeros((*moved.shape[:-1], -(-length // 2)), np.uint8)
    packed |= moved[..., ::2]
    packed[..., : length // 2] |= moved[..., 1::2] << np.uint8(4)
    return packed


def unpack(packed: Any, length: int | None = None, axis: int = -1) -> Bytes:
    """Return the codes that `pack` packed (spec §20.2).

    Args:
        packed: uint8 or torch's float4_e2m1fn_x2, pairs along the last axis.
        length: codes along the axis; twice the length of the last axis of ``packed`` if None.
        axis: where the axis of the codes belongs.

    Returns:
        uint8, one code in each byte.

    Raises:
        TypeError: for an array of another type.
        ValueError: for a length that does not fit, or an odd one behind which a code other than
            0 stands.
    """
    taken = _bytes(packed, "packed", ("float4_e2m1fn_x2",))
    axis = blocked_axis(axis, taken.ndim)
    both = 2 * taken.shape[-1]
    n = both if length is None else length
    if not max(0, both - 1) <= n <= both:
        raise ValueError(f"{taken.shape[-1]} bytes do not hold {n} codes (spec §20.2)")
    codes = np.empty((*taken.shape[:-1], both), np.uint8)
    codes[..., ::2] = taken & np.uint8(15)
    codes[..., 1::2] = taken >> np.uint8(4)
    if codes[..., n:].any():
        raise ValueError(f"behind an odd length of {n} a code other than 0 stands (spec §20.2)")
    return np.ascontiguousarray(np.moveaxis(codes[..., :n], -1, axis))


def packed_codes(q: Quantized) -> Bytes:
    """What `Quantized.packed` returns."""
    if q.recipe.element.width != 4:
        raise ValueError(
            f"{q.recipe.name}: codes of {q.recipe.element.name} have {q.recipe.element.width} "
            "bits, of which no two go into a byte; use .codes (spec §20.1)"
        )
    return pack(q.codes, q.axis)


def typed(array: Bytes, fmt: Format) -> npt.NDArray[Any]:
    """Return a view of codes as the ml_dtypes type of their format (spec §20.5).

    Raises:
        ValueError: if ml_dtypes has no such type.
    """
    if fmt.name not in TYPES:
        raise ValueError(
            f"ml_dtypes has no type for {fmt.name}; use the uint8 codes, and decode(codes, "
            f"{fmt.name!r}) for their values (spec §20.5)"
        )
    return array.view(getattr(ml_dtypes, TYPES[fmt.name]))


def codes_and_scales(
    codes: Any, scales: Any, recipe: Recipe
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Take codes and scales of any accepted type, as uint8 (spec §20.5, §20.6)."""
    taken = _checked(_bytes(codes, "codes", _types_of(recipe.element)), "codes", recipe.element)
    return taken, taken_scales(scales, recipe)


def taken_scales(scales: Any, recipe: Recipe) -> Bytes:
    """Take scales of any accepted type, as uint8."""
    return _checked(_bytes(scales, "scales", _types_of(recipe.scale)), "scales", recipe.scale)


def _types_of(fmt: Format) -> tuple[str, ...]:
    return (TYPES[fmt.name],) if fmt.name in TYPES else ()


def _bytes(x: Any, what: str, types: tuple[str, ...]) -> Bytes:
    array, name = as_array(x, what)
    if name not in ("uint8", *types):
        raise TypeError(f"{what} is {name}, not {' or '.join(('uint8', *types))} (spec §20.5)")
    return array.view(np.uint8)


def _four_bits(codes: Bytes) -> Bytes:
    if codes.size and codes.max() > 15:
        raise ValueError(f"a code is {codes.max():#04x}, more than 4 bits hold (spec §20.1)")
    return codes


def _checked(array: Bytes, what: str, fmt: Format) -> Bytes:
    if fmt.width < 8 and array.size and array.max() >> fmt.width:
        sign = ", and a negative scale" if what == "scales" else ""
        raise ValueError(
            f"{what} hold {array.max():#04x}, no {fmt.name} code{sign}: the bits above "
            f"{fmt.width} are written as 0 (spec §20.5)"
        )
    return array
