"""Named deterministic words for a choice of scales whose elements round at random (spec §26.5).

The stimuli of `emulator.random_stimulus` or, with a tensor scale, `emulator.random_scaled_stimulus`
and `emulator.scaled_choices` or `emulator.scaled_votes`; and ``grids``: blocks with an amax that
each candidate in turn makes a scale s of, whose other lanes lie on the grid of the random numbers
under s. They know no answers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emulator.formats import FP32, Format
from emulator.layout import Words, scaled_input_layout
from emulator.random_scaled_stimulus import random_scaled_stimulus, random_scaled_stimulus_names
from emulator.random_scaled_words import random_scaled_words
from emulator.random_stimulus import (
    grid_block,
    numbers_and_seeds,
    random_stimulus,
    random_stimulus_names,
)
from emulator.random_words import random_words
from emulator.recipes import VOTING_RULES, Recipe
from emulator.scaled_choices import choice_names, choice_stimulus
from emulator.scaled_stimulus import GIVEN
from emulator.scaled_votes import scaled_vote_names, scaled_vote_stimulus
from emulator.scaled_words import float32_patterns, kind_of

GRIDS = "grids"
GRIDS_BLOCKS = 1500
"""Blocks of ``grids``, or with a tensor scale at least so many."""

ONE = 0x3F800000
"""Pattern of the float32 number 1."""

ORIGINS = tuple((divisor, offset) for divisor in (6, 4) for offset in (0, -1, 1))
"""Divisor and offset in codes of each candidate that a rule can have (spec §15.1)."""


def random_select_stimulus_names(recipe: Recipe, x_format: Format, *, chooses: bool) -> list[str]:
    """All names that `random_select_stimulus` knows.

    Args:
        recipe: with stochastic rounding.
        x_format: FP16, BF16 or FP32.
        chooses: whether errors decide, so that words with equal ones under a tensor scale count;
            where votes do, those at the steps of the votes.
    """
    if recipe.tensor_scale is None:
        return [GRIDS, *random_stimulus_names(recipe, x_format)]
    more = choice_names() if chooses else scaled_vote_names() if recipe.rule in VOTING_RULES else ()
    return [GRIDS, *random_scaled_stimulus_names(), *more]


def random_select_stimulus(
    name: str, recipe: Recipe, x_format: Format, *, blocks: int | None = None, seed: int = 0
) -> Words:
    """Input words of a named stimulus (spec §26.1, §26.4).

    Args:
        name: one of `random_select_stimulus_names`.
        recipe: with stochastic rounding and a rule that chooses.
        x_format: FP16, BF16 or FP32.
        blocks: number of words, for "random" only.
        seed: of the stimulus, from 0.

    Raises:
        UnknownNameError: for a name that does not exist.
        ValueError: for ``blocks`` with a stimulus of fixed size, or blocks or seed below 0.
    """
    kind = recipe.tensor_scale
    votes = recipe.rule in VOTING_RULES
    chosen = kind is not None and name in (scaled_vote_names() if votes else choice_names())
    if name != GRIDS and not chosen:
        make = random_stimulus if kind is None else random_scaled_stimulus
        return make(name, recipe, x_format, blocks=blocks, seed=seed)
    if blocks is not None:
        raise ValueError(f"stimulus {name!r} has a fixed number of blocks")
    if seed < 0:
        raise ValueError(f"seed {seed} is below 0")
    if chosen:
        make = scaled_vote_stimulus if votes else choice_stimulus
        plain = make(name, recipe, x_format, seed=seed)
        parts = scaled_input_layout(x_format, recipe.block_size, kind_of(recipe)).unpack(plain)
        x, g = parts["x"], float32_patterns(parts["g"][:, 0], kind_of(recipe))
    else:
        made = list(_grids(recipe, x_format, seed))
        x = np.array([lanes for _, lanes in made], np.uint32)
        g = np.array([g for g, _ in made], np.uint32)
    about = numbers_and_seeds(len(x), seed)
    if kind is None:
        return random_words(x, *about, x_format)
    return random_scaled_words(x, g, *about, recipe, x_format)


def _grids(recipe: Recipe, x_format: Format, seed: int) -> Iterator[tuple[int, list[int]]]:
    """Tensor scales, and blocks on the grid of a scale that is made of amax by some candidate."""
    rng, scale = np.random.default_rng(seed), recipe.scale
    given = (ONE,) if recipe.tensor_scale is None else GIVEN[recipe.tensor_scale]
    each = -(-GRIDS_BLOCKS // len(given))
    for pattern in given:
        g = FP32.value(pattern)
        units = [scale.value(code) * g for code in range(scale.max_code + 1)]
        inside = [u for u in units if x_format.min_positive <= u <= x_format.max / 8]
        for turn in range(each if inside else 0):
            at = units.index(inside[rng.integers(len(inside))])
            divisor, offset = ORIGINS[turn % len(ORIGINS)]
            origin = units[max(1, min(at - offset, len(units) - 1))]
            if divisor * origin <= x_format.max:
                yield pattern, grid_block(recipe, x_format, units[at], rng, divisor * origin)
