"""The quantizer with stochastic rounding as a subject: words bring number and seed (spec §26)."""

from __future__ import annotations

from cocotb_tests.quantizer_subject import explain
from cocotb_tests.subject import Subject
from emulator.layout import Words
from emulator.random_stimulus import random_stimulus, random_stimulus_names
from emulator.random_words import expected_random, seed_of
from rtl.random_variant import RandomVariant


class RandomQuantizerSubject(Subject[RandomVariant]):
    """See `Subject`."""

    def names(self) -> list[str]:
        """All stimuli but the random one."""
        names = random_stimulus_names(self.variant.recipe, self.variant.input)
        return [name for name in names if name != "random"]

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of `emulator.random_stimulus`."""
        recipe, fmt = self.variant.recipe, self.variant.input
        return random_stimulus(name, recipe, fmt, blocks=words, seed=seed)

    def expected(self, words: Words) -> Words:
        """Words by the kernels."""
        return expected_random(self.variant.recipe, self.variant.input, words)

    def explain(self, spec: Words, dut: Words, stimulus: Words, label: str) -> list[str]:
        """As for a quantizer, with number and seed in front."""
        parts = self.variant.input_layout.unpack(stimulus[None])
        number, seed = int(parts["number"][0, 0]), seed_of(parts["seed"][0])
        about = f"{label} (block {number:x}, seed {seed:x})"
        lines = explain(spec, dut, stimulus, self.variant, about)
        return [line.replace("(spec §9.1)", "(spec §19.2)") for line in lines]
