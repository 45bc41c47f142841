"""Dot and matrix products of quantized tensors: shapes, tiles, threads (spec §16).

Sums and roundings are those of `emulator.dot_kernels`; what they need to know of the formats is
made by `emulator.dot_plan`. Numba is imported by the first call that computes something.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.accumulation import Accumulation, accumulation
from emulator.arguments import Array, check_out, kind_of
from emulator.dot_plan import Plan, plan_for
from emulator.formats import Format
from emulator.pieces import run, thread_count
from emulator.tensor import Quantized

Floats = npt.NDArray[np.float32]

NAN = np.uint32(0x7FC00000)
TILE = 256
"""Rows and columns of a tile of the result, which one thread computes at a time."""

ROWS = 32
PRODUCTS = 1 << 19
"""Sums of products that are kept at a time: 2 MiB, of up to `ROWS` rows of a tile.

With fewer, threads meet so often between kernels that a second one gains half.
"""

ELEMENTS = 1 << 21
"""Elements of both operands that are kept as floats at a time: 8 MiB."""

CHUNK = 16


def dot(qa: Quantized, qb: Quantized, accumulator: str | Accumulation = "fp32") -> Any:
    """Dot products of two quantized tensors along their blocked axis (spec §16).

    Args:
        qa: a tensor of any shape.
        qb: one of the same shape and axis, element format and block size; its scale format,
            rule and tensor scale may be others.
        accumulator: an `Accumulation` or its name: "fp32", "exact", "tc35", ...

    Returns:
        float32 of the operands' shape without the blocked axis; an `np.float32` for vectors.

    Raises:
        TypeError: if an operand is no Quantized, or the accumulator no name.
        ValueError: if the operands do not match (spec §16.1), or the blocks are too small for
            the accumulator (spec §16.7).
        NotAvailableError: for formats whose block sums exceed 24 bits (spec §16.2).
    """
    chosen = _accumulation(accumulator)
    _check_formats(qa, qb)
    for what, a, b in (("shape", qa.shape, qb.shape), ("axis", qa.axis, qb.axis)):
        if a != b:
            raise ValueError(f"{what} {a} of qa is not {what} {b} of qb (spec §16.1)")
    plan = plan_for(qa.recipe.block_format, qb.recipe.block_format, chosen)
    length = qa.shape[qa.axis]
    shape = qa.shape[: qa.axis] + qa.shape[qa.axis + 1 :]
    codes = [np.moveaxis(q.codes, q.axis, -1).reshape(-1, length) for q in (qa, qb)]
    scales = [np.moveaxis(q.scales, q.axis, -1).reshape(len(codes[0]), -1) for q in (qa, qb)]
    integers = plan.elements.astype(np.int32)
    out = np.empty(len(codes[0]), np.float32)

    def part(start: int, stop: int) -> None:
        state = plan.start(1, stop - start)
        width = max(1, (1 << 16) // (plan.unit * (stop - start)))
        for units in plan.ranges(length, width):
            begin, end = units.start * plan.unit, min(units.stop * plan.unit, length)
            padded = np.zeros((stop - start, len(units) * plan.unit), np.int32)
            padded[:, : end - begin] = integers[codes[0][start:stop, begin:end]]
            padded[:, : end - begin] *= integers[codes[1][start:stop, begin:end]]
            sums = padded.reshape(stop - start, len(units), plan.unit).sum(axis=2)
            s = np.ascontiguousarray(sums.T[:, None], np.float32)
            picked = [plan.scales(i, x[start:stop], units) for i, x in enumerate(scales)]
            plan.update(state, s, *plan.joined(*picked))
        out[start:stop] = plan.finish(state)[0]

    step = max(1, min(TILE, (1 << 20) // length))
    for start in range(0, len(out), step):
        part(start, min(start + step, len(out)))
    _tensor_scales(out, qa, qb)
    nan = _nan_rows(scales[0], qa.recipe.scale) | _nan_rows(scales[1], qb.recipe.scale)
    _canonical(out, nan)
    return out.reshape(shape)[()]


def matmul(
    qa: Quantized,
    qb: Quantized,
    accumulator: str | Accumulation = "fp32",
    *,
    transpose_b: bool = False,
    threads: int | None = None,
    out: Floats | None = None,
) -> Floats:
    """Product of two quantized matrices, each output a dot product of its own (spec §16.13).

    Args:
        qa: shape (M, K), blocks along axis 1.
        qb: shape (K, N), blocks along axis 0; with ``transpose_b`` shape (N, K), blocks along
            axis 1, as weights of linear layers are stored.
        accumulator: an `Accumulation` or its name: "fp32", "exact", "tc35", ...
        transpose_b: whether the product is with qb transposed.
        threads: number of threads; None means one per core. The bits do not depend on it.
        out: float32 of shape (M, N) to be overwritten and returned.

    Returns:
        float32 of shape (M, N).

    Raises:
        TypeError: if an operand is no Quantized, or the accumulator no name.
        ValueError: if the operands do not match (spec §16.1), or the blocks are too small for
            the accumulator (spec §16.7); if out or threads do not fit.
        NotAvailableError: for formats whose block sums exceed 24 bits (spec §16.2).
    """
    chosen = _accumulation(accumulator)
    _check_formats(qa, qb)
    along = 1 if transpose_b else 0
    for name, q, axis in (("qa", qa, 1), ("qb", qb, along)):
        if len(q.shape) != 2 or q.axis != axis:
            hint = " with transpose_b" if transpose_b and name == "qb" else ""
            raise ValueError(
                f"{name} of shape {q.shape} with blocks along axis {q.axis} is not a matrix with "
                f"blocks along axis {axis}{hint} (spec §16.13)"
            )
    length = qa.shape[1]
    if qb.shape[along] != length:
        raise ValueError(
            f"length {length} of qa, shape {qa.shape}, is not length {qb.shape[along]} of qb, "
            f"shape {qb.shape} (spec §16.1)"
        )
    threads = thread_count(threads)
    b_codes, b_scales = (qb.codes, qb.scales) if transpose_b else (qb.codes.T, qb.scales.T)
    shape = (qa.shape[0], len(b_codes))
    if out is None:
        out = np.empty(shape, np.float32)
    else:
        check_out(out, shape, np.dtype(np.float32), (qa.codes, qa.scales, qb.codes, qb.scales))
    plan = plan_for(qa.recipe.block_format, qb.recipe.block_format, chosen)
    nan_rows = _nan_rows(qa.scales, qa.recipe.scale)
    nan_columns = _nan_rows(b_scales, qb.recipe.scale)

    def tile(index: tuple[slice, slice]) -> None:
        rows, columns = index
        result = _tile(plan, qa.codes[rows], qa.scales[rows], b_codes[columns], b_scales[columns])
        _tensor_scales(result, qa, qb)
        _canonical(result, nan_rows[rows, None] | nan_columns[columns])
        out[index] = result

    run(tile, list(_tiles(shape, threads)), threads)
    return out


def _tiles(shape: tuple[int, int], threads: int) -> list[tuple[slice, slice]]:
    """Cut the result so that every thread gets several tiles, but tiles stay large."""
    rows = columns = TILE
    while rows > ROWS and math.ceil(shape[0] / rows) * math.ceil(shape[1] / columns) < 4 * threads:
        rows //= 2
    return [
        (slice(i, min(i + rows, shape[0])), slice(j, min(j + columns, shape[1])))
        for j in range(0, shape[1], columns)
        for i in range(0, shape[0], rows)
    ]


def _tile(plan: Plan, a_codes: Array, a_scales: Array, b_codes: Array, b_scales: Array) -> Floats:
    """One tile of the product: a and b have the shapes (rows, K) and (columns, K)."""
    from emulator.dot_kernels import products_kernel

    (rows, length), columns = a_codes.shape, len(b_codes)
    chunk = min(plan.unit, CHUNK)
    products = products_kernel(chunk)
    state = plan.start(rows, columns)
    height = min(rows, ROWS)
    most = min(PRODUCTS // (height * columns), ELEMENTS // (plan.unit * (rows + columns)))
    for units in plan.ranges(length, most):
        begin, end = units.start * plan.unit, min(units.stop * plan.unit, length)
        a = np.zeros((rows, len(units) * plan.unit), np.float32)
        b = np.zeros((len(units) * plan.unit, columns), np.float32)
        a[:, : end - begin] = np.take(plan.elements, a_codes[:, begin:end], mode="clip")
        b[: end - begin] = np.take(plan.elements, b_codes[:, begin:end].T, mode="clip")
        a_picked, b_picked = plan.scales(0, a_scales, units), plan.scales(1, b_scales, units)
        for i in range(0, rows, height):
            part = slice(i, min(i + height, rows))
            s = np.empty((len(units), part.stop - i, columns), np.float32)
            products(s, a[part], b, plan.unit // chunk)
            a_part = tuple(np.ascontiguousarray(x[:, part]) for x in a_picked)
            plan.update(state[part], s, *a_part, *b_picked)
    return plan.finish(state)


def _accumulation(accumulator: object) -> Accumulation:
    if isinstance(accumulator, str):
        return accumulation(accumulator)
    if not isinstance(accumulator, Accumulation):
        raise TypeError(
            f"accumulator is a {type(accumulator).__name__}, not an Accumulation or its name"
        )
    return accumulator


def _check_formats(qa: object, qb: object) -> None:
    """Refuse what is no Quantized, and formats that do not match (spec §16.1)."""
    for name, q in (("qa", qa), ("qb", qb)):
        if not isinstance(q, Quantized):
            raise TypeError(f"{name} is {kind_of(q)}, not a Quantized")
    assert isinstance(qa, Quantized) and isinstance(qb, Quantized)
    a, b = qa.recipe, qb.recipe
    for what, of_a, of_b in (
        ("block size", a.block_size, b.block_size),
        ("element format", a.element.name, b.element.name),
        ("element format", a.element, b.element),
    ):
        if of_a != of_b:
            raise ValueError(f"{what} {of_a} of qa is not {what} {of_b} of qb (spec §16.1)")


def _nan_rows(scales: Array, fmt: Format) -> npt.NDArray[np.bool_]:
    """Which rows of scales hold a NaN (spec §16.12)."""
    special = np.array([not fmt.is_finite(code) for code in range(256)])
    return np.any(special[scales], axis=1, keepdims=True)[:, 0]


def _tensor_scales(result: Floats, qa: Quantized, qb: Quantized) -> None:
    """Multiply by the tensor scales (spec §16.11)."""
    factors = [np.float32(q.tensor_scale) for q in (qa, qb) if q.tensor_scale is not None]
    if factors:
        with np.errstate(all="ignore"):
            result *= np.multiply.reduce(factors, dtype=np.float32)


def _canonical(result: Floats, nan: npt.NDArray[np.bool_]) -> None:
    """Write the one NaN where a scale is NaN or a product is (spec §16.11, §16.12)."""
    result.view(np.uint32)[nan | np.isnan(result)] = NAN
