"""Which words a design is simulated with, and how they are divided over the protocol tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cocotb_tests.harness import TESTS, Stimulus
from cocotb_tests.report import StimulusResult
from emulator import golden, integrity
from emulator.layout import Words
from emulator.stimulus import stimulus, stimulus_names
from rtl.variants import Variant

RESET_BLOCKS = 512
"""Blocks of the reset test; it needs no more to have words in flight."""


@dataclass(frozen=True)
class Vectors:
    """Named stimuli, one after the other, with the required words."""

    names: list[str]
    starts: list[int]
    words: Words
    spec: Words

    @classmethod
    def join(cls, parts: list[tuple[str, Words, Words]]) -> Vectors:
        """Put named stimuli in a row."""
        starts = np.cumsum([0, *(len(words) for _, words, _ in parts)]).tolist()
        return cls(
            [name for name, _, _ in parts],
            starts,
            np.concatenate([words for _, words, _ in parts]),
            np.concatenate([spec for _, _, spec in parts]),
        )

    def label(self, row: int) -> str:
        """Name of a word: its stimulus and its place in it."""
        part = int(np.searchsorted(self.starts, row, side="right")) - 1
        return f"{self.names[part]} block {row - self.starts[part]}"

    def every(self, start: int, step: int = 1) -> Stimulus:
        """Every ``step``-th word from ``start``."""
        words, spec = self.words[start::step], self.spec[start::step]
        return Stimulus(words, spec, lambda k: self.label(start + step * k))

    def results(self, engine: str) -> list[StimulusResult]:
        """One line per stimulus."""
        sizes = np.diff(self.starts).tolist()
        return [StimulusResult(n, engine, s) for n, s in zip(self.names, sizes, strict=True)]


def gather(variant: Variant, blocks: int, seed: int = 0, vectors: Path | None = None) -> Vectors:
    """All directed stimuli of a variant and random words up to ``blocks`` in all.

    Args:
        variant: gives recipe and input format.
        blocks: least number of words; at least 256 of them are random.
        seed: seed of the random words.
        vectors: folder of golden vectors to take instead, checked first.

    Raises:
        FileFormatError: if the folder is not intact or holds none for the variant.
    """
    recipe, source = variant.recipe, variant.input
    if vectors is not None:
        integrity.check(vectors)
        return Vectors.join(golden.load(vectors, recipe, source))
    parts: list[tuple[str, Words, Words]] = []
    for name in stimulus_names(recipe, source):
        if name != "random":
            words = stimulus(name, recipe, source, seed=seed)
            parts.append((name, words, golden.expected(recipe, source, words)))
    directed = sum(len(words) for _, words, _ in parts)
    words = stimulus("random", recipe, source, blocks=max(256, blocks - directed), seed=seed)
    parts.append(("random", words, golden.expected(recipe, source, words)))
    return Vectors.join(parts)


def protocol_tests(vectors: Vectors, limit: int | None = None) -> dict[str, Stimulus]:
    """Divide words over the tests: each runs at full rate, and once more with pauses."""
    if limit is not None and len(vectors.words) > limit:
        step = -(-len(vectors.words) // limit)
        thin = vectors.every(0, step)
        return dict.fromkeys(TESTS, thin)
    return {
        "full_rate": vectors.every(0),
        "random_both": vectors.every(0, 2),
        "source_pauses": vectors.every(1, 4),
        "sink_pauses": vectors.every(3, 4),
        "reset_in_mid_stream": vectors.every(0, max(1, len(vectors.words) // RESET_BLOCKS)),
    }
