"""Variants of the quantizers that choose with limited width (spec §17).

quantizer-<recipe>-<input>[-turn][-cut<stages>]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.errors import NotAvailableError
from emulator.formats import FORMATS, Format
from emulator.recipes import TABLE_RULE, Recipe, recipe
from rtl.quantizer_variant import INPUTS, MAX_LANES, QuantizerVariant
from rtl.select_variant import CANDIDATES
from rtl.variant import check_cuts, cut_places

if TYPE_CHECKING:
    from amaranth.lib import wiring

LIMITED_CUTS = {
    "i": "after the input port",
    "a": "after the amax tree",
    "s": "after the candidate scales",
    "t": "after what all lanes compare with or look up",
    "e": "after what each lane adds to the choice",
    "f": "after the choice, or after the errors of a candidate in turn",
    "o": "before the output port",
}
"""Places where a pipeline register can stand, from input to output, by letter."""

DEFAULT_CUTS = {False: "aefo", True: "aeo"}
"""Cuts of names without any, for candidates side by side and in turn."""


@dataclass(frozen=True)
class LimitedVariant(QuantizerVariant):
    """A block quantizer that chooses among candidate scales by short integers.

    Args:
        recipe: what it computes; a rule with ``-e<bits>``, or 4o6t; block sizes 2 to 32.
        input: format of the input lanes.
        cuts: letters of `LIMITED_CUTS` in their order; empty stands for the default.
        turn: whether one set of lanes tries the candidates in turn, one per cycle, instead of a
            set for each candidate. Cut ``o`` is then the register that keeps the best.

    Raises:
        ValueError: if a part is out of its range.
        NotAvailableError: if the recipe cannot be computed yet, or has no hardware yet.
    """

    cuts: str = ""
    turn: bool = False

    def __post_init__(self) -> None:
        r = self.recipe.require_available()
        if not self.cuts:
            object.__setattr__(self, "cuts", DEFAULT_CUTS[self.turn])
        if r.sr_bits is not None:
            raise ValueError(f"{r.name} rounds at random: a RandomSelectVariant computes it")
        if self.input.name not in INPUTS:
            raise ValueError(f"input format {self.input.name} is not one of {', '.join(INPUTS)}")
        if r.block_size > MAX_LANES:
            raise NotAvailableError(
                f"block size {r.block_size} exceeds the {MAX_LANES} lanes of a quantizer"
            )
        if self.turn and r.rule == TABLE_RULE:
            raise ValueError(
                f"{r.name}: -turn has no meaning for {TABLE_RULE}, which compares its two "
                "candidates by one sum"
            )
        check_cuts(self.cuts, LIMITED_CUTS, none=True)
        if self.turn and "o" not in self.cuts:
            raise ValueError(
                f"cuts {self.cuts!r} lack o, the register that candidates in turn keep the best in"
            )

    @classmethod
    def defaults(cls) -> Sequence[LimitedVariant]:
        """See `Variant.defaults`."""
        bf16 = FORMATS["bf16"]
        tables = [f"ue5m3-4o6t-b{n}" for n in (4, 8, 16, 32)] + ["ue4m3-4o6t-b16"]
        found = [cls(recipe(name), bf16) for name in [*tables, "ue5m3-4o6-e6-b16"]]
        turns = ("ue5m3-4o6-e6-b16", "ue5m3-3c-e6-b16", "ue5m3-6c-e7-b16")
        return found + [cls(recipe(name), bf16, turn=True) for name in turns]

    @property
    def candidate_rule(self) -> str:
        """Rule of `CANDIDATES` whose candidates there are."""
        return "4o6" if self.recipe.rule == TABLE_RULE else self.recipe.rule

    @property
    def candidates(self) -> int:
        """Number of candidates."""
        return len(CANDIDATES[self.candidate_rule])

    @property
    def name(self) -> str:
        """Canonical name."""
        turn = "-turn" if self.turn else ""
        tail = "" if self.cuts == DEFAULT_CUTS[self.turn] else f"-cut{self.cuts}"
        return f"quantizer-{self.recipe.name}-{self.input.name}{turn}{tail}"

    @property
    def interval(self) -> int:
        """One cycle per candidate if they are tried in turn (spec §12.5)."""
        return self.candidates if self.turn else 1

    @property
    def latency(self) -> int:
        """One cycle per cut, and those that the last candidate waits for (spec §12.5).

        Without a register in front, a word waits outside and is taken with its last candidate.
        """
        waits = self.turn and ("i" in self.cuts or "a" in self.cuts)
        return len(self.cuts) + (self.candidates - 1 if waits else 0)

    @property
    def registers(self) -> str:
        """Where its registers stand, in a line."""
        return cut_places(self.cuts, LIMITED_CUTS)

    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""
        return super().parts() | {"turn": self.turn}

    def component(self) -> wiring.Component:
        """The design."""
        if self.recipe.rule == TABLE_RULE:
            from rtl.limited import TableSelect

            return TableSelect(self)
        if self.recipe.tensor_scale not in (None, "hp2"):
            from rtl.limited_given import GivenInTurn, GivenSelect

            return GivenInTurn(self) if self.turn else GivenSelect(self)
        from rtl.limited_select import LimitedInTurn, LimitedSelect

        return LimitedInTurn(self) if self.turn else LimitedSelect(self)


def parse_limited(source: Recipe, input: Format, turn: bool, cuts: str | None) -> LimitedVariant:
    """The variant of the parts of a name.

    Raises:
        ValueError, NotAvailableError: if a part is out of its range.
    """
    if cuts == "":
        raise ValueError(f"cuts '' are not one or more letters of {''.join(LIMITED_CUTS)!r}")
    return LimitedVariant(source, input, cuts or "", turn)
