"""Runs the worked examples of spec §23 by the reference."""

from __future__ import annotations

import numpy as np

from emulator import reference
from emulator.blocks import BlockFormat
from emulator.formats import E2M1, FP32
from emulator.layout import from_hex, scaled_input_layout, to_hex
from emulator.recipes import Recipe, recipe
from emulator.scaled_words import carried, expected_scaled_by_reference, kind_of, scaled_words
from rtl.tensor_variant import TensorAmaxVariant, TensorScaleVariant
from rtl.variants import QuantizerVariant, variant
from tests.spec_examples import Example, floats


def run_carry(e: Example) -> tuple[str, str]:
    r = recipe(e.subject)
    left, g = e.left.split()
    x, bits = floats(left)
    words = scaled_words(np.array([bits], np.uint16), np.array([int(g[2:], 16)], np.uint32), r, x)
    return to_hex(words, scaled_input_layout(x, r.block_size, kind_of(r)))[0], e.right


def run_words(e: Example) -> tuple[str, str]:
    v = variant(e.subject)
    words = from_hex(e.left.split(","), v.input_layout)
    parts = v.input_layout.unpack(words)
    found: list[int] = []
    if isinstance(v, QuantizerVariant):
        out = expected_scaled_by_reference(v.recipe, v.input, words)
        return ",".join(to_hex(out, v.output_layout)), e.right
    if isinstance(v, TensorAmaxVariant):
        x, largest = v.elements, 0
        for row, last in zip(parts["x"], parts["last"][:, 0], strict=True):
            magnitudes = [int(bits) & x.magnitude_mask for bits in row if x.is_finite(int(bits))]
            largest = max([largest, *magnitudes], key=x.value)
            if last:
                found.append(largest)
                largest = 0
    else:
        assert isinstance(v, TensorScaleVariant)
        r = Recipe(BlockFormat(E2M1, v.scale, 2, v.kind), "absmax")
        for bits in parts["amax"][:, 0]:
            g = reference.tensor_scale([int(bits)], v.elements, r)
            found.append(int(carried(reference.round_magnitude(g, FP32), v.kind)))
    digits = v.output_layout.digits
    return ",".join(f"{word:0{digits}x}" for word in found), e.right


def run_cycles(e: Example) -> tuple[str, str]:
    v = variant(e.subject)
    return f"{v.latency} {v.interval}", e.right


SCALED = {"carry": run_carry, "words": run_words, "cycles": run_cycles}
