"""Runs the worked examples on dot products by the reference; other tests take operands from here.

    dot <recipe>[,<recipe of b>] <accumulation> <blocks> * <blocks> [g=fp32:<scale>,...] -> fp32:..
    width <recipe> <blocks> -> <bits>

Blocks are ``scale codes | scale codes``; codes that a block leaves out at its end are 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from emulator import reference_dot
from emulator.accumulation import Accumulation, accumulation, exact_bits
from emulator.recipes import Recipe, recipe
from tests.spec_examples import Example, floats

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
