"""Variants of the block quantizer with stochastic rounding (spec §19, §26).

quantizer-<recipe>-<input>[-r<rounds>][-cut<stages>]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.errors import NotAvailableError
from emulator.formats import FORMATS
from emulator.layout import Field, WordLayout, input_layout, scaled_input_layout
from emulator.recipes import recipe
from rtl.quantizer_variant import INPUTS, MAX_LANES, RULES, QuantizerVariant
from rtl.variant import check_cuts, cut_places

if TYPE_CHECKING:
    from amaranth.lib import wiring

CIPHER_ROUNDS = 27
"""Rounds of Speck64/128 (spec §19.5)."""

PER_CYCLE = (1, 3, 9, 27)
"""Rounds per cycle: the divisors of all."""

NUMBER_BITS = 57
"""Bits of a block's number in a word (spec §26.1)."""

RANDOM_CUTS = {
    "i": "after the input port",
    "a": "after the amax tree",
    "t": "after the threshold generator",
    "o": "before the output port",
}
"""Places where a further pipeline register can stand; one is in the cipher, after the scale."""

DEFAULT_RANDOM_CUTS = "ao"


@dataclass(frozen=True)
class RandomVariant(QuantizerVariant):
    """A block quantizer whose elements round at random, by numbers of the word's own.

    Args:
        recipe: what it computes: a rule of `RULES` with ``-sr<k>``; block sizes 2 to 32.
        input: format of the input lanes.
        cuts: letters of `RANDOM_CUTS` in their order.
        rounds: rounds of the cipher in a cycle, one of `PER_CYCLE`.

    Raises:
        ValueError: if a part is out of its range.
        NotAvailableError: if the recipe has no hardware yet.
    """

    cuts: str = DEFAULT_RANDOM_CUTS
    rounds: int = CIPHER_ROUNDS

    def __post_init__(self) -> None:
        r = self.recipe
        r.require_available()
        if r.sr_bits is None:
            raise ValueError(f"{r.name} does not round at random")
        if r.rule not in RULES:
            raise ValueError(
                f"{r.name}: rule {r.rule!r} is none of {', '.join(RULES)}; where it chooses among "
                "scales, a RandomSelectVariant computes it"
            )
        if self.input.name not in INPUTS:
            raise ValueError(f"input format {self.input.name} is not one of {', '.join(INPUTS)}")
        if r.block_size > MAX_LANES:
            raise NotAvailableError(
                f"block size {r.block_size} exceeds the {MAX_LANES} lanes of a quantizer"
            )
        if self.rounds not in PER_CYCLE:
            raise ValueError(
                f"-r{self.rounds} is not one of {', '.join(map(str, PER_CYCLE))} rounds per cycle"
            )
        check_cuts(self.cuts, RANDOM_CUTS)

    @classmethod
    def defaults(cls) -> Sequence[RandomVariant]:
        """See `Variant.defaults`."""
        return [
            cls(recipe(f"ue5m3-absmax-sr{bits}-b16"), FORMATS["bf16"], rounds=rounds)
            for bits in (4, 8)
            for rounds in PER_CYCLE
        ]

    @property
    def name(self) -> str:
        """Canonical name."""
        rounds = "" if self.rounds == CIPHER_ROUNDS else f"-r{self.rounds}"
        tail = "" if self.cuts == DEFAULT_RANDOM_CUTS else f"-cut{self.cuts}"
        return f"quantizer-{self.recipe.name}-{self.input.name}{rounds}{tail}"

    @property
    def steps(self) -> int:
        """Cycles of the cipher for a word."""
        return CIPHER_ROUNDS // self.rounds

    @property
    def interval(self) -> int:
        """The cycles of the cipher (spec §12.5)."""
        return self.steps

    @property
    def latency(self) -> int:
        """One cycle per cut, and the cycles of the cipher (spec §12.5)."""
        return len(self.cuts) + self.steps

    @property
    def input_layout(self) -> WordLayout:
        """Bits of `i_payload` (spec §26.1, §26.4)."""
        kind, n = self.recipe.tensor_scale, self.recipe.block_size
        front = scaled_input_layout(self.input, n, kind) if kind else input_layout(self.input, n)
        return WordLayout(
            (
                *front.fields,
                Field("number", front.width, NUMBER_BITS),
                Field("seed", front.width + NUMBER_BITS, 32, 4),
            )
        )

    @property
    def registers(self) -> str:
        """Where its registers stand, in a line."""
        return f"{cut_places(self.cuts, RANDOM_CUTS)}; in the cipher, after the scale"

    @property
    def meanings(self) -> dict[str, str]:
        """What the bits of the payloads mean."""
        number, seed = (self.input_layout.field(name).offset for name in ("number", "seed"))
        given = super().meanings
        given["i_payload"] += f"; block number at bit {number}, seed at bit {seed} (spec §26.1)"
        return given

    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""
        return super().parts() | {"rounds": self.rounds}

    def component(self) -> wiring.Component:
        """The design."""
        if self.recipe.tensor_scale is not None or not self.recipe.scale.has_zero:
            from rtl.random_scaled_quantizer import RandomPowerQuantizer, RandomScaledQuantizer

            scaled = self.recipe.tensor_scale is not None
            return (RandomScaledQuantizer if scaled else RandomPowerQuantizer)(self)
        from rtl.random_quantizer import RandomQuantizer

        return RandomQuantizer(self)
