"""Runs the worked examples of spec §26 by the reference."""

from __future__ import annotations

import numpy as np

from emulator.layout import from_hex, to_hex
from emulator.random_scaled_words import (
    expected_random_scaled_by_reference,
    random_scaled_layout,
    random_scaled_words,
)
from emulator.random_words import expected_random_by_reference, random_input_layout, random_words
from emulator.recipes import recipe
from rtl.random_variant import RandomVariant
from rtl.variants import variant
from tests.spec_examples import Example, floats


def run_number(e: Example) -> tuple[str, str]:
    """The word of lanes, a block number and a seed, maybe a tensor scale (spec §26.1, §26.4)."""
    r = recipe(e.subject)
    left, j, seed, *scale = e.left.split()
    x, bits = floats(left)
    j, seed = j.removeprefix("j="), seed.removeprefix("seed=")
    if scale:
        g = np.array([int(scale[0].removeprefix("g="), 16)], np.uint32)
        lanes = np.array([bits], np.uint32)
        words = random_scaled_words(lanes, g, [int(j, 16)], [int(seed, 16)], r, x)
        return to_hex(words, random_scaled_layout(r, x))[0], e.right
    words = random_words(np.array([bits], np.uint32), [int(j, 16)], [int(seed, 16)], x)
    return to_hex(words, random_input_layout(x, r.block_size))[0], e.right


def run_random_words(e: Example) -> tuple[str, str]:
    """Output words of a stream (spec §26.2, §26.4)."""
    v = variant(e.subject)
    assert isinstance(v, RandomVariant)
    words = from_hex(e.left.split(","), v.input_layout)
    scaled = v.recipe.tensor_scale is not None
    compute = expected_random_scaled_by_reference if scaled else expected_random_by_reference
    out = compute(v.recipe, v.input, words)
    return ",".join(to_hex(out, v.output_layout)), e.right


def run_pace(e: Example) -> tuple[str, str]:
    """Latency and interval (spec §26.3)."""
    v = variant(e.subject)
    return f"{v.latency} {v.interval}", e.right


RANDOM_WORDS = {"number": run_number, "drawn": run_random_words, "pace": run_pace}
