"""Variants of the block quantizer.

quantizer-<recipe>-<input>[-cut<stages>]
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from emulator.errors import NotAvailableError
from emulator.formats import FORMATS, Format
from emulator.layout import WordLayout, input_layout, output_layout, scaled_input_layout
from emulator.recipes import BLOCK_SIZES, TABLE_RULE, Recipe, recipe
from rtl.variant import Variant, check_cuts, cut_places

if TYPE_CHECKING:
    from amaranth.lib import wiring

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

_NAME = re.compile(
    r"quantizer-(?P<recipe>.+-b[0-9]+)-(?P<input>[a-z0-9]+)(?P<turn>-turn)?"
    r"(?:-r(?P<rounds>[0-9]+))?"
    r"(?:-cut(?P<cuts>[a-z]*))?"
)

DEFAULT_SELECTIONS = (
    "e8m0-floor",
    "ue4m3-absmax",
    "ue4m3-absmax-pz",
    "ue5m3-absmax",
    "ue5m3-absmax-pz",
)

SCALED_DEFAULT_SELECTIONS = ("ue4m3-absmax-h", "ue4m3-absmax-hbf16", "ue4m3-absmax-hp2")
"""Those with a tensor scale."""


@dataclass(frozen=True)
class QuantizerVariant(Variant):
    """A pipelined block quantizer: one block per cycle, valid/ready on both ends.

    Args:
        recipe: what it computes; block sizes 2 to 32.
        input: format of the input lanes, one of `INPUTS`.
        cuts: letters of `CUTS` in their order; each is one register stage and one cycle of latency.

    Raises:
        ValueError: if a part is out of its range.
        NotAvailableError: if the recipe cannot be computed yet, or has no hardware yet.
    """

    unit: ClassVar[str] = "quantizer"
    grammar: ClassVar[str] = "quantizer-<recipe>-<bf16|fp16|fp32>[-turn][-r<rounds>][-cut<letters>]"

    recipe: Recipe
    input: Format
    cuts: str = DEFAULT_CUTS

    def __post_init__(self) -> None:
        self.recipe.require_available()
        if self.recipe.sr_bits is not None:
            raise ValueError(f"{self.recipe.name} rounds at random: a RandomVariant computes it")
        if self.recipe.rule not in RULES:
            from rtl.select_variant import SELECT_RULES
            from rtl.vote_variant import VOTERS

            raise NotAvailableError(
                f"{self.recipe.name}: hardware for rule {self.recipe.rule!r} is not available yet "
                f"(rules with hardware: {', '.join((*RULES, *SELECT_RULES, TABLE_RULE, *VOTERS))})"
            )
        if self.input.name not in INPUTS:
            raise ValueError(f"input format {self.input.name} is not one of {', '.join(INPUTS)}")
        if self.recipe.block_size > MAX_LANES:
            raise NotAvailableError(
                f"block size {self.recipe.block_size} exceeds the {MAX_LANES} lanes of a quantizer"
            )
        check_cuts(self.cuts, CUTS)

    @classmethod
    def parse(cls, name: str) -> QuantizerVariant | None:
        """See `Variant.parse`."""
        match = _NAME.fullmatch(name)
        if match is None or match["input"] not in INPUTS:
            return None
        source, x = recipe(match["recipe"]), FORMATS[match["input"]]
        turn, cuts = match["turn"] is not None, match["cuts"]
        if source.sr_bits is not None:
            from rtl.random_variant import CIPHER_ROUNDS, DEFAULT_RANDOM_CUTS, RandomVariant

            rounds = int(match["rounds"] or CIPHER_ROUNDS)
            if source.rule in RULES:
                if turn:
                    return None
                return RandomVariant(
                    source, x, DEFAULT_RANDOM_CUTS if cuts is None else cuts, rounds
                )
            from rtl.random_select_variant import parse_random_select

            return parse_random_select(source, x, turn, rounds, cuts)
        if match["rounds"]:
            return None
        return of_parts(source, x, turn, cuts)

    @classmethod
    def defaults(cls) -> Sequence[QuantizerVariant]:
        """See `Variant.defaults`."""
        return [
            cls(recipe(f"{selection}-b{block}"), FORMATS["bf16"])
            for selection in DEFAULT_SELECTIONS + SCALED_DEFAULT_SELECTIONS
            for block in BLOCK_SIZES
        ]

    @property
    def name(self) -> str:
        """Canonical name."""
        tail = "" if self.cuts == DEFAULT_CUTS else f"-cut{self.cuts}"
        return f"quantizer-{self.recipe.name}-{self.input.name}{tail}"

    @property
    def latency(self) -> int:
        """One cycle per cut (spec §12.5)."""
        return len(self.cuts)

    @property
    def input_layout(self) -> WordLayout:
        """Bits of `i_payload` (spec §11.1, §23.1)."""
        kind, n = self.recipe.tensor_scale, self.recipe.block_size
        if kind is not None:
            return scaled_input_layout(self.input, n, kind)
        return input_layout(self.input, n)

    @property
    def output_layout(self) -> WordLayout:
        """Bits of `o_payload` (spec §11.2)."""
        return output_layout(self.recipe.block_format)

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"Block quantizer of recipe {self.recipe.name}"

    @property
    def registers(self) -> str:
        """Where its registers stand, in a line."""
        return cut_places(self.cuts, CUTS)

    @property
    def meanings(self) -> dict[str, str]:
        """What the bits of the payloads mean."""
        n, w = self.recipe.block_size, self.input.width
        codes, scale = (self.output_layout.field(name) for name in ("codes", "scale"))
        given = f"{n} {self.input.name} numbers, lane i at bit {w}*i (spec §11.1)"
        if self.recipe.tensor_scale is not None:
            given += f"; tensor scale at bit {n * w} (spec §23.1)"
        return {
            "i_payload": given,
            "o_payload": f"{n} {self.recipe.element.name} codes, lane i at bit {codes.width}*i; "
            f"{self.recipe.scale.name} scale code at bit {scale.offset} (spec §11.2)",
        }

    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""
        return {"recipe": self.recipe.name, "input": self.input.name, "cuts": self.cuts}

    def component(self) -> wiring.Component:
        """The design."""
        if self.recipe.tensor_scale is not None:
            from rtl.scaled_quantizer import ScaledQuantizer

            return ScaledQuantizer(self)
        from rtl.quantizer import Quantizer

        return Quantizer(self)


def of_parts(
    source: Recipe, input: Format, turn: bool, cuts: str | None
) -> QuantizerVariant | None:
    """The variant of the parts of a name without stochastic rounding.

    Args:
        source: the recipe.
        input: format of the input lanes.
        turn: whether candidates take turns.
        cuts: letters of the pipeline cuts; None for the default ones.

    Returns:
        None where a variant has no turns.

    Raises:
        ValueError, NotAvailableError: if a part is out of its range.
    """
    from rtl.limited_variant import parse_limited
    from rtl.select_variant import SELECT_RULES, parse_select
    from rtl.vote_variant import DEFAULT_VOTE_CUTS, VOTERS, VoteVariant

    if source.limited:
        return parse_limited(source, input, turn, cuts)
    if source.rule in SELECT_RULES:
        return parse_select(source, input, turn, cuts)
    if turn:
        return None
    if source.rule in VOTERS:
        return VoteVariant(source, input, DEFAULT_VOTE_CUTS if cuts is None else cuts)
    return QuantizerVariant(source, input, DEFAULT_CUTS if cuts is None else cuts)
