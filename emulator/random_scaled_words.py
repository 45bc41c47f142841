"""Words with a tensor scale, a block number and a seed, and what a recipe makes of them (§26.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import reference, stochastic
from emulator.formats import FP32, Format
from emulator.layout import Field, WordLayout, Words, output_layout, scaled_input_layout
from emulator.random_words import NUMBER_BITS, _as_float32, seed_of
from emulator.recipes import Recipe
from emulator.scaled_tables import number
from emulator.scaled_words import Patterns, carried, expected_scaled, float32_patterns, kind_of


def random_scaled_layout(r: Recipe, x_format: Format) -> WordLayout:
    """The word of an input block, its tensor scale, its number and the seed (spec §26.4)."""
    front = scaled_input_layout(x_format, r.block_size, kind_of(r))
    return WordLayout(
        (
            *front.fields,
            Field("number", front.width, NUMBER_BITS),
            Field("seed", front.width + NUMBER_BITS, 32, 4),
        )
    )


def random_scaled_words(
    x: npt.NDArray[Any],
    g: Patterns,
    numbers: npt.ArrayLike,
    seeds: Sequence[int],
    r: Recipe,
    x_format: Format,
) -> Words:
    """Words of lanes, tensor scales, numbers and seeds (spec §26.4).

    Args:
        x: patterns of the lanes, shape ``(n, block size)``.
        g: float32 patterns of the tensor scales, shape ``(n,)``.
        numbers: of the blocks, shape ``(n,)``, below 2**57.
        seeds: n integers below 2**128.
        r: a recipe with a tensor scale and stochastic rounding.
        x_format: format of the lanes.
    """
    layout = random_scaled_layout(r, x_format)
    parts = [[seed >> (32 * i) & 0xFFFFFFFF for i in range(4)] for seed in seeds]
    return layout.pack(
        x=x.astype(layout.field("x").dtype),
        g=carried(g, kind_of(r)).astype(layout.field("g").dtype).reshape(-1, 1),
        number=np.asarray(numbers, np.uint64).reshape(-1, 1),
        seed=np.array(parts, np.uint32).reshape(-1, 4),
    )


def expected_random_scaled(r: Recipe, x_format: Format, words: Words) -> Words:
    """Words that a recipe gives for such words, by the kernels (spec §26.2, §26.4).

    Args:
        r: an available recipe with stochastic rounding and a tensor scale.
        x_format: FP16, BF16 or FP32.
        words: uint8 array of shape ``(n, nbytes)``; words may differ in tensor scale, number, seed.
    """
    assert r.sr_bits is not None
    parts = random_scaled_layout(r, x_format).unpack(words)
    # Scale codes and signs are those of rounding to nearest (spec §19.1, §9.2).
    nearest = replace(r, sr_bits=None)
    front = scaled_input_layout(x_format, r.block_size, kind_of(r))
    layout = output_layout(r.block_format)
    given = layout.unpack(
        expected_scaled(nearest, x_format, front.pack(x=parts["x"], g=parts["g"]))
    )
    codes, scales = np.array(given["codes"], np.uint8), np.array(given["scale"][:, 0], np.uint8)
    kernel, nan = stochastic.stochastic_kernel(), r.scale.nan_code
    patterns = _as_float32(parts["x"], x_format)
    every = float32_patterns(parts["g"][:, 0], kind_of(r))
    keys = np.column_stack([every, parts["seed"]])
    found, rows_of = np.unique(keys, axis=0, return_inverse=True)
    for k, (g, *seed) in enumerate(found):
        rows = rows_of.reshape(-1) == k
        rounded = np.ascontiguousarray(codes[rows]).reshape(-1)
        tables = stochastic._floors(r, number(float(np.uint32(g).view(np.float32))))
        kernel(
            *(np.ascontiguousarray(patterns[rows]).reshape(-1).view(np.int32), rounded),
            *(np.ascontiguousarray(scales[rows]).reshape(-1),),
            *(np.ascontiguousarray(parts["number"][rows, 0]).view(np.int64),),
            *(stochastic.round_keys(seed_of(np.array(seed))), r.sr_bits, nan, r.block_size),
            *tables,
        )
        codes[rows] = rounded.reshape(-1, r.block_size)
    return layout.pack(codes=codes, scale=scales.reshape(-1, 1))


def expected_random_scaled_by_reference(r: Recipe, x_format: Format, words: Words) -> Words:
    """The same as `expected_random_scaled`, by the reference."""
    parts = random_scaled_layout(r, x_format).unpack(words)
    every = float32_patterns(parts["g"][:, 0], kind_of(r))
    rows = zip(parts["x"], every, parts["number"], parts["seed"], strict=True)
    found = [
        reference.quantize_block(
            [int(b) for b in row],
            x_format,
            r,
            FP32.value(int(g)),
            seed=seed_of(seed),
            number=int(j),
        )
        for row, g, (j,), seed in rows
    ]
    codes = np.array([c for _, c in found], np.uint8).reshape(-1, r.block_size)
    scales = np.array([s for s, _ in found], np.uint8)
    return output_layout(r.block_format).pack(codes=codes, scale=scales.reshape(-1, 1))
