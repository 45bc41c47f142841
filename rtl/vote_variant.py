"""Variants of the quantizers that choose between two scale codes by votes (spec §18).

quantizer-<recipe>-<input>[-cut<stages>]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.errors import NotAvailableError
from emulator.formats import FORMATS
from emulator.recipes import recipe
from rtl.quantizer_variant import INPUTS, MAX_LANES, QuantizerVariant
from rtl.variant import check_cuts, cut_places

if TYPE_CHECKING:
    from amaranth.lib import wiring

VOTERS = {"top2": 1, "top3": 2, "pop": 0}
"""How many lanes vote by the order of their magnitudes, after the largest; 0 where all do."""

VOTE_CUTS = {
    "i": "after the input port",
    "a": "after the largest magnitudes",
    "s": "after the candidate scales",
    "v": "after the votes",
    "t": "after the threshold generator",
    "o": "before the output port",
}
"""Places where a pipeline register can stand, from input to output, by letter."""

DEFAULT_VOTE_CUTS = "avo"


@dataclass(frozen=True)
class VoteVariant(QuantizerVariant):
    """A block quantizer that chooses a candidate by votes: one block per cycle.

    Args:
        recipe: what it computes; rules of `VOTERS`, block sizes 2 to 32.
        input: format of the input lanes.
        cuts: letters of `VOTE_CUTS` in their order; each is one register stage and one cycle of
            latency.

    Raises:
        ValueError: if a part is out of its range.
        NotAvailableError: if the recipe cannot be computed yet, or has no hardware yet.
    """

    cuts: str = DEFAULT_VOTE_CUTS

    def __post_init__(self) -> None:
        r = self.recipe
        r.require_available()
        if r.sr_bits is not None:
            raise ValueError(f"{r.name} rounds at random: a RandomSelectVariant computes it")
        if self.input.name not in INPUTS:
            raise ValueError(f"input format {self.input.name} is not one of {', '.join(INPUTS)}")
        if r.block_size > MAX_LANES:
            raise NotAvailableError(
                f"block size {r.block_size} exceeds the {MAX_LANES} lanes of a quantizer"
            )
        check_cuts(self.cuts, VOTE_CUTS)

    @classmethod
    def defaults(cls) -> Sequence[VoteVariant]:
        """See `Variant.defaults`."""
        bf16 = FORMATS["bf16"]
        found = [
            cls(recipe(f"{scale}-{rule}-b16"), bf16)
            for scale in ("ue4m3", "ue5m3")
            for rule in VOTERS
        ]
        kinds = (("top2", "h"), ("top2", "hbf16"), ("top2", "hp2"), ("pop", "h"), ("pop", "hp2"))
        return found + [cls(recipe(f"ue4m3-{rule}-{kind}-b16"), bf16) for rule, kind in kinds]

    @property
    def name(self) -> str:
        """Canonical name."""
        tail = "" if self.cuts == DEFAULT_VOTE_CUTS else f"-cut{self.cuts}"
        return f"quantizer-{self.recipe.name}-{self.input.name}{tail}"

    @property
    def registers(self) -> str:
        """Where its registers stand, in a line."""
        return cut_places(self.cuts, VOTE_CUTS)

    def component(self) -> wiring.Component:
        """The design."""
        if self.recipe.tensor_scale is not None:
            from rtl.vote_scaled_quantizer import ScaledVoteQuantizer

            return ScaledVoteQuantizer(self)
        from rtl.vote_quantizer import VoteQuantizer

        return VoteQuantizer(self)
