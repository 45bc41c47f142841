"""Named deterministic words with block numbers and seeds (spec §26.1). They know no answers.

The stimuli of the recipe, ``grid`` (elements at multiples of 2**-k of the distance of their two
neighbours, where a random number of k bits decides, and one ulp beside them) and ``random``; all
with numbers from both ends of their range and a few seeds in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from emulator.directed import around, floor_pattern
from emulator.errors import UnknownNameError, near
from emulator.formats import Format
from emulator.layout import Words, input_layout
from emulator.random_words import NUMBER_BITS, random_words
from emulator.recipes import Recipe
from emulator.stimulus import stimulus, stimulus_names

SEEDS = (0, 1, 0x1B1A1918131211100B0A090803020100, 1 << 127, (1 << 128) - 1)
"""Seeds of the words, in turn."""

GRID_BLOCKS = 2000


def random_stimulus_names(recipe: Recipe, x_format: Format) -> list[str]:
    """All names that `random_stimulus` knows."""
    return ["grid", *stimulus_names(recipe, x_format)]


def random_stimulus(
    name: str, recipe: Recipe, x_format: Format, *, blocks: int | None = None, seed: int = 0
) -> Words:
    """Input words of a named stimulus (spec §26.1).

    Args:
        name: one of `random_stimulus_names`.
        recipe: with stochastic rounding.
        x_format: FP16, BF16 or FP32.
        blocks: number of words, for "random" only.
        seed: of the stimulus, from 0.

    Raises:
        UnknownNameError: for a name that does not exist.
        ValueError: for ``blocks`` with a stimulus of fixed size, or blocks or seed below 0.
    """
    known = random_stimulus_names(recipe, x_format)
    if name not in known:
        raise UnknownNameError(f"unknown stimulus {name!r}{near(name, known)}")
    if name == "grid":
        if blocks is not None:
            raise ValueError(f"stimulus {name!r} has a fixed number of blocks")
        x = np.array(list(_grid(recipe, x_format, seed)), np.uint32)
    else:
        plain = stimulus(name, recipe, x_format, blocks=blocks, seed=seed)
        x = input_layout(x_format, recipe.block_size).unpack(plain)["x"]
    return random_words(x, *numbers_and_seeds(len(x), seed), x_format)


def numbers_and_seeds(words: int, seed: int) -> tuple[npt.NDArray[np.uint64], list[int]]:
    """Block numbers from both ends of their range, and `SEEDS` in turn, for so many words."""
    rows = np.arange(words, dtype=np.uint64)
    last = np.uint64((1 << NUMBER_BITS) - 1)
    numbers = np.where(rows % 3 == 1, last - rows, rows << np.uint64(5 * (seed % 7)))
    return numbers, [SEEDS[k % len(SEEDS)] for k in range(words)]


def _grid(recipe: Recipe, x_format: Format, seed: int) -> Iterator[list[int]]:
    """Blocks with amax 6 * s whose other lanes lie on the grid of the random numbers."""
    rng, scale = np.random.default_rng(seed), recipe.scale
    codes = [c for c in range(1, scale.max_code + 1) if 6 * scale.value(c) <= x_format.max]
    for _ in range(GRID_BLOCKS):
        yield grid_block(recipe, x_format, scale.value(codes[rng.integers(len(codes))]), rng)


def grid_block(
    recipe: Recipe,
    x_format: Format,
    unit: Fraction,
    rng: np.random.Generator,
    amax: Fraction | None = None,
) -> list[int]:
    """A block with an amax, 6 * unit if None, whose other lanes are on the grid of ``unit``."""
    assert recipe.sr_bits is not None
    values = [recipe.element.value(code) for code in range(recipe.element.max_code + 1)]
    lanes = [floor_pattern(6 * unit if amax is None else amax, x_format)]
    for _ in range(recipe.block_size - 1):
        low = int(rng.integers(len(values) - 1))
        part = Fraction(int(rng.integers(1 << recipe.sr_bits)), 1 << recipe.sr_bits)
        y = values[low] + (values[low + 1] - values[low]) * part
        beside = list(around(y * unit, x_format))
        lane = min(beside[rng.integers(len(beside))], lanes[0])
        lanes.append(lane | (x_format.sign_mask * int(rng.integers(2))))
    turn = int(rng.integers(recipe.block_size))
    return lanes[turn:] + lanes[:turn]
