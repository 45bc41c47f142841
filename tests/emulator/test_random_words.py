"""Words with block numbers and seeds: kernels against the reference, and the examples."""

from __future__ import annotations

import numpy as np
import pytest

from emulator.formats import FORMATS
from emulator.random_stimulus import SEEDS, random_stimulus, random_stimulus_names
from emulator.random_words import (
    expected_random,
    expected_random_by_reference,
    random_input_layout,
    seed_of,
)
from emulator.recipes import recipe
from rtl.random_variant import RandomVariant
from tests.emulator.random_words_examples import RANDOM_WORDS
from tests.spec_examples import Example, examples

EXAMPLES = [e for e in examples() if e.verb in RANDOM_WORDS]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_example(example: Example) -> None:
    """spec §26.1, §26.2, §26.3, §26.4"""
    found, want = RANDOM_WORDS[example.verb](example)
    assert found == want


def test_each_clause_has_run() -> None:
    assert {e.clause for e in EXAMPLES} == {f"§26.{k}" for k in range(1, 6)}


@pytest.mark.parametrize("selection", ["ue4m3-absmax-sr4", "ue5m3-absmax-sr13-pz"])
@pytest.mark.parametrize("x_name", ["bf16", "fp16", "fp32"])
def test_kernels_give_what_the_reference_gives(selection: str, x_name: str) -> None:
    """Numbers and seeds may differ from word to word (spec §26.2)."""
    r, x = recipe(f"{selection}-b4"), FORMATS[x_name]
    ups = 0
    for name in ("grid", "specials", "random"):
        words = random_stimulus(name, r, x)[:300]
        spec = expected_random_by_reference(r, x, words)
        assert (expected_random(r, x, words) == spec).all(), name
        ups += len(words)
    assert ups > 500


def test_stimuli_hold_many_numbers_and_seeds() -> None:
    r, x = recipe("ue4m3-absmax-sr4-b4"), FORMATS["bf16"]
    parts = random_input_layout(x, 4).unpack(random_stimulus("grid", r, x))
    assert {seed_of(row) for row in np.unique(parts["seed"], axis=0)} == set(SEEDS)
    assert len(np.unique(parts["number"])) == len(parts["number"])
    assert int(parts["number"].max()) == (1 << 57) - 2
    assert "grid" in random_stimulus_names(r, x)


def test_both_sides_have_one_layout() -> None:
    """The gates' word is the emulator's (spec §26.1)."""
    for x in ("bf16", "fp32"):
        v = RandomVariant(recipe("ue5m3-absmax-sr4-b8"), FORMATS[x])
        assert v.input_layout == random_input_layout(v.input, 8)


@pytest.mark.parametrize(("name", "blocks"), [("grid", 5), ("nothing", None)])
def test_refused_stimuli(name: str, blocks: int | None) -> None:
    with pytest.raises((ValueError, LookupError), match=r"grid|nothing"):
        random_stimulus(name, recipe("ue4m3-absmax-sr4-b4"), FORMATS["bf16"], blocks=blocks)
