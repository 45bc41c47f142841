"""Runs the worked examples of vectors of units: both words of a line (spec §11.5 to §11.7)."""

from __future__ import annotations

import numpy as np

from cocotb_tests.memory_cases import case
from cocotb_tests.memory_reference import execute
from cocotb_tests.memory_vectors import memory_layout
from cocotb_tests.subject import emitting
from cocotb_tests.subjects import subject
from cocotb_tests.unit_reference import by_reference
from emulator.layout import to_hex
from rtl.tensor_quantizer_variant import tensor_quantizer
from rtl.variants import variant
from tests.spec_examples import Example


def run_vectors(e: Example) -> tuple[str, str]:
    """A word that calls for a result, and the result by the second computation."""
    name, line = e.left.split()
    if e.subject.startswith("tensor-quantizer-"):
        return _memory_line(e, name, int(line) - 1), e.right
    v = variant(e.subject)
    about = subject(v)
    words = about.stimulus(name)
    row = int(np.flatnonzero(emitting(v, words))[int(line) - 1])
    found = by_reference(about, words[: row + 1])
    assert found is not None
    given = to_hex(words[row : row + 1], v.input_layout)
    return " ".join([*given, *to_hex(found[-1:], v.output_layout)]), e.right


def _memory_line(e: Example, name: str, row: int) -> str:
    """A command and its status, or a word of the memory before and after, by the reference."""
    v = tensor_quantizer(e.subject)
    t = case(v, name.removesuffix("-memory"), 0)
    memory, statuses = execute(v, t.before, t.commands)
    words, layouts = (t.commands, statuses), (v.command_layout, v.status_layout)
    if name.endswith("-memory"):
        words = (t.before.reshape(-1, v.width), memory.reshape(-1, v.width))
        layouts = (memory_layout(v),) * 2
    pairs = zip(words, layouts, strict=True)
    return " ".join(to_hex(part[row : row + 1], layout)[0] for part, layout in pairs)
