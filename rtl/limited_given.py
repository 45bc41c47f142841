"""Limited width under a tensor scale of any significand (spec §14.7, §17).

As in `rtl.select_scaled`, each candidate has its own elements; only what is compared differs: a
scale is rounded to an integer S once per candidate, and lanes are integers X.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value

from rtl.hierarchy import place
from rtl.limited_error import NearestCode, tripled
from rtl.limited_rounded import Exceeds, GivenMerit, GivenShapes, RoundedLimits
from rtl.limited_variant import LimitedVariant
from rtl.ripple import subtract
from rtl.scaled_unpack import Normalise
from rtl.select import SelectInTurn, SelectQuantizer
from rtl.select_scaled import ScaledSelecting


class _Given(ScaledSelecting):
    """What both kinds share: integers in the place of exact errors."""

    def __init__(self, variant: LimitedVariant) -> None:
        super().__init__(variant)
        self.limited = GivenShapes.of(variant)

    def candidates(
        self, m: Module, platform: object, at: Any, number: Value | None
    ) -> tuple[dict[str, Any], Value]:
        """See `ScaledSelecting.candidates`."""
        fields, _ = super().candidates(m, platform, at, number)
        s = self.limited.reaching
        normalise, unit = Normalise(s), Exceeds(s)
        place(m, platform, "normalise_amax", normalise, kind="normalise")
        place(m, platform, "exceeds", unit)
        m.d.comb += [
            normalise.magnitude.eq(at.amax),
            unit.amax.eq(normalise.number),
            unit.g.eq(at.g),
        ]
        return fields, unit.exceeds | ~normalise.number.some

    def _codes(self, m: Module, platform: object, at: Any, candidates: int) -> dict[str, Any]:
        """Element codes, lanes as integers, and their nearest magnitudes."""
        s, n = self.limited, self.lanes
        fields = super()._codes(m, platform, at, candidates)
        kept = {name: fields[name] for name in ("signs", *(f"codes{k}" for k in range(candidates)))}
        seen = [self._seen(m, platform, at, i) for i in range(n)]
        kept["seen"] = Cat(*seen)
        for k in range(candidates):
            limits = RoundedLimits(s)
            place(m, platform, f"limits{k}", limits, kind="limits")
            peak, positive = subtract(m, at.peak, at[f"thresholds{k}"].origin, f"over{k}")
            m.d.comb += [
                limits.product.eq(at[f"product{k}"]),
                limits.carry.eq(at[f"carry{k}"]),
                limits.peak.eq(peak[:3] & positive.replicate(3)),
            ]
            codes = []
            for i in range(n):
                nearest = NearestCode(s)
                place(m, platform, f"nearest{k}_{i}", nearest, kind="nearest")
                m.d.comb += nearest.seen.eq(seen[i])
                m.d.comb += [a.eq(b) for a, b in zip(nearest.limits, limits.limits, strict=True)]
                # Lanes that are seen as 0 count nothing: with 5 bits they could (spec §17.3).
                counts = seen[i].any() if s.bits == 5 else Const(1, 1)
                codes.append(nearest.magnitude & counts.replicate(3))
            kept |= {f"nearest{k}": Cat(*codes), f"seen_scale{k}": limits.scale}
        return kept

    def _seen(self, m: Module, platform: object, at: Any, i: int) -> Signal:
        """Lane i as an integer (spec §17.1)."""
        bits, x = self.limited.bits, self.limited.reaching
        normalise = Normalise(x)
        place(m, platform, f"normalise_seen{i}", normalise, kind="normalise")
        number = normalise.number
        width = x.input.width
        below, _ = subtract(m, at.peak, number.exponent, f"below{i}", select=False)
        spare = x.input.fraction_bits - (bits - 1)
        fraction = number.fraction
        top = fraction[spare:] if spare >= 0 else Cat(Const(0, -spare), fraction)
        seen = Signal(bits, name=f"seen{i}")
        m.d.comb += [
            normalise.magnitude.eq(at.x.word_select(i, width)[:-1]),
            seen.eq((Cat(top, 1) >> below) & number.some.replicate(bits)),
        ]
        return seen

    def _merits(self, m: Module, platform: object, at: Any, candidates: int) -> dict[str, Any]:
        """The merit of each candidate."""
        s, n = self.limited, self.lanes
        once = [Cat(Const(1, 1), at.seen.word_select(i, s.bits)) for i in range(n)]
        triples = [tripled(m, f"triple{i}", y) for i, y in enumerate(once)]
        fields = {}
        for k in range(candidates):
            merit = GivenMerit(s)
            place(m, platform, f"merit{k}", merit, kind="merit")
            m.d.comb += merit.scale.eq(at[f"seen_scale{k}"])
            for i in range(n):
                m.d.comb += [
                    merit.once[i].eq(once[i]),
                    merit.triple[i].eq(triples[i]),
                    merit.magnitude[i].eq(at[f"nearest{k}"].word_select(i, 3)),
                ]
            fields[f"merit{k}"] = merit.merit
        return fields


class GivenSelect(_Given, SelectQuantizer):
    """Candidates side by side: one block and its tensor scale per cycle; see `SelectQuantizer`."""


class GivenInTurn(_Given, SelectInTurn):
    """One set of lanes, a candidate per cycle; see `SelectInTurn`."""
