"""Which words a design is simulated with, and how they are divided over the protocol tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cocotb_tests import unit_vectors
from cocotb_tests.harness import TESTS, Stimulus
from cocotb_tests.report import StimulusResult
from cocotb_tests.subject import Named, Subject
from cocotb_tests.subjects import subject
from emulator import integrity
from emulator.errors import FileFormatError
from emulator.layout import Words
from rtl.variant import Device, Variant

RESET_BLOCKS = 512
"""Blocks of the reset test; it needs no more to have words in flight."""


@dataclass(frozen=True)
class Vectors:
    """Named stimuli, one after the other."""

    subject: Subject[Any]
    names: list[str]
    starts: list[int]
    words: Words
    spec: Words

    @classmethod
    def join(cls, subject: Subject[Any], parts: Named) -> Vectors:
        """Put named stimuli in a row."""
        starts = np.cumsum([0, *(len(words) for _, words, _ in parts)]).tolist()
        words = np.concatenate([words for _, words, _ in parts])
        if subject.variant.last_bit is None:
            spec = np.concatenate([spec for _, _, spec in parts])
        else:  # what a stimulus leaves open is a part of the next one's first result
            spec = subject.expected(words)
        return cls(subject, [name for name, _, _ in parts], starts, words, spec)

    def label(self, row: int) -> str:
        """Name of a word: its stimulus and its place in it."""
        part = int(np.searchsorted(self.starts, row, side="right")) - 1
        return f"{self.names[part]} block {row - self.starts[part]}"

    def every(self, start: int, step: int = 1) -> Stimulus:
        """Every ``step``-th word from ``start``."""
        words = self.words[start::step]
        same = self.subject.variant.last_bit is None or (start, step) == (0, 1)
        spec = self.spec[start::step] if same else self.subject.expected(words)
        return Stimulus(words, spec, lambda k: self.label(start + step * k))

    def results(self, engine: str) -> list[StimulusResult]:
        """One line per stimulus."""
        sizes = np.diff(self.starts).tolist()
        return [StimulusResult(n, engine, s) for n, s in zip(self.names, sizes, strict=True)]


def gather(variant: Device, blocks: int, seed: int = 0, vectors: Path | None = None) -> Vectors:
    """All directed stimuli of a variant and random words up to ``blocks`` in all.

    Args:
        variant: what the design is meant to compute.
        blocks: least number of words; at least 256 of them are random.
        seed: seed of the random words.
        vectors: folder of golden vectors, of recipes or of units, to take instead, checked first.

    Raises:
        FileFormatError: if the folder is not intact or holds none for the variant.
    """
    about = subject(variant)
    if vectors is not None and unit_vectors.is_unit_folder(vectors):
        if not isinstance(variant, Variant):
            raise FileFormatError(f"{vectors}: holds words of units, none of {variant}")
        return Vectors.join(about, unit_vectors.load(vectors, variant))
    if vectors is not None:
        integrity.check(vectors)
        return Vectors.join(about, about.load(vectors))
    given = [(name, about.stimulus(name, seed=seed)) for name in about.names()]
    directed = sum(len(words) for _, words in given)
    random = about.stimulus("random", words=max(256, blocks - directed), seed=seed)
    given.append(("random", random))
    return Vectors.join(about, [(name, words, about.expected(words)) for name, words in given])


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
