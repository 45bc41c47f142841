"""Encoding and decoding arrays of numbers, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import format_tables
from emulator.arguments import (
    Array,
    bit_view,
    check_out,
    input_format,
    kind_of,
    known_format,
    widen,
)
from emulator.errors import NotAvailableError
from emulator.formats import FP32, Format
from emulator.pieces import flat, piece_limit, pieces, run, thread_count


def encode(
    x: Array | np.generic,
    fmt: Format | str,
    *,
    overflow: str = "saturate",
    nan: str = "error",
    threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Encode each element of an array in a format (spec §3).

    Args:
        x: float32, bfloat16 or float16; any shape and memory layout.
        fmt: a `Format`, or the name of one.
        overflow: "saturate" (spec §3.2), or "ieee" for formats with infinity (spec §3.3).
        nan: "error" or "zero": what becomes of a NaN where the format has none (spec §3.4).
        threads: number of threads; None means one per core.
        out: array of the returned dtype and of x's shape to be overwritten and returned.

    Returns:
        Codes of x's shape, in uint8, uint16 or uint32: the smallest that holds the stored bits.

    Raises:
        TypeError: if x is no array of these types (spec §4.1).
        ValueError: for a NaN that has no code; nothing is written then. Also if overflow, nan,
            threads or out do not fit.
    """
    fmt = known_format(fmt)
    if overflow not in ("saturate", "ieee"):
        raise ValueError(f"overflow is {overflow!r}, not 'saturate' or 'ieee' (spec §3.2, §3.3)")
    if nan not in ("error", "zero"):
        raise ValueError(f"nan is {nan!r}, not 'error' or 'zero' (spec §3.4)")
    x = np.asarray(x) if isinstance(x, np.generic) else x
    source = input_format(x, "x")
    x = np.asarray(x)
    threads = thread_count(threads)
    rule = format_tables.encode_rule(fmt, overflow == "ieee")
    dtype = code_dtype(fmt)
    if out is None:
        out = np.empty_like(x, dtype)
    else:
        check_out(out, x.shape, dtype, (x,))
    if x.size == 0:
        return out

    from emulator.kernels import encode_kernel

    kernel = encode_kernel(8 * dtype.itemsize, rule.normalize)
    parameters = (
        rule.fraction_bits,
        rule.min_quantum,
        rule.hidden,
        rule.under,
        rule.over,
        rule.over_code,
        rule.nan_code,
        rule.sign_mask,
        rule.nan_sign,
    )

    def refuse_nan(x: Array, codes: Array) -> None:
        wrong = (x & source.magnitude_mask) > (source.inf_code or 0)
        if wrong.any():
            raise ValueError(
                f"x holds a NaN, and {fmt.name} has none (spec §3.4); nan='zero' encodes it as 0"
            )

    def work(x: Array, codes: Array) -> None:
        flat_x, flat_codes = flat(x), flat(codes)
        if source is not FP32 or flat_x is None:
            flat_x = np.empty(x.size, np.uint32)
            widen(x, source, flat_x.reshape(x.shape))
        if flat_codes is not None:
            kernel(flat_x, flat_codes, *parameters)
        else:
            scratch = np.empty(x.size, dtype)
            kernel(flat_x, scratch, *parameters)
            codes[...] = scratch.reshape(x.shape)

    bits = bit_view(x)
    if fmt.nan_code is None and nan == "error":
        _over_elements(refuse_nan, (bits, out), False, threads)
    _over_elements(work, (bits, out), source is FP32, threads)
    return out


def decode(codes: Array | np.integer[Any], fmt: Format | str) -> npt.NDArray[np.float32]:
    """Decode each code of an array (spec §2.1); exact.

    Args:
        codes: integers of any shape, not negative; bits above the code's width are ignored as
            far as they can be stored (spec §2.6).
        fmt: a `Format`, or the name of one.

    Returns:
        float32 of the same shape. A NaN code gives the pattern 7fc00000, with its sign.

    Raises:
        TypeError: if codes is no array of integers.
        ValueError: if a code is negative or takes more than the format's storage bits.
        NotAvailableError: if float32 does not hold all values of the format.
    """
    fmt = known_format(fmt)
    codes = np.asarray(codes) if isinstance(codes, np.integer) else codes
    if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "ui":
        raise TypeError(f"codes is {kind_of(codes)}, not an array of integers")
    if codes.size:
        lowest, highest = int(codes.min()), int(codes.max())
        wrong = lowest if lowest < 0 else highest
        if lowest < 0 or highest >> fmt.storage_bits:
            raise ValueError(
                f"code {wrong:#x} is not one of {fmt.storage_bits} bits, as {fmt.name} is stored"
            )
    out = np.empty_like(codes, np.uint32)
    mask = np.uint32((1 << fmt.width) - 1)
    table = format_tables.decode_table(fmt) if fmt.width <= 16 else None

    def work(codes: Array, out: Array) -> None:
        kept = codes.astype(np.uint32) & mask
        out[...] = format_tables.float32_patterns(kept, fmt) if table is None else table[kept]

    if codes.size:
        _over_elements(work, (codes, out), False, 1)
    return out.view(np.float32)


def _over_elements(work: Any, elements: tuple[Array, Array], in_place: bool, threads: int) -> None:
    """Call ``work(*elements)`` on pieces."""
    source, target = elements
    if source.ndim == 0:
        work(source, target)
        return
    order = sorted(range(source.ndim), key=lambda i: abs(source.strides[i]), reverse=True)
    source, target = source.transpose(order), target.transpose(order)
    in_place = in_place and flat(source) is not None and flat(target) is not None
    limit = piece_limit(source.size, in_place, threads)
    run(
        lambda index: work(source[index], target[index]),
        list(pieces(source.shape, source.strides, 1, limit)),
        threads,
    )


def code_dtype(fmt: Format) -> np.dtype[Any]:
    """The smallest dtype that holds a stored code."""
    for dtype in (np.uint8, np.uint16, np.uint32):
        if fmt.storage_bits <= 8 * np.dtype(dtype).itemsize:
            return np.dtype(dtype)
    raise NotAvailableError(f"{fmt.name} is stored in {fmt.storage_bits} bits, more than 32")
