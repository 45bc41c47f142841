"""Variants of the quantizers that choose a scale and round at random (spec §19, §26.5).

quantizer-<recipe>-<input>[-turn][-r<rounds>][-cut<stages>]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from emulator.formats import FORMATS, Format
from emulator.recipes import Recipe, recipe
from rtl.limited_variant import LIMITED_CUTS, LimitedVariant
from rtl.quantizer_variant import QuantizerVariant, of_parts
from rtl.random_variant import CIPHER_ROUNDS, PER_CYCLE, RandomVariant
from rtl.select_variant import SELECT_CUTS, SelectVariant
from rtl.variant import check_cuts, cut_places
from rtl.vote_variant import VOTE_CUTS, VOTERS, VoteVariant

if TYPE_CHECKING:
    from amaranth.lib import wiring

ROUNDING_CUTS = {
    "r": "after what the lanes that round at random share",
    "w": "before the output port",
}
"""Places where a pipeline register can stand behind the choice, whose cut o is no port here."""

DEFAULT_ROUNDING_CUTS = "w"

_CHOICES: tuple[tuple[type[QuantizerVariant], Mapping[str, str]], ...] = (
    (SelectVariant, SELECT_CUTS),
    (LimitedVariant, LIMITED_CUTS),
    (VoteVariant, VOTE_CUTS),
)
"""The variants that choose, and their cuts."""


@dataclass(frozen=True)
class RandomSelectVariant(RandomVariant):
    """A block quantizer that chooses a scale, and rounds under it at random.

    The choice is that of the quantizer without random numbers, `choice`, whole; while it is being
    made the cipher runs.

    Args:
        recipe: what it computes: a rule that chooses, with ``-sr<k>``; block sizes 2 to 32.
        input: format of the input lanes.
        cuts: letters of the choice's own cuts, at least one, then of `ROUNDING_CUTS`; empty stands
            for the default.
        rounds: rounds of the cipher in a cycle, one of `PER_CYCLE`.
        turn: whether the choice tries its candidates in turn.

    Raises:
        ValueError: if a part is out of its range.
        NotAvailableError: if there is no hardware yet for the choice.
    """

    cuts: str = ""
    turn: bool = False

    def __post_init__(self) -> None:
        r = self.recipe
        r.require_available()
        if r.sr_bits is None:
            raise ValueError(f"{r.name} does not round at random")
        usual = self._choice(None)
        if not self.cuts:
            object.__setattr__(self, "cuts", usual.cuts + DEFAULT_ROUNDING_CUTS)
        places = _places(usual)
        check_cuts(self.cuts, (*places, *ROUNDING_CUTS))
        if not set(self.cuts) & set(places):
            raise ValueError(
                f"cuts {self.cuts!r} lack a letter of {''.join(places)!r}, a register that the "
                "choice is made behind"
            )
        if self.rounds not in PER_CYCLE:
            raise ValueError(
                f"-r{self.rounds} is not one of {', '.join(map(str, PER_CYCLE))} rounds per cycle"
            )
        assert self.choice.recipe.block_size == r.block_size

    def _choice(self, cuts: str | None) -> QuantizerVariant:
        """The quantizer without random numbers, by default with its own default cuts."""
        found = of_parts(replace(self.recipe, sr_bits=None), self.input, self.turn, cuts)
        if not isinstance(found, tuple(kind for kind, _ in _CHOICES)):
            raise ValueError(
                f"{self.recipe.name}: rule {self.recipe.rule!r} chooses no scale"
                + (" in turn" if self.turn else "")
            )
        return found

    @cached_property
    def choice(self) -> QuantizerVariant:
        """The quantizer without random numbers, whose scale code is taken."""
        return self._choice("".join(c for c in self.cuts if c not in ROUNDING_CUTS))

    @property
    def rounding_cuts(self) -> str:
        """Letters of `ROUNDING_CUTS` that hold a register."""
        return "".join(c for c in self.cuts if c in ROUNDING_CUTS)

    @classmethod
    def defaults(cls) -> Sequence[RandomSelectVariant]:
        """See `Variant.defaults`."""
        bf16 = FORMATS["bf16"]
        return [
            cls(recipe(f"{selection}-b16"), bf16, turn=turn, rounds=rounds)
            for selection, turn, rounds in (
                ("ue5m3-4o6-sr4", False, CIPHER_ROUNDS),
                ("ue5m3-4o6-sr4", True, CIPHER_ROUNDS),
                ("ue5m3-4o6-sr4", True, 9),
                ("ue5m3-3c-sr4", True, 9),
                ("ue5m3-6c-sr4", True, 9),
                ("ue5m3-4o6t-sr4", False, CIPHER_ROUNDS),
                ("ue5m3-top2-sr4", False, CIPHER_ROUNDS),
                ("ue4m3-4o6-sr4-pz-h", True, 9),
            )
        ]

    @property
    def name(self) -> str:
        """Canonical name."""
        turn = "-turn" if self.turn else ""
        rounds = "" if self.rounds == CIPHER_ROUNDS else f"-r{self.rounds}"
        usual = self._choice(None).cuts + DEFAULT_ROUNDING_CUTS
        tail = "" if self.cuts == usual else f"-cut{self.cuts}"
        return f"quantizer-{self.recipe.name}-{self.input.name}{turn}{rounds}{tail}"

    @property
    def interval(self) -> int:
        """The cycles of the choice or of the cipher, whichever are more (spec §26.5)."""
        return max(self.choice.interval, self.steps)

    @property
    def latency(self) -> int:
        """The longer one of choice and cipher, and one cycle per cut behind them (spec §26.5)."""
        return max(self.choice.latency, self.steps) + len(self.rounding_cuts)

    @property
    def waiting(self) -> int:
        """Registers behind the cipher for words whose choice is not made yet.

        When a word comes, all that came in the cycles of the choice before it are not done: at
        full pace ``ceil(latency / interval)`` with the word itself, which the cipher holds.
        """
        return -(-self.choice.latency // self.interval) - 1

    @property
    def holds(self) -> bool:
        """Whether a register holds the scale of a word that the cipher still has.

        A choice in turn without a register in front looks at the next word at once, and would stop
        there as long as its best candidate so far is the chosen one of the word before.
        """
        behind = self.turn and not {"i", "a"} & set(self.choice.cuts)
        return behind and self.steps > self.choice.latency

    @property
    def registers(self) -> str:
        """Where its registers stand, in a line."""
        places = {**_places(self._choice(None)), "o": "after the choice"} | ROUNDING_CUTS
        waiting = f" and {self.waiting} behind it" if self.waiting else ""
        held = "; behind the choice" if self.holds else ""
        return f"{cut_places(self.cuts, places)}; in the cipher{waiting}, beside the choice{held}"

    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""
        return super().parts() | {"turn": self.turn}

    def component(self) -> wiring.Component:
        """The design."""
        if self.recipe.tensor_scale is not None or not self.recipe.scale.has_zero:
            from rtl.random_select_scaled import RandomPowerSelect, RandomScaledSelect

            scaled = self.recipe.tensor_scale is not None
            return (RandomScaledSelect if scaled else RandomPowerSelect)(self)
        from rtl.random_select import RandomSelectQuantizer

        return RandomSelectQuantizer(self)


def _places(choice: QuantizerVariant) -> Mapping[str, str]:
    """The cuts of a variant that chooses."""
    return next(places for kind, places in _CHOICES if isinstance(choice, kind))


def parse_random_select(
    source: Recipe, input: Format, turn: bool, rounds: int, cuts: str | None
) -> RandomSelectVariant | None:
    """The variant of the parts of a name; None where the votes of a rule have no turns.

    Raises:
        ValueError, NotAvailableError: if a part is out of its range.
    """
    if turn and source.rule in VOTERS:
        return None
    if cuts == "":
        letters = "".join(ROUNDING_CUTS)
        raise ValueError(f"cuts '' are not letters of the choice, and of {letters!r} behind it")
    return RandomSelectVariant(source, input, cuts or "", rounds, turn)
