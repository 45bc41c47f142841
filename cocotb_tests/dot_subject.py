"""The dot product as a subject: the emulator gives its words."""

from __future__ import annotations

from cocotb_tests.subject import Subject
from emulator import dot_stimulus, dot_stream
from emulator.layout import Words
from rtl.dot_variant import DotVariant


class DotSubject(Subject[DotVariant]):
    """See `Subject`. A word of its stimuli is a word of operands; results are fewer."""

    def names(self) -> list[str]:
        """See `emulator.dot_stimulus`."""
        return dot_stimulus.stimulus_names(self.variant.words)

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of `emulator.dot_stimulus`; they end with the end of a dot product."""
        return dot_stimulus.stimulus(self.variant.words, name, count=words, seed=seed)

    def expected(self, words: Words) -> Words:
        """Words by the kernels."""
        return dot_stream.expected(self.variant.words, words)

    def explain(self, spec: Words, dut: Words, stimulus: Words, label: str) -> list[str]:
        """As for any unit, with the clause of the accumulation; the word is the last of its sum."""
        kind = self.variant.accumulation.kind
        clause = {"block": "§16.2", "fp32": "§16.4", "exact": "§16.5", "tc": "§16.10"}[kind]
        lines = super().explain(spec, dut, stimulus, label)
        return [f"{line} (spec {clause}; last word of its dot product)" for line in lines]
