"""Runs the worked examples on dot products by the reference; other tests take operands from here.

    dot <recipe>[,<recipe of b>] <accumulation> <blocks> * <blocks> [g=fp32:<scale>,...] -> fp32:..
    width <recipe> <blocks> -> <bits>
    operands <recipe> <accumulation or "block"> <blocks> * <blocks> [last=<bit>]
        [g=fp32:<scale>[,<scale of b>]] -> <word>
    result <accumulation> fp32:<pattern> [overflow=<bit>] -> <word>
    overflow <recipe> <N> <blocks> * <blocks> -> <flag of an accumulator for N blocks>

Blocks are ``scale codes | scale codes``; codes that a block leaves out at its end are 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from emulator import reference_dot
from emulator.accumulation import Accumulation, accumulation, exact_bits, unit_exponent
from emulator.dot_layout import DotWords
from emulator.layout import to_hex
from emulator.recipes import Recipe, recipe
from tests.spec_examples import Example, floats

TENSOR_SCALES = {None: (), "h": ("g",), "hbf16": ("a_g", "b_g"), "hp2": ("a_g", "b_g")}
LOWER = {None: 0, "h": 0, "hbf16": 16, "hp2": 23}
"""Bits of a float32 that a word leaves out of a tensor scale (spec §23.1)."""

Operand = list[tuple[int, list[int]]]


@dataclass(frozen=True)
class DotExample:
    """A parsed `dot` line."""

    recipes: tuple[Recipe, Recipe]
    accumulation: Accumulation
    operands: tuple[Operand, Operand]
    tensor_scales: list[int]
    want: int


def _operand(text: str, r: Recipe) -> Operand:
    blocks = []
    for block in text.split(" | "):
        scale, codes = block.split()
        blocks.append((int(scale, 16), [int(c, 16) for c in codes.ljust(r.block_size, "0")]))
    return blocks


def parse(e: Example) -> DotExample:
    """Parse a `dot` line of the specification."""
    a, b = (recipe(name) for name in (e.subject.split(",") * 2)[:2])
    left, _, scales = e.left.partition(" g=")
    name, operands = left.split(" ", 1)
    of_a, of_b = operands.split(" * ")
    tensor_scales = floats(scales)[1] if scales else []
    _, [want] = floats(e.right)
    return DotExample(
        (a, b), accumulation(name), (_operand(of_a, a), _operand(of_b, b)), tensor_scales, want
    )


def run_dot(e: Example) -> tuple[str, str]:
    """What the reference gives for a `dot` line, and what the line says."""
    x = parse(e)
    a, b = (r.block_format for r in x.recipes)
    got = reference_dot.dot(*x.operands, a, b, x.accumulation, x.tensor_scales)
    return f"{got:08x}", f"{x.want:08x}"


def run_width(e: Example) -> tuple[str, str]:
    """What `exact_bits` gives for a `width` line, and what the line says."""
    stored = recipe(e.subject).block_format
    return str(exact_bits(stored, stored, int(e.left))), e.right


def _options(text: str) -> tuple[str, dict[str, int]]:
    """Split off ``name=value`` at the end of a line; values are hex patterns."""
    found = re.findall(r" (\w+)=(?:fp32:)?([0-9a-f]+)", text)
    return re.sub(r" \w+=\S+", "", text), {name: int(value, 16) for name, value in found}


def run_operands(e: Example) -> tuple[str, str]:
    """The word of an `operands` line by its layout, and the one in the line (spec §22.1)."""
    r = recipe(e.subject)
    text, _, scales = e.left.partition(" g=")
    left, options = _options(text)
    name, operands = left.split(" ", 1)
    chosen = None if name == "block" else accumulation(name)
    of_a, of_b = (_operand(text, r) for text in operands.split(" * "))
    kind = (r.tensor_scale or "h") if scales else None
    words = DotWords(r.block_format, chosen, len(of_a), kind)
    parts: dict[str, Any] = {
        name: np.array([[value]], np.uint32) for name, value in options.items()
    }
    for name, g in zip(TENSOR_SCALES[kind], floats(scales)[1] if scales else [], strict=True):
        parts[name] = np.array([[g >> LOWER[kind]]], np.uint32)
    for x, blocks in (("a", of_a), ("b", of_b)):
        parts[f"{x}_codes"] = np.array([[c for _, codes in blocks for c in codes]], np.uint8)
        parts[f"{x}_scales"] = np.array([[scale for scale, _ in blocks]], np.uint8)
    return to_hex(words.operands.pack(**parts), words.operands)[0], e.right


def run_result(e: Example) -> tuple[str, str]:
    """The word of a `result` line by its layout, and the one in the line (spec §22.4)."""
    left, options = _options(f" {e.left}")
    words = DotWords(recipe("ue5m3-absmax-b16").block_format, accumulation(e.subject))
    parts = {"y": floats(left.strip())[1], **{name: [value] for name, value in options.items()}}
    packed = words.results.pack(**{k: np.array([v], np.uint32) for k, v in parts.items()})
    return to_hex(packed, words.results)[0], e.right


def run_overflow(e: Example) -> tuple[str, str]:
    """Whether a sum of exact products leaves the accumulator, and what the line says."""
    r = recipe(e.subject)
    stored = r.block_format
    blocks, operands = e.left.split(" ", 1)
    of_a, of_b = (_operand(text, r) for text in operands.split(" * "))
    limit = 1 << (exact_bits(stored, stored, int(blocks)) - 1)
    total, over = Fraction(0), False
    for (sa, xa), (sb, xb) in zip(of_a, of_b, strict=True):
        inner = sum(
            (r.element.value(x) * r.element.value(y) for x, y in zip(xa, xb, strict=True)),
            Fraction(0),
        )
        total += inner * r.scale.value(sa) * r.scale.value(sb)
        over |= not -limit <= total / Fraction(2) ** unit_exponent(stored, stored) < limit
    return str(int(over)), e.right
