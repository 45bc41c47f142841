"""Words that carry a block number and a seed, and what a recipe makes of them (spec §26)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import reference, stochastic
from emulator.formats import FP32, Format
from emulator.golden import float_lanes
from emulator.layout import Field, WordLayout, Words, input_layout, output_layout
from emulator.recipes import Recipe
from emulator.scaled_tables import number
from emulator.tensor import quantize

NUMBER_BITS = 57
"""Bits of a block's number: 128 times it has to fit into a counter of 64 (spec §19.4)."""


def random_input_layout(input_format: Format, block_size: int) -> WordLayout:
    """The word of an input block, its number and the seed, 32 bits a part (spec §26.1)."""
    lanes = input_format.width * block_size
    return WordLayout(
        (
            Field("x", 0, input_format.width, block_size),
            Field("number", lanes, NUMBER_BITS),
            Field("seed", lanes + NUMBER_BITS, 32, 4),
        )
    )


def random_words(
    x: npt.NDArray[Any], numbers: npt.ArrayLike, seeds: Sequence[int], x_format: Format
) -> Words:
    """Words of lanes, numbers and seeds (spec §26.1).

    Args:
        x: patterns of the lanes, shape ``(n, block size)``.
        numbers: of the blocks, shape ``(n,)``, below 2**57.
        seeds: n integers below 2**128.
        x_format: format of the lanes.
    """
    layout = random_input_layout(x_format, x.shape[1])
    parts = [[seed >> (32 * i) & 0xFFFFFFFF for i in range(4)] for seed in seeds]
    return layout.pack(
        x=x.astype(layout.field("x").dtype),
        number=np.asarray(numbers, np.uint64).reshape(-1, 1),
        seed=np.array(parts, np.uint32).reshape(-1, 4),
    )


def seed_of(parts: npt.NDArray[Any]) -> int:
    """The seed of four parts of 32 bits, the lowest first."""
    return sum(int(part) << (32 * i) for i, part in enumerate(parts))


def expected_random(r: Recipe, x_format: Format, words: Words) -> Words:
    """Words that a recipe gives for words with numbers and seeds, by the kernels (spec §26.2).

    Args:
        r: an available recipe with stochastic rounding and no tensor scale.
        x_format: FP16, BF16 or FP32.
        words: uint8 array of shape ``(n, nbytes)``; words may differ in number and seed.
    """
    assert r.sr_bits is not None and r.tensor_scale is None
    parts = random_input_layout(x_format, r.block_size).unpack(words)
    x = float_lanes(input_layout(x_format, r.block_size).pack(x=parts["x"]), x_format, r.block_size)
    # Scale codes and signs are those of rounding to nearest (spec §19.1, §9.2).
    q = quantize(x, replace(r, sr_bits=None), threads=1)
    codes, scales = np.array(q.codes), np.array(q.scales)
    kernel, nan = stochastic.stochastic_kernel(), r.scale.nan_code
    tables = stochastic._floors(r, number(1.0))
    patterns = _as_float32(parts["x"], x_format)
    seeds, rows_of = np.unique(parts["seed"], axis=0, return_inverse=True)
    for k, seed in enumerate(seeds):
        rows = rows_of.reshape(-1) == k
        rounded = np.ascontiguousarray(codes[rows]).reshape(-1)
        kernel(
            *(np.ascontiguousarray(patterns[rows]).reshape(-1).view(np.int32), rounded),
            *(np.ascontiguousarray(scales[rows]).reshape(-1),),
            *(np.ascontiguousarray(parts["number"][rows, 0]).view(np.int64),),
            *(stochastic.round_keys(seed_of(seed)), r.sr_bits, nan, r.block_size, *tables),
        )
        codes[rows] = rounded.reshape(-1, r.block_size)
    return output_layout(r.block_format).pack(codes=codes, scale=scales.reshape(-1, 1))


def _as_float32(patterns: npt.NDArray[Any], x_format: Format) -> npt.NDArray[np.uint32]:
    """Patterns of the same numbers in float32; exact."""
    if x_format == FP32:
        return patterns.astype(np.uint32)
    if x_format.name == "bf16":
        return patterns.astype(np.uint32) << np.uint32(16)
    halves = np.ascontiguousarray(patterns.astype(np.uint16)).view(np.float16)
    return halves.astype(np.float32).view(np.uint32)


def expected_random_by_reference(r: Recipe, x_format: Format, words: Words) -> Words:
    """The same as `expected_random`, by the reference."""
    parts = random_input_layout(x_format, r.block_size).unpack(words)
    found = [
        reference.quantize_block(
            [int(b) for b in row], x_format, r, seed=seed_of(seed), number=int(j)
        )
        for row, (j,), seed in zip(parts["x"], parts["number"], parts["seed"], strict=True)
    ]
    codes = np.array([c for _, c in found], np.uint8).reshape(-1, r.block_size)
    scales = np.array([s for s, _ in found], np.uint8)
    return output_layout(r.block_format).pack(codes=codes, scale=scales)
