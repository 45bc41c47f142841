"""Subject: what a bench has to know of a unit besides its ports: inputs, required words, words.

One subclass per unit; `cocotb_tests.subjects` knows them all. Required words come from the
emulator, never from the gates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from emulator.errors import NotAvailableError
from emulator.layout import WordLayout, Words
from rtl.variant import Device

V = TypeVar("V", bound=Device)

Named = list[tuple[str, Words, Words]]
"""Stimuli: name, input words, required words."""

MIXED = "mixed"
"""A stimulus with some words of each other one."""


class Subject(ABC, Generic[V]):
    """A variant as something to be tested.

    Args:
        variant: what the design is meant to compute.
    """

    def __init__(self, variant: V) -> None:
        self.variant = variant

    @abstractmethod
    def names(self) -> list[str]:
        """Names of the stimuli, ``"random"`` left out."""

    @abstractmethod
    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Input words; ``words`` of them if the name is ``"random"``."""

    @abstractmethod
    def expected(self, words: Words) -> Words:
        """The output words that the specification requires for a stream of input words."""

    def load(self, folder: Path) -> Named:
        """Golden vectors of a folder, after it was checked.

        Raises:
            NotAvailableError: if there are none for such units.
            FileFormatError: if the folder is not intact or holds none for the variant.
        """
        raise NotAvailableError(f"{self.variant}: there are no vectors folders for {folder}")

    def explain(self, spec: Words, dut: Words, stimulus: Words, label: str) -> list[str]:
        """How one observed word differs from the required one, in a few lines.

        Args:
            spec: required word, shape ``(nbytes,)``.
            dut: observed word.
            stimulus: the input word that called for it.
            label: name of the word, for the text.
        """
        given = show_fields(self.variant.input_layout, stimulus)
        parts = [self.variant.output_layout.unpack(word[None]) for word in (spec, dut)]
        lines = []
        for field in self.variant.output_layout.fields:
            spec_part, dut_part = (p[field.name][0] for p in parts)
            digits = -(-field.width // 4)
            for lane in np.flatnonzero(spec_part != dut_part)[:3]:
                name = field.name if field.count == 1 else f"{field.name} {lane}"
                lines.append(
                    f"{label} {name}: {given} => dut {int(dut_part[lane]):0{digits}x}, "
                    f"spec {int(spec_part[lane]):0{digits}x}"
                )
        return lines


def evenly(words: Words, count: int) -> Words:
    """So many of the words, at even distances."""
    return words[np.arange(count) * len(words) // count]


def show_fields(layout: WordLayout, word: Words, most: int = 8) -> str:
    """The fields of one word in hex."""
    parts = layout.unpack(word[None])
    texts = []
    for field in layout.fields:
        digits = -(-field.width // 4)
        values = [f"{int(v):0{digits}x}" for v in parts[field.name][0][:most]]
        more = ",..." if field.count > most else ""
        texts.append(f"{field.name} {','.join(values)}{more}")
    return ", ".join(texts)


def emitting(variant: Device, words: Words) -> np.ndarray:
    """Which input words call for an output word: all, or those whose `last` bit is set."""
    if variant.last_bit is None:
        return np.ones(len(words), bool)
    byte, bit = divmod(variant.last_bit, 8)
    return (words[:, byte] >> bit & 1).astype(bool)
