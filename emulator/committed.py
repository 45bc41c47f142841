"""The golden vectors kept in the repository: small enough to review, from the reference."""

from __future__ import annotations

from emulator.formats import BF16, FP16, FP32, Format
from emulator.in_range import in_range_names
from emulator.recipes import ALL_SELECTIONS, BLOCK_SIZES, SELECTIONS, Recipe, recipe
from emulator.stimulus import directed_names

COMMITTED_INPUTS = (BF16, FP16, FP32)
"""Input formats of the committed set."""

OTHER_SELECTIONS = ("ue4m3-absmax-pz", "ue5m3-absmax", "e8m0-even")
"""Recipes of the committed set with float16 and float32 inputs."""

MAIN_BLOCK = 16
"""Block size at which the committed set has every recipe."""

LIMIT = 4 << 20
"""Bytes that the committed set may take."""


def committed_recipes() -> list[Recipe]:
    """Recipes of the committed set."""
    first = [recipe(f"{s}-b{b}") for s in SELECTIONS for b in BLOCK_SIZES]
    return first + [
        recipe(f"{selection}-b{block}")
        for selection in _others()
        for block in (MAIN_BLOCK, _second(selection)[0])
    ]


def committed_names(r: Recipe, x_format: Format) -> list[str]:
    """Stimuli of the committed set for a recipe and an input format.

    Where the scale code depends on amax alone, bfloat16 has all block sizes, and every value of it
    at block 16. float16 and float32 differ from it in unpacking and rounding only, so one recipe
    per scale format at block 8 covers them. All other recipes have the short stimuli: bfloat16 at
    block 16, and one of the other block sizes with one of the other inputs, in turn. That keeps
    the set within `LIMIT`.
    """
    if r.selection not in SELECTIONS:
        if r.block_size == MAIN_BLOCK:
            return in_range_names(r) if x_format == BF16 else []
        names = in_range_names(r)[:1]
        return names if (r.block_size, x_format) == _second(r.selection) else []
    names = [*directed_names(r), "random"]
    if x_format == BF16:
        return [*names, "sweep"] if r.block_size == MAIN_BLOCK else names
    return names if r.block_size == 8 and r.selection in OTHER_SELECTIONS else []


def _others() -> list[str]:
    """Selections that are not in `SELECTIONS`."""
    return [s for s in ALL_SELECTIONS if s not in SELECTIONS]


def _second(selection: str) -> tuple[int, Format]:
    """The other block size and the other input of a selection."""
    number = _others().index(selection)
    blocks = [b for b in BLOCK_SIZES if b != MAIN_BLOCK]
    return blocks[number % len(blocks)], (FP32, FP16)[number // len(blocks) % 2]
