"""Stochastic rounding under a tensor scale as a subject: words bring all that they need (§26.4)."""

from __future__ import annotations

from cocotb_tests.quantizer_subject import explain
from cocotb_tests.subject import Subject
from emulator.formats import FP32
from emulator.layout import Words
from emulator.random_scaled_stimulus import random_scaled_stimulus, random_scaled_stimulus_names
from emulator.random_scaled_words import expected_random_scaled
from emulator.random_words import seed_of
from emulator.scaled_words import float32_patterns, kind_of
from rtl.random_variant import RandomVariant


class RandomScaledSubject(Subject[RandomVariant]):
    """See `Subject`."""

    def names(self) -> list[str]:
        """All stimuli but the random one."""
        return [name for name in random_scaled_stimulus_names() if name != "random"]

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of `emulator.random_scaled_stimulus`."""
        recipe, fmt = self.variant.recipe, self.variant.input
        return random_scaled_stimulus(name, recipe, fmt, blocks=words, seed=seed)

    def expected(self, words: Words) -> Words:
        """Words by the kernels."""
        return expected_random_scaled(self.variant.recipe, self.variant.input, words)

    def explain(self, spec: Words, dut: Words, stimulus: Words, label: str) -> list[str]:
        """As for a quantizer, with tensor scale, number and seed in front."""
        parts = self.variant.input_layout.unpack(stimulus[None])
        number, seed = int(parts["number"][0, 0]), seed_of(parts["seed"][0])
        g = int(float32_patterns(parts["g"][0, 0], kind_of(self.variant.recipe)))
        scale = f"tensor scale {g:08x} = {float(FP32.value(g)):.9g}"
        about = f"{label} ({scale}, block {number:x}, seed {seed:x})"
        lines = explain(spec, dut, stimulus, self.variant, about)
        return [line.replace("(spec §9.1)", "(spec §19.2)") for line in lines]
