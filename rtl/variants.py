"""Hardware variants: how gates compute a recipe, and the grammar of their names.

    quantizer-<recipe>-<input>[-cut<stages>]

A variant decides gates and cycles, never bits: all variants of one recipe give identical words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from emulator.errors import NotAvailableError, UnknownNameError, near
from emulator.formats import FORMATS, Format
from emulator.layout import WordLayout, input_layout, output_layout
from emulator.recipes import BLOCK_SIZES, Recipe, recipe

RULES = ("absmax", "floor", "ceil", "even")
"""Rules that there is hardware for."""

INPUTS = ("bf16", "fp16", "fp32")
"""Input formats of the quantizer."""

CUTS = {
    "i": "after the input port",
    "a": "after the amax tree",
    "s": "after the scale encoder",
    "t": "after the threshold generator",
    "o": "before the output port",
}
"""Places where a pipeline register can stand, from input to output, by letter."""

DEFAULT_CUTS = "aso"
MAX_LANES = 32
GRAMMAR = "quantizer-<recipe>-<bf16|fp16|fp32>[-cut<letters of iasto>]"

_NAME = re.compile(
    r"(?P<unit>[a-z]+)-(?P<recipe>.+-b[0-9]+)-(?P<input>[a-z0-9]+)(?:-cut(?P<cuts>[a-z]*))?"
)


@dataclass(frozen=True)
class Variant:
    """A pipelined block quantizer: one block per cycle, valid/ready on both ends.

    Args:
        recipe: what it computes; block sizes 2 to 32.
        input: format of the input lanes, one of `INPUTS`.
        cuts: letters of `CUTS` in their order; each is one register stage and one cycle of latency.

    Raises:
        ValueError: if a part is out of its range.
        NotAvailableError: if the recipe cannot be computed yet, or has no hardware yet.
    """

    recipe: Recipe
    input: Format
    cuts: str = DEFAULT_CUTS

    def __post_init__(self) -> None:
        self.recipe.require_available()
        if self.recipe.sr_bits is not None:
            raise NotAvailableError(
                f"{self.recipe.name}: hardware for stochastic rounding is not available yet"
            )
        if self.recipe.rule not in RULES or self.recipe.tensor_scale is not None:
            what = f"rule {self.recipe.rule!r}"
            if self.recipe.rule in RULES:
                what = f"tensor scale {self.recipe.tensor_scale!r}"
            raise NotAvailableError(
                f"{self.recipe.name}: hardware for {what} is not available yet (rules with "
                f"hardware: {', '.join(RULES)}; no tensor scale)"
            )
        if self.input.name not in INPUTS:
            raise ValueError(f"input format {self.input.name} is not one of {', '.join(INPUTS)}")
        if self.recipe.block_size > MAX_LANES:
            raise NotAvailableError(
                f"block size {self.recipe.block_size} exceeds the {MAX_LANES} lanes of a quantizer"
            )
        if not self.cuts or self.cuts != "".join(c for c in CUTS if c in self.cuts):
            raise ValueError(
                f"cuts {self.cuts!r} are not one or more letters of {''.join(CUTS)!r} in that order"
            )

    @property
    def name(self) -> str:
        """Canonical name; `variant(v.name) == v`."""
        tail = "" if self.cuts == DEFAULT_CUTS else f"-cut{self.cuts}"
        return f"quantizer-{self.recipe.name}-{self.input.name}{tail}"

    def __str__(self) -> str:
        return self.name

    @property
    def module(self) -> str:
        """Name of the Verilog module."""
        return re.sub(r"[^a-z0-9]", "_", self.name)

    @property
    def latency(self) -> int:
        """Cycles from an accepted word to its result, when nothing stalls (spec §12.5)."""
        return len(self.cuts)

    @property
    def input_layout(self) -> WordLayout:
        """Bits of `i_payload`."""
        return input_layout(self.input, self.recipe.block_size)

    @property
    def output_layout(self) -> WordLayout:
        """Bits of `o_payload`."""
        return output_layout(self.recipe.block_format)

    @property
    def ports(self) -> dict[str, tuple[str, int]]:
        """Direction and width of each port of the module (spec §12.1)."""
        return {
            "clk": ("input", 1),
            "rst": ("input", 1),
            "i_payload": ("input", self.input_layout.width),
            "i_valid": ("input", 1),
            "i_ready": ("output", 1),
            "o_payload": ("output", self.output_layout.width),
            "o_valid": ("output", 1),
            "o_ready": ("input", 1),
        }


def variant(name: str) -> Variant:
    """Parse a variant name.

    Raises:
        UnknownNameError: if it does not fit the grammar; the message lists near names.
        ValueError, NotAvailableError: if a part is out of its range.
    """
    match = _NAME.fullmatch(name)
    if match is None or match["unit"] != "quantizer" or match["input"] not in INPUTS:
        known = [v.name for v in default_variants()]
        raise UnknownNameError(f"unknown variant {name!r}{near(name, known)} (names are {GRAMMAR})")
    cuts = DEFAULT_CUTS if match["cuts"] is None else match["cuts"]
    return Variant(recipe(match["recipe"]), FORMATS[match["input"]], cuts)


DEFAULT_SELECTIONS = (
    "e8m0-floor",
    "ue4m3-absmax",
    "ue4m3-absmax-pz",
    "ue5m3-absmax",
    "ue5m3-absmax-pz",
)


def default_variants() -> list[Variant]:
    """The variants that `finescale compare` takes when none is named."""
    return [
        Variant(recipe(f"{selection}-b{block}"), FORMATS["bf16"])
        for selection in DEFAULT_SELECTIONS
        for block in BLOCK_SIZES
    ]
