"""Runs the worked examples of vectors of units: both words of a line (spec §11.5, §11.6)."""

from __future__ import annotations

import numpy as np

from cocotb_tests.subject import emitting
from cocotb_tests.subjects import subject
from cocotb_tests.unit_reference import by_reference
from emulator.layout import to_hex
from rtl.variants import variant
from tests.spec_examples import Example


def run_vectors(e: Example) -> tuple[str, str]:
    """A word that calls for a result, and the result by the second computation."""
    name, line = e.left.split()
    v = variant(e.subject)
    about = subject(v)
    words = about.stimulus(name)
    row = int(np.flatnonzero(emitting(v, words))[int(line) - 1])
    found = by_reference(about, words[: row + 1])
    assert found is not None
    given = to_hex(words[row : row + 1], v.input_layout)
    return " ".join([*given, *to_hex(found[-1:], v.output_layout)]), e.right
