"""Variants of the quantizers that choose among candidate scale codes (spec §15, §14.7).

quantizer-<recipe>-<input>[-turn][-cut<stages>]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.errors import NotAvailableError
from emulator.formats import FORMATS, Format
from emulator.recipes import Recipe, recipe
from rtl.quantizer_variant import INPUTS, MAX_LANES, QuantizerVariant
from rtl.variant import check_cuts, cut_places

if TYPE_CHECKING:
    from amaranth.lib import wiring

CANDIDATES: dict[str, tuple[tuple[int, int], ...]] = {
    "4o6": ((6, 0), (4, 0)),
    "3c": ((6, 0), (6, -1), (4, 0)),
    "6c": ((6, 0), (6, -1), (6, 1), (4, 0), (4, -1), (4, 1)),
}
"""Divisor of amax and offset in codes of each candidate, in their order (spec §15.1)."""

POWER_CANDIDATES: dict[str, tuple[str, ...]] = {"fc": ("floor", "ceil")}
"""Rule of each candidate, in their order, where scales are powers of two (spec §15.6)."""

SELECT_RULES = (*CANDIDATES, *POWER_CANDIDATES)
"""Rules that choose and that there is hardware for."""

SELECT_CUTS = {
    "i": "after the input port",
    "a": "after the amax tree",
    "s": "after the candidate scales",
    "t": "after the threshold generators",
    "e": "after the element codes",
    "f": "after the errors of the candidates",
    "o": "before the output port",
}
"""Places where a pipeline register can stand, from input to output, by letter."""

DEFAULT_CUTS = {False: "aseo", True: "aeo"}
"""Cuts of names without any, for candidates side by side and in turn."""


@dataclass(frozen=True)
class SelectVariant(QuantizerVariant):
    """A block quantizer that keeps the candidate with the smallest squared error.

    Args:
        recipe: what it computes; rules of `SELECT_RULES`, block sizes 2 to 32.
        input: format of the input lanes.
        cuts: letters of `SELECT_CUTS` in their order; empty stands for the default.
        turn: whether one set of lanes tries the candidates in turn, one per cycle, instead of a
            set for each candidate. Cut ``o`` is then the register that keeps the best.

    Raises:
        ValueError: if a part is out of its range.
        NotAvailableError: if the recipe cannot be computed yet, or has no hardware yet.
    """

    cuts: str = ""
    turn: bool = False

    def __post_init__(self) -> None:
        self.recipe.require_available()
        if not self.cuts:
            object.__setattr__(self, "cuts", DEFAULT_CUTS[self.turn])
        if self.recipe.sr_bits is not None:
            raise ValueError(
                f"{self.recipe.name} rounds at random: a RandomSelectVariant computes it"
            )
        if self.recipe.error_bits is not None:
            raise ValueError(
                f"{self.recipe.name} has errors of limited width: a LimitedVariant computes it"
            )
        if self.input.name not in INPUTS:
            raise ValueError(f"input format {self.input.name} is not one of {', '.join(INPUTS)}")
        if self.recipe.block_size > MAX_LANES:
            raise NotAvailableError(
                f"block size {self.recipe.block_size} exceeds the {MAX_LANES} lanes of a quantizer"
            )
        check_cuts(self.cuts, SELECT_CUTS, none=True)
        if self.turn and "o" not in self.cuts:
            raise ValueError(
                f"cuts {self.cuts!r} lack o, the register that candidates in turn keep the best in"
            )

    @classmethod
    def defaults(cls) -> Sequence[SelectVariant]:
        """See `Variant.defaults`."""
        bf16 = FORMATS["bf16"]
        found = [
            cls(recipe(f"{scale}-{rule}-b16"), bf16, turn=turn)
            for scale in ("ue4m3", "ue5m3")
            for rule, turn in (("4o6", False), ("4o6", True), ("3c", True), ("6c", True))
        ]
        found += [cls(recipe(f"ue5m3-4o6-pz-b{block}"), bf16, turn=True) for block in (4, 8, 32)]
        found += [
            cls(recipe(f"ue4m3-4o6-pz-{kind}-b16"), bf16, turn=True)
            for kind in ("h", "h256", "hbf16", "hp2")
        ]
        found.append(cls(recipe("ue4m3-4o6-pz-h-b16"), bf16))
        return [*found, cls(recipe("e8m0-fc-b32"), bf16, turn=True)]

    @property
    def candidates(self) -> int:
        """Number of candidates."""
        rule = self.recipe.rule
        return len(CANDIDATES.get(rule) or POWER_CANDIDATES[rule])

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
        return cut_places(self.cuts, SELECT_CUTS)

    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""
        return super().parts() | {"turn": self.turn}

    def component(self) -> wiring.Component:
        """The design."""
        if self.recipe.tensor_scale is not None:
            from rtl.select_scaled import ScaledSelectInTurn, ScaledSelectQuantizer

            return ScaledSelectInTurn(self) if self.turn else ScaledSelectQuantizer(self)
        from rtl.select import SelectInTurn, SelectQuantizer

        return SelectInTurn(self) if self.turn else SelectQuantizer(self)


def parse_select(source: Recipe, input: Format, turn: bool, cuts: str | None) -> SelectVariant:
    """The variant of the parts of a name.

    Raises:
        ValueError, NotAvailableError: if a part is out of its range.
    """
    if cuts == "":
        raise ValueError(f"cuts '' are not one or more letters of {''.join(SELECT_CUTS)!r}")
    return SelectVariant(source, input, cuts or "", turn)
