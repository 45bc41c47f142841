"""Named deterministic words with tensor scale, block number and seed (spec §26.4).

The stimuli of `emulator.scaled_stimulus`, and ``grid``: under each of a few tensor scales, elements
at multiples of 2**-k of the distance of their two neighbours, where a random number of k bits
decides, and one ulp beside them. Numbers and seeds are those of `emulator.random_stimulus`. They
know no answers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emulator.errors import UnknownNameError, near
from emulator.formats import FP32, Format
from emulator.layout import Words, scaled_input_layout
from emulator.random_scaled_words import random_scaled_words
from emulator.random_stimulus import grid_block, numbers_and_seeds
from emulator.recipes import Recipe
from emulator.scaled_stimulus import GIVEN, scaled_stimulus, scaled_stimulus_names
from emulator.scaled_words import float32_patterns, kind_of

GRID_BLOCKS = 500
"""Blocks of ``grid`` for each tensor scale."""


def random_scaled_stimulus_names() -> list[str]:
    """All names that `random_scaled_stimulus` knows."""
    return ["grid", *scaled_stimulus_names()]


def random_scaled_stimulus(
    name: str, recipe: Recipe, x_format: Format, *, blocks: int | None = None, seed: int = 0
) -> Words:
    """Input words of a named stimulus (spec §26.4).

    Args:
        name: one of `random_scaled_stimulus_names`.
        recipe: with stochastic rounding and a tensor scale.
        x_format: FP16, BF16 or FP32.
        blocks: number of words, for "random" only.
        seed: of the stimulus, from 0.

    Raises:
        UnknownNameError: for a name that does not exist.
        ValueError: for ``blocks`` with a stimulus of fixed size, or blocks or seed below 0.
    """
    known = random_scaled_stimulus_names()
    if name not in known:
        raise UnknownNameError(f"unknown stimulus {name!r}{near(name, known)}")
    if name == "grid":
        if blocks is not None:
            raise ValueError(f"stimulus {name!r} has a fixed number of blocks")
        made = list(_grid(recipe, x_format, seed))
        x = np.array([lanes for _, lanes in made], np.uint32)
        g = np.array([g for g, _ in made], np.uint32)
    else:
        plain = scaled_stimulus(name, recipe, x_format, blocks=blocks, seed=seed)
        parts = scaled_input_layout(x_format, recipe.block_size, kind_of(recipe)).unpack(plain)
        x, g = parts["x"], float32_patterns(parts["g"][:, 0], kind_of(recipe))
    return random_scaled_words(x, g, *numbers_and_seeds(len(x), seed), recipe, x_format)


def _grid(recipe: Recipe, x_format: Format, seed: int) -> Iterator[tuple[int, list[int]]]:
    """Tensor scales, and blocks with amax 6 * s * g whose other lanes lie on the grid."""
    rng, scale = np.random.default_rng(seed), recipe.scale
    for pattern in GIVEN[kind_of(recipe)]:
        g = FP32.value(pattern)
        units = [scale.value(code) * g for code in range(1, scale.max_code + 1)]
        units = [u for u in units if x_format.min_positive <= u <= x_format.max / 6]
        for _ in range(GRID_BLOCKS if units else 0):
            unit = units[rng.integers(len(units))]
            yield pattern, grid_block(recipe, x_format, unit, rng)
