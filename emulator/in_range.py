"""Few blocks, all within reach of a scale format, for recipes with a tensor scale and many others.

The tensor scale of words spread over all floats is so large that most scale codes become 0. These
stimuli hold no number above 6 times the largest scale, so that one set of words serves recipes with
and without a tensor scale. As in `emulator.directed`, no code is computed here.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from emulator.directed import THRESHOLDS, Block, Directed, floor_pattern
from emulator.formats import Format
from emulator.recipes import E8M0_RULES, Recipe

BLOCKS = 32
"""Blocks of each of these stimuli."""

AMAX_RULES = ("absmax", *(rule for rule in E8M0_RULES if rule != "fc"))
"""Rules with one candidate, for which equal errors mean nothing."""

LARGEST = Fraction(13, 32)
"""Of `spread`: the tensor amax, in parts of the reach. Every kind of tensor scale differs for it:
the quotient ends in no float's last bit, and a power of two is another number."""


def reach(recipe: Recipe) -> Fraction:
    """The largest amax that the scale format reaches without a tensor scale."""
    return 6 * (Fraction(256) if recipe.tensor_scale == "h256" else recipe.scale.max)


def in_range_names(recipe: Recipe) -> list[str]:
    """Names of these stimuli for a recipe; recipes of one name share the words."""
    key = recipe.scale.name + ("-256" if recipe.tensor_scale == "h256" else "")
    choosing = recipe.rule not in AMAX_RULES and recipe.tensor_scale is None
    return [f"spread-{key}", *([f"equal-{key}"] if choosing else [])]


def in_range(name: str, recipe: Recipe, x_format: Format, seed: int) -> list[Block]:
    """Blocks of one of `in_range_names`."""
    make = spread if name.startswith("spread") else equal
    return make(recipe, x_format, seed)


def spread(recipe: Recipe, x_format: Format, seed: int) -> list[Block]:
    """Random blocks with amax in all binades within reach, from raw PCG64 bits.

    One holds the tensor amax; one is zero, one below the smallest scale, one has a NaN and one an
    infinity. In every third of the rest all numbers have at most three fraction bits; in every
    third they are those about the thresholds of elements, under the exact quotient of tensor amax
    and reach, where kinds of tensor scale that round it otherwise part.
    """
    size, f = recipe.block_size, x_format.fraction_bits
    largest = floor_pattern(min(reach(recipe), x_format.max) * LARGEST, x_format)
    top = largest >> f
    low = max(1, recipe.scale.min_quantum + 2 + x_format.bias)
    raw = np.random.PCG64(seed).random_raw(BLOCKS * (size + 1)).reshape(BLOCKS, size + 1)
    blocks: list[Block] = []
    quotient = x_format.value(largest) / reach(recipe)
    for number, (first, *others) in enumerate(raw.tolist()):
        if number % 3 == 2:
            blocks.append(_about_thresholds(first, others, quotient, recipe, x_format))
            continue
        base = low + (first >> 32) % (top - low)
        coarse = (1 << f) - (1 << max(0, f - 3)) if number % 3 else (1 << f) - 1
        block = []
        for bits in others:
            field = max(0, base - (bits & 7))
            sign = x_format.sign_mask if bits >> 63 else 0
            block.append(sign | field << f | (bits >> 8) & coarse)
        blocks.append(block)
    minus, inf = x_format.sign_mask, x_format.inf_code
    assert inf is not None
    tiny = floor_pattern(recipe.scale.min_positive / 4, x_format)
    blocks[0][size // 2] = largest | minus
    blocks[1] = [minus if lane % 3 == 1 else 0 for lane in range(size)]
    blocks[2] = [max(tiny - (bits & 3), 0) for bits in blocks[2]]
    blocks[3][0], blocks[4][size - 1] = inf + 1, inf | minus
    return blocks


def _about_thresholds(
    first: int, others: list[int], quotient: Fraction, recipe: Recipe, x_format: Format
) -> Block:
    """Lanes just below or above the thresholds of a scale times the quotient."""
    scale = recipe.scale
    limit = reach(recipe) / 6
    codes = [c for c in range(scale.max_code + 1) if scale.value(c) <= limit]
    low = min(len(codes) // 4, len(codes) - 1)
    product = scale.value(codes[low + (first >> 32) % (len(codes) - low)]) * quotient
    block = []
    for lane, bits in enumerate(others):
        factor = Fraction(6) if lane == 0 else THRESHOLDS[bits % len(THRESHOLDS)]
        pattern = floor_pattern(min(factor * product, x_format.max), x_format)
        up = bits >> 32 & 1 and lane > 0
        block.append((x_format.sign_mask if bits >> 63 else 0) | pattern + up)
    return block


def equal(recipe: Recipe, x_format: Format, seed: int) -> list[Block]:
    """Blocks of `Directed.choices`, evenly taken from all.

    Errors that are equal without a tensor scale are not with one, so these are for recipes without.
    """
    known = list(Directed(recipe, x_format, seed).choices())
    step = Fraction(len(known), BLOCKS)
    return [known[int(i * step)] for i in range(BLOCKS)]
