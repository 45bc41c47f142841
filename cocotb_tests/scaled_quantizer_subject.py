"""The quantizer with a tensor scale as a subject: each word brings its own (spec §23)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cocotb_tests.quantizer_subject import explain
from cocotb_tests.subject import Named, Subject
from emulator import golden
from emulator.formats import FP32
from emulator.layout import Words, input_layout
from emulator.scaled_stimulus import scaled_stimulus, scaled_stimulus_names
from emulator.scaled_words import expected_scaled, float32_patterns, kind_of, scaled_words
from emulator.tensor import quantize
from rtl.quantizer_variant import QuantizerVariant


class ScaledQuantizerSubject(Subject[QuantizerVariant]):
    """See `Subject`."""

    def names(self) -> list[str]:
        """All stimuli but the random one."""
        return [name for name in scaled_stimulus_names() if name != "random"]

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of `emulator.scaled_stimulus`."""
        recipe, fmt = self.variant.recipe, self.variant.input
        return scaled_stimulus(name, recipe, fmt, blocks=words, seed=seed)

    def expected(self, words: Words) -> Words:
        """Words by the kernels."""
        return expected_scaled(self.variant.recipe, self.variant.input, words)

    def load(self, folder: Path) -> Named:
        """Golden vectors, whose words are one tensor: all carry its tensor scale (spec §11.4)."""
        recipe, fmt = self.variant.recipe, self.variant.input
        found = []
        for name, words, spec in golden.load(folder, recipe, fmt):
            g = quantize(golden.float_lanes(words, fmt, recipe.block_size), recipe).tensor_scale
            lanes = input_layout(fmt, recipe.block_size).unpack(words)["x"]
            patterns = np.full(len(words), np.float32(g).view(np.uint32), np.uint32)
            found.append((name, scaled_words(lanes, patterns, recipe, fmt), spec))
        return found

    def explain(self, spec: Words, dut: Words, stimulus: Words, label: str) -> list[str]:
        """As for a quantizer, with the tensor scale in front."""
        field = self.variant.input_layout.unpack(stimulus[None])["g"][0, 0]
        g = int(float32_patterns(field, kind_of(self.variant.recipe)))
        about = f"{label} (tensor scale {g:08x} = {float(FP32.value(g)):.9g})"
        return explain(spec, dut, stimulus, self.variant, about)
