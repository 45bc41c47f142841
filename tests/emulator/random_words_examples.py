"""Runs the worked examples of spec §26 by the reference."""

from __future__ import annotations

import numpy as np

from emulator.layout import from_hex, to_hex
from emulator.random_words import expected_random_by_reference, random_input_layout, random_words
from emulator.recipes import recipe
from rtl.random_variant import RandomVariant
from rtl.variants import variant
from tests.spec_examples import Example, floats


def run_number(e: Example) -> tuple[str, str]:
    """The word of lanes, a block number and a seed (spec §26.1)."""
    r = recipe(e.subject)
    left, j, seed = e.left.split()
    x, bits = floats(left)
    j, seed = j.removeprefix("j="), seed.removeprefix("seed=")
    words = random_words(np.array([bits], np.uint32), [int(j, 16)], [int(seed, 16)], x)
    return to_hex(words, random_input_layout(x, r.block_size))[0], e.right


def run_random_words(e: Example) -> tuple[str, str]:
    """Output words of a stream (spec §26.2)."""
    v = variant(e.subject)
    assert isinstance(v, RandomVariant)
    words = from_hex(e.left.split(","), v.input_layout)
    out = expected_random_by_reference(v.recipe, v.input, words)
    return ",".join(to_hex(out, v.output_layout)), e.right


def run_pace(e: Example) -> tuple[str, str]:
    """Latency and interval (spec §26.3)."""
    v = variant(e.subject)
    return f"{v.latency} {v.interval}", e.right


RANDOM_WORDS = {"number": run_number, "drawn": run_random_words, "pace": run_pace}
