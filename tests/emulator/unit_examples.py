"""Runs the worked examples of codec and dequantizer words by the reference (spec §21)."""

from __future__ import annotations

import re
from fractions import Fraction

from emulator import reference
from emulator.formats import BF16, FORMATS, FP32, Format
from emulator.layout import WordLayout, block_layout, code_layout, input_layout
from emulator.recipes import Recipe, recipe
from tests.spec_examples import Example

_NAME = re.compile(
    r"(?P<unit>encode|decode)-(?P<code>\w+)-(?P<number>\w+?)(?P<ieee>-ieee)?(-x(?P<lanes>\d+))?"
    r"|dequantizer-(?P<recipe>.+-b\d+)-(?P<output>\w+)"
)


def split(word: int, layout: WordLayout) -> dict[str, list[int]]:
    """The parts of a word, field by field."""
    return {
        f.name: [word >> (f.offset + i * f.width) & ((1 << f.width) - 1) for i in range(f.count)]
        for f in layout.fields
    }


def joined(parts: list[int], layout: WordLayout) -> str:
    """A word of one field, in hex."""
    (field,) = layout.fields
    word = sum(part << (i * field.width) for i, part in enumerate(parts))
    return f"{word:0{layout.digits}x}"


def given_scale(r: Recipe, g: int) -> Fraction:
    """The tensor scale that a word holds (spec §21.6)."""
    if r.tensor_scale == "hp2":
        return Fraction(2) ** (g - FP32.bias)
    return (BF16 if r.tensor_scale == "hbf16" else FP32).value(g)


def _block(r: Recipe, output: Format, word: int) -> str:
    parts = split(word, block_layout(r.block_format))
    g = given_scale(r, parts["g"][0]) if r.tensor_scale else reference.ONE
    numbers = reference.dequantize_block(parts["scale"][0], parts["codes"], r, output, g)
    return joined(numbers, input_layout(output, r.block_size))


def run_through(e: Example) -> tuple[str, str]:
    """The output word of a unit for an input word."""
    match = _NAME.fullmatch(e.subject)
    assert match is not None, e.subject
    word = int(e.left, 16)
    if match["recipe"]:
        r = recipe(match["recipe"])
        assert len(e.left) == block_layout(r.block_format).digits
        return _block(r, FORMATS[match["output"]], word), e.right
    fmt, number = FORMATS[match["code"]], FORMATS[match["number"]]
    lanes = int(match["lanes"] or 1)
    floats, codes = input_layout(number, lanes), code_layout(fmt, lanes)
    if match["unit"] == "decode":
        assert len(e.left) == codes.digits
        found = [reference.decode(c, fmt, number) for c in split(word, codes)["codes"]]
        return joined(found, floats), e.right
    assert len(e.left) == floats.digits
    overflow = "ieee" if match["ieee"] else "saturate"
    bits = split(word, floats)["x"]
    found = [reference.encode(b, number, fmt, overflow, "zero") for b in bits]
    return joined(found, codes), e.right
