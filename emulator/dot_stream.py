"""The result words that a stream of dot products calls for (spec §22)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.accumulation import exact_bits, unit_exponent
from emulator.dot import NAN, dot
from emulator.dot_layout import DotWords
from emulator.layout import Words
from emulator.recipes import Recipe
from emulator.scaled_words import float32_patterns
from emulator.tensor import Quantized

Parts = dict[str, npt.NDArray[Any]]


def expected(words: DotWords, stream: Words, threads: int | None = 1) -> Words:
    """The result words of a stream of operand words, by the kernels.

    Args:
        words: what the words say.
        stream: operand words, shape ``(n, words.operands.nbytes)``; words behind the last dot
            product's end call for nothing.
        threads: not used; for one signature with other units.
    """
    parts = words.operands.unpack(stream)
    if words.accumulation is None:
        ends = np.arange(len(stream))
    else:
        ends = np.flatnonzero(parts["last"][:, 0])
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)[: len(ends)]
    lengths = ends - starts + 1
    y = np.zeros(len(ends), np.uint32)
    flags = np.zeros(len(ends), np.uint8)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        at = starts[rows][:, None] + np.arange(length)
        y[rows] = _dots(words, parts, at)
        if words.exact and length * words.blocks > words.exact_blocks:
            flags[rows] = [_overflows(words, parts, row) for row in at]
    y[flags > 0] = NAN  # spec §22.7
    if words.tensor_scale == "h":
        y = _multiplied(y, parts["g"][ends, 0])
    elif words.tensor_scale is not None:
        a, b = (float32_patterns(parts[f"{x}_g"][ends, 0], words.tensor_scale) for x in "ab")
        y = _multiplied(y, _multiplied(a, b))
    results: dict[str, Any] = {"y": y}
    if words.exact:
        results["overflow"] = flags
    return words.results.pack(**results)


def _operand(words: DotWords, codes: Any, scales: Any) -> Quantized:
    """Codes and scales of some dot products as matrices with blocks along axis 1."""
    rule = "absmax" if words.stored.scale.has_zero else "floor"
    rows = len(codes)
    return Quantized(
        codes.reshape(rows, -1).astype(np.uint8),
        scales.reshape(rows, -1).astype(np.uint8),
        Recipe(words.stored, rule),
        1,
        None,
    )


def _dots(words: DotWords, parts: Parts, at: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """Float32 patterns of dot products, the k-th of the words ``at[k]``, without tensor scales."""
    a, b = (_operand(words, parts[f"{x}_codes"][at], parts[f"{x}_scales"][at]) for x in "ab")
    return dot(a, b, words.accumulation or "fp32").view(np.uint32)


def _multiplied(y: npt.NDArray[np.uint32], g: Any) -> npt.NDArray[np.uint32]:
    """Products of float32 numbers, by IEEE 754 (spec §16.11)."""
    with np.errstate(all="ignore"):
        product = y.view(np.float32) * g.astype(np.uint32).view(np.float32)
    return np.where(np.isnan(product), NAN, product.view(np.uint32))


def _overflows(words: DotWords, parts: Parts, at: npt.NDArray[np.int64]) -> bool:
    """Whether a sum leaves the accumulator, block by block, and no scale is NaN (spec §22.7)."""
    stored = words.stored
    element, scale, n = stored.element, stored.scale, stored.block_size
    limit = Fraction(2) ** (exact_bits(stored, stored, words.exact_blocks) - 1)
    limit *= Fraction(2) ** unit_exponent(stored, stored)
    total = Fraction(0)
    over = False
    for word in at.tolist():
        for k in range(words.blocks):
            scales = [int(parts[f"{x}_scales"][word, k]) for x in "ab"]
            codes = [parts[f"{x}_codes"][word, k * n : (k + 1) * n].tolist() for x in "ab"]
            if any(scale.is_nan(s) for s in scales):
                return False
            inner = sum((element.value(x) * element.value(y) for x, y in zip(*codes, strict=True)))
            total += inner * scale.value(scales[0]) * scale.value(scales[1])
            over |= not -limit <= total < limit
    return over
