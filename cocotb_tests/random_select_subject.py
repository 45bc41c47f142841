"""A choice whose elements round at random as a subject: words where the choice changes (§26.5)."""

from __future__ import annotations

from cocotb_tests.random_quantizer_subject import RandomQuantizerSubject
from cocotb_tests.random_scaled_subject import RandomScaledSubject
from emulator.layout import Words
from emulator.random_select_stimulus import random_select_stimulus, random_select_stimulus_names
from rtl.random_select_variant import RandomSelectVariant
from rtl.select_variant import SelectVariant


class RandomSelectSubject(RandomQuantizerSubject):
    """See `Subject`."""

    def names(self) -> list[str]:
        """All stimuli but the random one."""
        return _names(self.variant)

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of `emulator.random_select_stimulus`."""
        recipe, fmt = self.variant.recipe, self.variant.input
        return random_select_stimulus(name, recipe, fmt, blocks=words, seed=seed)


class RandomScaledSelectSubject(RandomScaledSubject):
    """The same with tensor scales."""

    def names(self) -> list[str]:
        """All stimuli but the random one."""
        return _names(self.variant)

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of `emulator.random_select_stimulus`."""
        recipe, fmt = self.variant.recipe, self.variant.input
        return random_select_stimulus(name, recipe, fmt, blocks=words, seed=seed)


def _names(variant: object) -> list[str]:
    assert isinstance(variant, RandomSelectVariant)
    chooses = isinstance(variant.choice, SelectVariant)
    names = random_select_stimulus_names(variant.recipe, variant.input, chooses=chooses)
    return [name for name in names if name != "random"]
