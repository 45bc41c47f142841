"""A choice whose elements round at random as a subject: words where the choice changes (§26.5)."""

from __future__ import annotations

import numpy as np

from cocotb_tests.random_quantizer_subject import RandomQuantizerSubject
from cocotb_tests.random_scaled_subject import RandomScaledSubject
from cocotb_tests.subject import MIXED, Subject, evenly
from emulator.layout import Words
from emulator.random_select_stimulus import random_select_stimulus, random_select_stimulus_names
from rtl.random_select_variant import RandomSelectVariant
from rtl.random_variant import RandomVariant
from rtl.select_variant import SelectVariant

MIXED_WORDS = 80
"""Words of the mixed stimulus: about as many of each other one, evenly spread over it."""


class RandomSelectSubject(RandomQuantizerSubject):
    """See `Subject`."""

    def names(self) -> list[str]:
        """All stimuli but the random one."""
        return [*_names(self.variant), MIXED]

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of `emulator.random_select_stimulus`."""
        return _stimulus(self, name, words, seed)


class RandomScaledSelectSubject(RandomScaledSubject):
    """The same with tensor scales."""

    def names(self) -> list[str]:
        """All stimuli but the random one."""
        return [*_names(self.variant), MIXED]

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of `emulator.random_select_stimulus`."""
        return _stimulus(self, name, words, seed)


def _names(variant: object) -> list[str]:
    """Names of the stimuli that are made of values."""
    assert isinstance(variant, RandomSelectVariant)
    chooses = isinstance(variant.choice, SelectVariant)
    names = random_select_stimulus_names(variant.recipe, variant.input, chooses=chooses)
    return [name for name in names if name != "random"]


def _stimulus(about: Subject[RandomVariant], name: str, words: int | None, seed: int) -> Words:
    """Words of `emulator.random_select_stimulus`, or some of each of them."""
    v = about.variant
    if name != MIXED:
        return random_select_stimulus(name, v.recipe, v.input, blocks=words, seed=seed)
    assert words is None, f"stimulus {name!r} has a fixed number of words"
    parts = [about.stimulus(n, seed=seed) for n in [*_names(v), "random"] if n != "sweep"]
    shares = np.diff(np.arange(len(parts) + 1) * MIXED_WORDS // len(parts))
    return np.concatenate([evenly(part, n) for part, n in zip(parts, shares, strict=True)])
