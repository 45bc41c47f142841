"""Arrays in and out: shapes, axes, padding, memory and threads; the public functions.

No rounding happens here: `emulator.tables` and `emulator.kernels` decide every bit. Numba is
imported by the first call that computes something.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import interchange, swizzle, tables, torch_io
from emulator.arguments import (
    INPUTS,
    Array,
    available_recipe,
    bit_view,
    blocked_axis,
    check_out,
    given_seed,
    input_format,
    kind_of,
    output_dtype,
    widen,
)
from emulator.encoding import decode as decode
from emulator.encoding import encode as encode
from emulator.formats import BF16, FP16
from emulator.pieces import flat, piece_limit, pieces, run, thread_count
from emulator.recipes import Recipe
from emulator.scaled_tables import scaled_product_table
from emulator.selection import block_function
from emulator.stochastic import round_elements
from emulator.tensor_scale import given_scale, scale_of, tensor_amax

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, repr=False)
class Quantized:
    """A quantized tensor.

    Args:
        codes: uint8, of the tensor's shape, one element code per element in the low bits.
        scales: uint8, of that shape with the blocked axis replaced by ceil(length / block size).
        recipe: the recipe that made it.
        axis: the blocked axis; a negative one counts from the end and is stored from the front.
        tensor_scale: the tensor scale of a recipe that has one, else None.

    Raises:
        TypeError: if an argument is not of its type.
        ValueError: if the shapes do not fit each other, the recipe and the axis.
    """

    codes: Codes
    scales: Codes
    recipe: Recipe
    axis: int = -1
    tensor_scale: np.float32 | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.recipe, Recipe):
            raise TypeError(f"recipe is a {type(self.recipe).__name__}, not a Recipe")
        for name, array in (("codes", self.codes), ("scales", self.scales)):
            if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
                raise TypeError(f"{name} is {kind_of(array)}, not an array of uint8")
        axis = blocked_axis(self.axis, self.codes.ndim)
        object.__setattr__(self, "axis", axis)
        if self.codes.size == 0:
            raise ValueError(f"codes of shape {self.codes.shape} have no element")
        expected = scales_shape(self.codes.shape, axis, self.recipe.block_size)
        if self.scales.shape != expected:
            raise ValueError(
                f"scales have shape {self.scales.shape}, not {expected}: codes of shape "
                f"{self.codes.shape} in blocks of {self.recipe.block_size} along axis {axis}"
            )
        if (self.tensor_scale is None) != (self.recipe.tensor_scale is None):
            raise ValueError(
                f"tensor_scale is {self.tensor_scale!r}, but {self.recipe.name} has "
                f"{'none' if self.recipe.tensor_scale is None else 'one'}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.codes.shape

    def __repr__(self) -> str:
        return f"Quantized({self.recipe.name}, shape={self.shape}, axis={self.axis})"

    def packed(self) -> Codes:
        """Codes, two in a byte, the first of a pair in the low nibble (spec §20.1).

        Returns:
            uint8, of the tensor's shape with the blocked axis moved to the end and its length n
            replaced by ceil(n / 2).

        Raises:
            ValueError: if the element codes do not have 4 bits.
        """
        return interchange.packed_codes(self)

    def swizzled_scales(self) -> Codes:
        """Scales of a matrix as block-scaled GPU matrix multipliers read them (spec §20.3).

        Returns:
            uint8, of shape (512 * ceil(rows / 128) * ceil(blocks in a row / 4),), where a row
            runs along the blocked axis.

        Raises:
            ValueError: if the tensor has not two dimensions.
        """
        return swizzle.swizzled_scales(self)

    def to_ml_dtypes(self) -> tuple[Array, Array]:
        """Codes and scales as views of the types of ml_dtypes (spec §20.5).

        Raises:
            ValueError: if ml_dtypes has no such type, as for UE5M3.
        """
        return (
            interchange.typed(self.codes, self.recipe.element),
            interchange.typed(self.scales, self.recipe.scale),
        )

    def to_torch(self, *, raw: bool = False) -> torch_io.TorchTensors:
        """Codes, packed codes, scales and tensor scale as torch tensors (spec §20.5).

        Args:
            raw: give packed codes and scales as uint8, not as float4_e2m1fn_x2, float8_e4m3fn or
                float8_e8m0fnu.

        Raises:
            ToolError: if torch cannot be imported.
            ValueError: if torch has no such type, as for UE5M3.
        """
        return torch_io.to_torch(self, raw)

    @classmethod
    def from_arrays(
        cls,
        codes: Any,
        scales: Any,
        recipe: Recipe | str,
        *,
        axis: int = -1,
        tensor_scale: float | np.floating[Any] | None = None,
    ) -> Quantized:
        """Take codes and scales of uint8 or of the types of ml_dtypes or torch (spec §20.5, §20.6).

        Args:
            codes: one element code per element.
            scales: one per block, as `Quantized` has them.
            recipe: a `Recipe`, or its name.
            axis: the blocked axis.
            tensor_scale: that of a recipe that has one; a float32.

        Raises:
            TypeError: for an array of another type, or not on the CPU.
            ValueError: if the shapes do not fit, or a byte is no code.
        """
        recipe = available_recipe(recipe)
        g = None if tensor_scale is None else np.float32(given_scale(tensor_scale, recipe))
        return cls(*interchange.codes_and_scales(codes, scales, recipe), recipe, axis, g)

    @classmethod
    def from_packed(
        cls,
        packed: Any,
        scales: Any,
        recipe: Recipe | str,
        *,
        axis: int = -1,
        length: int | None = None,
        tensor_scale: float | np.floating[Any] | None = None,
    ) -> Quantized:
        """Take packed codes, of uint8 or torch's float4_e2m1fn_x2 (spec §20.2).

        Args:
            packed: what `packed` returned.
            scales: one per block, as `Quantized` has them (the blocked axis in its place).
            recipe: a `Recipe`, or its name.
            axis: the blocked axis.
            length: elements along it; twice the bytes if None.
            tensor_scale: that of a recipe that has one; a float32.

        Raises:
            TypeError: for an array of another type, or not on the CPU.
            ValueError: if the shapes do not fit, or a byte is no code.
        """
        codes = interchange.unpack(packed, length, axis)
        return cls.from_arrays(codes, scales, recipe, axis=axis, tensor_scale=tensor_scale)


def scales_shape(shape: tuple[int, ...], axis: int, block_size: int) -> tuple[int, ...]:
    """Return the shape with the length n of the axis replaced by ceil(n / block_size)."""
    return (*shape[:axis], -(-shape[axis] // block_size), *shape[axis + 1 :])


def quantize(
    x: Array,
    recipe: Recipe | str,
    *,
    axis: int = -1,
    tensor_scale: float | np.floating[Any] | None = None,
    seed: int | None = None,
    threads: int | None = None,
    out: Quantized | None = None,
) -> Quantized:
    """Quantize a tensor in blocks along one axis (spec §5 to §9, §14, §15, §18, §19).

    Args:
        x: float32, bfloat16 (of ml_dtypes) or float16; any shape but (), any memory layout; an
            array of NumPy or of another library by DLPack (spec §20.6).
        recipe: a `Recipe`, or its name.
        axis: the axis along which blocks run; negative ones count from the end.
        tensor_scale: for recipes with a tensor scale: the one to use (spec §14.6) instead of that
            of x (spec §14.1), for which x is read twice.
        seed: for recipes with stochastic rounding, and for these only: an integer from 0 to
            2**128 - 1; the same seed gives the same codes (spec §19.7).
        threads: number of threads; None means one per core. The bits do not depend on it.
        out: a result of the same recipe, shape and axis to be overwritten and returned; its
            arrays may have any memory layout, and its tensor scale is replaced too. Else arrays
            in the memory order of x are made.

    Returns:
        Codes (uint8, shape of x), scales (uint8), recipe, axis and tensor scale. The scratch
        space beside input and output stays below 2 MiB per thread.

    Raises:
        TypeError: if x is no array of these types (spec §4.1), out no Quantized, the tensor
            scale no number, or the seed no integer.
        ValueError: if x is empty, the axis or threads out of range, or out, the tensor scale or
            the seed does not fit.
        NotAvailableError: if this version cannot compute the recipe.
    """
    chosen = available_recipe(recipe)
    x, _ = torch_io.as_array(x, "x")
    fmt = input_format(x, "x")
    x = np.asarray(x)
    axis = blocked_axis(axis, x.ndim)
    if x.size == 0:
        raise ValueError(f"x of shape {x.shape} is empty: there is nothing to quantize")
    g = None if tensor_scale is None else given_scale(tensor_scale, chosen)
    seed = given_seed(seed, chosen)
    threads = thread_count(threads)
    if out is not None:
        _check_out_quantized(out, x, chosen, axis)
    if g is None and chosen.tensor_scale is not None:
        g = scale_of(tensor_amax(bit_view(x), fmt, threads), chosen)
    stored = None if g is None else np.float32(g)
    if out is None:
        scales = scales_shape(x.shape, axis, chosen.block_size)
        out = Quantized(
            np.empty_like(x, np.uint8),
            np.empty_like(x, np.uint8, shape=scales),
            chosen,
            axis,
            stored,
        )
    block = chosen.block_size
    halves = fmt is BF16
    kernel = block_function(chosen, 1.0 if g is None else g, halves)
    signed, word = (np.int16, np.uint16) if halves else (np.int32, np.uint32)

    def work(x: Array, codes: Array, scales: Array) -> None:
        length, padded = x.shape[-1], (*x.shape[:-1], scales.shape[-1] * block)
        flat_x = None if fmt is FP16 else flat(x)
        flat_codes, flat_scales = flat(codes), flat(scales)
        if length != padded[-1]:  # spec §5.2
            flat_x = flat_codes = None
        if flat_x is None:
            scratch = np.empty(padded, word)
            scratch[..., length:] = 0
            if fmt is FP16:
                widen(x, fmt, scratch[..., :length])
            else:
                scratch[..., :length] = x
            flat_x = scratch.reshape(-1)
        in_codes = np.empty(flat_x.size, np.uint8) if flat_codes is None else flat_codes
        in_scales = np.empty(scales.size, np.uint8) if flat_scales is None else flat_scales
        kernel(flat_x.view(signed), in_codes, in_scales)
        if flat_codes is None:
            codes[...] = in_codes.reshape(padded)[..., :length]
        if flat_scales is None:
            scales[...] = in_scales.reshape(scales.shape)

    in_place = fmt is not FP16
    _over_blocks(work, (bit_view(x), out.codes), out.scales, axis, block, in_place, threads)
    if seed is not None:
        g = 1.0 if g is None else g
        round_elements(x, fmt, out.codes, out.scales, chosen, axis, g, seed, threads)
    object.__setattr__(out, "tensor_scale", stored)  # overwritten like the arrays
    return out


def dequantize(
    q: Quantized,
    dtype: npt.DTypeLike = np.float32,
    threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Decode a quantized tensor; one rounding of the exact product (spec §10).

    Args:
        q: what `quantize` returned.
        dtype: float32, bfloat16 or float16.
        threads: number of threads; None means one per core.
        out: array of that dtype and of q's shape to be overwritten and returned.

    Returns:
        An array of ``dtype`` and of q's shape.

    Raises:
        TypeError: if q is no Quantized or the dtype not one of the three.
        ValueError: if out or threads do not fit.
        NotAvailableError: if this version cannot decode the recipe.
    """
    if not isinstance(q, Quantized):
        raise TypeError(f"q is {kind_of(q)}, not a Quantized")
    q.recipe.require_available()
    dtype = output_dtype(dtype)
    threads = thread_count(threads)
    fmt, block = INPUTS[dtype], q.recipe.block_size
    if out is None:
        out = np.empty_like(q.codes, dtype)
    else:
        check_out(out, q.shape, dtype, (q.codes, q.scales))
    if q.tensor_scale is None:
        table = tables.product_table(q.recipe.block_format, fmt).reshape(-1)
    else:
        g = float(q.tensor_scale)
        table = scaled_product_table(q.recipe.block_format, fmt, g).reshape(-1)

    from emulator.kernels import dequantize_kernel

    kernel = dequantize_kernel(block, table.dtype == np.uint32)

    def work(codes: Array, out: Array, scales: Array) -> None:
        flat_codes, flat_out = flat(codes), flat(out)
        scales = np.ascontiguousarray(scales).reshape(-1)
        if codes.shape[-1] % block == 0 and flat_codes is not None and flat_out is not None:
            kernel(flat_codes, scales, table, flat_out)
            return
        padded = np.zeros((*codes.shape[:-1], -(-codes.shape[-1] // block) * block), np.uint8)
        padded[..., : codes.shape[-1]] = codes
        scratch = np.empty(padded.shape, table.dtype)
        kernel(padded.reshape(-1), scales, table, scratch.reshape(-1))
        out[...] = scratch[..., : codes.shape[-1]]

    _over_blocks(work, (q.codes, bit_view(out)), q.scales, q.axis, block, True, threads)
    return out


def _over_blocks(
    work: Any,
    elements: tuple[Array, Array],
    scales: Array,
    axis: int,
    block: int,
    in_place: bool,
    threads: int,
) -> None:
    """Call ``work(*elements, scales)`` on pieces of whole blocks, blocks along the last axis."""
    source, target = (np.moveaxis(array, axis, -1) for array in elements)
    scales = np.moveaxis(scales, axis, -1)
    in_place = (
        in_place
        and source.shape[-1] % block == 0
        and flat(source) is not None
        and flat(target) is not None
    )
    limit = piece_limit(source.size, in_place, threads)

    def one(index: tuple[slice, ...]) -> None:
        last = index[-1]
        of_scales = slice(last.start // block, -(-last.stop // block))
        work(source[index], target[index], scales[(*index[:-1], of_scales)])

    run(one, list(pieces(source.shape, source.strides, block, limit)), threads)


def _check_out_quantized(out: object, x: Array, recipe: Recipe, axis: int) -> None:
    if not isinstance(out, Quantized):
        raise TypeError(f"out is {kind_of(out)}, not a Quantized")
    if out.recipe != recipe or out.axis != axis:
        raise ValueError(
            f"out is for {out.recipe.name} along axis {out.axis}, not for {recipe.name} along "
            f"axis {axis}"
        )
    shape = scales_shape(x.shape, axis, recipe.block_size)
    check_out(out.codes, x.shape, np.dtype(np.uint8), (x, out.scales))
    check_out(out.scales, shape, np.dtype(np.uint8), (x, out.codes))
