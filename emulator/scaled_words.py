"""Words that carry a tensor scale beside the block, and what a recipe makes of them (spec §23)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import reference
from emulator.arguments import INPUTS
from emulator.formats import FP32, Format
from emulator.layout import (
    TENSOR_SCALE_FIELDS,
    Words,
    output_layout,
    scaled_input_layout,
)
from emulator.recipes import Recipe

Patterns = npt.NDArray[np.uint32]

_DTYPES = {fmt: dtype for dtype, fmt in INPUTS.items()}


def kind_of(r: Recipe) -> str:
    """The kind of tensor scale of a recipe that has one."""
    assert r.tensor_scale is not None, f"{r.name} has no tensor scale"
    return r.tensor_scale


def carried(float32: npt.ArrayLike, kind: str) -> Patterns:
    """Tensor scales as words carry them, from their float32 patterns (spec §23.1)."""
    return np.asarray(float32, np.uint32) >> np.uint32(23 - TENSOR_SCALE_FIELDS[kind][1])


def float32_patterns(field: npt.ArrayLike, kind: str) -> Patterns:
    """The inverse of `carried`."""
    return np.asarray(field, np.uint32) << np.uint32(23 - TENSOR_SCALE_FIELDS[kind][1])


def scaled_words(x: npt.NDArray[Any], g: Patterns, r: Recipe, x_format: Format) -> Words:
    """Words of lanes and tensor scales (spec §23.1).

    Args:
        x: patterns of the lanes, shape ``(n, block size)``.
        g: float32 patterns of the tensor scales, shape ``(n,)``.
        r: a recipe with a tensor scale.
        x_format: format of the lanes.
    """
    layout = scaled_input_layout(x_format, r.block_size, kind_of(r))
    field = carried(g, kind_of(r)).astype(layout.field("g").dtype)
    return layout.pack(x=x, g=field.reshape(-1, 1))


def expected_scaled(r: Recipe, x_format: Format, words: Words) -> Words:
    """Words that a recipe gives for words with tensor scales, by the kernels (spec §14.7, §23.2).

    Args:
        r: an available recipe with a tensor scale.
        x_format: FP16, BF16 or FP32.
        words: uint8 array of shape ``(n, nbytes)``; words may differ in their tensor scale.

    Raises:
        ValueError: if a tensor scale is not one that its kind can express (spec §14.6).
    """
    from emulator.tensor import quantize

    parts = scaled_input_layout(x_format, r.block_size, kind_of(r)).unpack(words)
    layout = output_layout(r.block_format)
    x = parts["x"].view(_DTYPES[x_format])
    every = float32_patterns(parts["g"][:, 0], kind_of(r))
    out = np.zeros((len(words), layout.nbytes), np.uint8)
    for pattern in np.unique(every):
        rows = every == pattern
        g = np.uint32(pattern).view(np.float32)
        q = quantize(np.ascontiguousarray(x[rows]), r, threads=1, tensor_scale=g)
        out[rows] = layout.pack(codes=q.codes, scale=q.scales)
    return out


def expected_scaled_by_reference(r: Recipe, x_format: Format, words: Words) -> Words:
    """The same as `expected_scaled`, by the reference."""
    parts = scaled_input_layout(x_format, r.block_size, kind_of(r)).unpack(words)
    layout = output_layout(r.block_format)
    every = float32_patterns(parts["g"][:, 0], kind_of(r))
    found = [
        reference.quantize_block([int(b) for b in row], x_format, r, FP32.value(int(g)))
        for row, g in zip(parts["x"], every, strict=True)
    ]
    codes = np.array([c for _, c in found], np.uint8).reshape(-1, r.block_size)
    return layout.pack(codes=codes, scale=np.array([s for s, _ in found], np.uint8))
