"""Words go out and come back, and hex lines that are no words are named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import FileFormatError
from emulator.formats import FORMATS
from emulator.layout import from_hex, input_layout, output_layout, to_hex
from emulator.recipes import recipe


@given(st.integers(1, 8), st.sampled_from(["e2m1", "e2m3", "e5m2"]), st.integers(0, 2**32))
def test_output_words_round_trip(log_block: int, element: str, seed: int) -> None:
    """spec §11.2."""
    fmt = recipe(f"{element}.ue5m3-absmax-b{2**log_block}".removeprefix("e2m1.")).block_format
    layout = output_layout(fmt)
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 1 << fmt.element.width, (5, fmt.block_size), np.uint8)
    scale = rng.integers(0, 256, (5, 1), np.uint8)
    words = layout.pack(codes=codes, scale=scale)
    parts = layout.unpack(words)
    assert (parts["codes"] == codes).all() and (parts["scale"] == scale).all()
    assert (from_hex(to_hex(words, layout), layout) == words).all()
    # The word as an integer is the sum that the clause states.
    word = int(to_hex(words, layout)[0], 16)
    width = fmt.element.width
    total = sum(int(c) << (width * i) for i, c in enumerate(codes[0]))
    assert word == total + (int(scale[0, 0]) << (width * fmt.block_size))


@pytest.mark.parametrize("name", ["bf16", "fp16", "fp32"])
def test_input_words_round_trip(name: str) -> None:
    """spec §11.1."""
    layout = input_layout(FORMATS[name], 8)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 1 << FORMATS[name].width, (9, 8)).astype(layout.fields[0].dtype)
    words = layout.pack(x=x)
    assert (layout.unpack(words)["x"] == x).all()
    assert int(to_hex(words, layout)[3], 16) == sum(
        int(v) << (FORMATS[name].width * i) for i, v in enumerate(x[3])
    )


LAYOUT = output_layout(recipe("ue5m3-absmax-b2").block_format)


@pytest.mark.parametrize("line", ["", "123", "7A70", "12345", "12g4", "0x12", "12 4", "+124"])
def test_lines_that_are_no_words(line: str) -> None:
    """spec §11.3."""
    with pytest.raises(FileFormatError, match=r"v.hex:2: .* is not a word of 4 lower-case hex"):
        from_hex(["7870", line], LAYOUT, "v.hex")


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="field codes: 0x10 exceeds 4 bits"):
        LAYOUT.pack(codes=np.array([[16, 0]], np.uint8), scale=np.array([0], np.uint8))
    with pytest.raises(ValueError, match="fields"):
        LAYOUT.pack(codes=np.array([[1, 0]], np.uint8))
