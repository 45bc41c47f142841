"""The golden vectors kept in the repository: small enough to review, from the reference."""

from __future__ import annotations

from emulator.formats import BF16, FP16, FP32, Format
from emulator.recipes import BLOCK_SIZES, SELECTIONS, Recipe, recipe
from emulator.stimulus import directed_names

COMMITTED_INPUTS = (BF16, FP16, FP32)
"""Input formats of the committed set."""

OTHER_SELECTIONS = ("ue4m3-absmax-pz", "ue5m3-absmax", "e8m0-even")
"""Recipes of the committed set with float16 and float32 inputs."""

LIMIT = 4 << 20
"""Bytes that the committed set may take."""


def committed_recipes() -> list[Recipe]:
    """Recipes of the committed set."""
    return [recipe(f"{s}-b{b}") for s in SELECTIONS for b in BLOCK_SIZES]


def committed_names(r: Recipe, x_format: Format) -> list[str]:
    """Stimuli of the committed set for a recipe and an input format.

    bfloat16 has all recipes, and every value of it at block 16. float16 and float32 differ from it
    in unpacking and rounding only, so one recipe per scale format at block 8 covers them; that
    keeps the set within `LIMIT`.
    """
    names = [*directed_names(r), "random"]
    if x_format == BF16:
        return [*names, "sweep"] if r.block_size == 16 else names
    return names if r.block_size == 8 and r.selection in OTHER_SELECTIONS else []
