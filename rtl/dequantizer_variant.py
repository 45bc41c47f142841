"""Variants of the block dequantizer.

dequantizer-<recipe>-<output>[-cut<stages>]
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from emulator.errors import NotAvailableError
from emulator.formats import FORMATS, Format
from emulator.layout import WordLayout, block_layout, input_layout
from emulator.recipes import BLOCK_SIZES, Recipe, recipe
from rtl.variant import Variant, check_cuts, cut_places

if TYPE_CHECKING:
    from amaranth.lib import wiring

OUTPUTS = ("bf16", "fp16", "fp32")
"""Formats of the numbers that come out."""

CUTS = {
    "i": "after the input port",
    "f": "after the factor",
    "p": "after the products",
    "o": "before the output port",
}
"""Places where a pipeline register can stand, from input to output, by letter."""

DEFAULT_CUTS = "po"
MAX_LANES = 32

_NAME = re.compile(
    r"dequantizer-(?P<recipe>.+-b[0-9]+)-(?P<output>[a-z0-9]+)(?:-cut(?P<cuts>[a-z]*))?"
)

DEFAULT_SELECTIONS = ("e8m0-floor", "ue4m3-absmax", "ue5m3-absmax")
SCALED_DEFAULTS = ("ue4m3-absmax-h", "ue4m3-absmax-hbf16", "ue4m3-absmax-hp2")


@dataclass(frozen=True)
class DequantizerVariant(Variant):
    """A pipelined block dequantizer: one block per cycle, valid/ready on both ends.

    What it computes depends on the recipe's formats and tensor scale, not on its rule.

    Args:
        recipe: whose blocks it decodes; block sizes 2 to 32.
        output: format of the output lanes, one of `OUTPUTS`.
        cuts: letters of `CUTS` in their order; each is one register stage and one cycle of latency.

    Raises:
        ValueError: if a part is out of its range.
        NotAvailableError: if the recipe cannot be decoded yet, or the block is too wide.
    """

    unit: ClassVar[str] = "dequantizer"
    grammar: ClassVar[str] = "dequantizer-<recipe>-<bf16|fp16|fp32>[-cut<letters of ifpo>]"

    recipe: Recipe
    output: Format
    cuts: str = DEFAULT_CUTS

    def __post_init__(self) -> None:
        self.recipe.require_available()
        if self.output.name not in OUTPUTS:
            raise ValueError(f"output format {self.output.name} is not one of {', '.join(OUTPUTS)}")
        if self.recipe.block_size > MAX_LANES:
            raise NotAvailableError(
                f"block size {self.recipe.block_size} exceeds the {MAX_LANES} lanes of a "
                "dequantizer"
            )
        check_cuts(self.cuts, CUTS)

    @classmethod
    def parse(cls, name: str) -> DequantizerVariant | None:
        """See `Variant.parse`."""
        match = _NAME.fullmatch(name)
        if match is None or match["output"] not in OUTPUTS:
            return None
        cuts = DEFAULT_CUTS if match["cuts"] is None else match["cuts"]
        return cls(recipe(match["recipe"]), FORMATS[match["output"]], cuts)

    @classmethod
    def defaults(cls) -> Sequence[DequantizerVariant]:
        """See `Variant.defaults`."""
        names = [f"{s}-b{b}" for s in DEFAULT_SELECTIONS for b in BLOCK_SIZES]
        names += [f"{s}-b16" for s in SCALED_DEFAULTS]
        return [cls(recipe(name), FORMATS["bf16"]) for name in names]

    @property
    def name(self) -> str:
        """Canonical name."""
        tail = "" if self.cuts == DEFAULT_CUTS else f"-cut{self.cuts}"
        return f"dequantizer-{self.recipe.name}-{self.output.name}{tail}"

    @property
    def latency(self) -> int:
        """One cycle per cut (spec §12.5)."""
        return len(self.cuts)

    @property
    def input_layout(self) -> WordLayout:
        """Bits of `i_payload` (spec §21.6)."""
        return block_layout(self.recipe.block_format)

    @property
    def output_layout(self) -> WordLayout:
        """Bits of `o_payload` (spec §21.7)."""
        return input_layout(self.output, self.recipe.block_size)

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"Block dequantizer of recipe {self.recipe.name} to {self.output.name}"

    @property
    def registers(self) -> str:
        """Where its registers stand, in a line."""
        return cut_places(self.cuts, CUTS)

    @property
    def meanings(self) -> dict[str, str]:
        """What the bits of the payloads mean."""
        n, w, r = self.recipe.block_size, self.output.width, self.recipe
        codes, scale, *g = self.input_layout.fields
        given = f"; tensor scale at bit {g[0].offset}" if g else ""
        return {
            "i_payload": f"{n} {r.element.name} codes, lane i at bit {codes.width}*i; "
            f"{r.scale.name} scale code at bit {scale.offset}{given} (spec §21.6)",
            "o_payload": f"{n} {self.output.name} numbers, lane i at bit {w}*i (spec §21.7)",
        }

    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""
        return {"recipe": self.recipe.name, "output": self.output.name, "cuts": self.cuts}

    def component(self) -> wiring.Component:
        """The design."""
        from rtl.dequantizer import Dequantizer

        return Dequantizer(self)
