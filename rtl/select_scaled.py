"""Quantizers that choose among candidate scales under a tensor scale (spec §14.7, §15, §23.2).

As in `rtl.select`, candidates stand side by side or take turns; lanes travel as they came and are
normalised behind cut t, once for all candidates of a cycle.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value

from rtl.chain import Chain
from rtl.columns import ripple_add
from rtl.hierarchy import place
from rtl.limited_variant import LimitedVariant
from rtl.scaled_amax import LargestMagnitude
from rtl.scaled_unpack import Normalise
from rtl.select import Evaluated, Selecting, SelectInTurn, SelectQuantizer, word_of
from rtl.select_scaled_candidates import ScaledCandidates
from rtl.select_scaled_element import CandidateElement, CandidateThresholds
from rtl.select_scaled_error import ScaledMerit
from rtl.select_scaled_shapes import ScaledSelectShapes
from rtl.select_variant import SelectVariant


class ScaledSelecting(Selecting):
    """What both kinds share: the units of the pipeline."""

    shapes: ScaledSelectShapes

    def __init__(self, variant: SelectVariant | LimitedVariant) -> None:
        super().__init__(variant, ScaledSelectShapes.of(variant))

    def front(self, m: Module, platform: object, pipe: Chain) -> Any:
        """From the input port to behind cut a: lanes as they came, the largest, and g."""
        s, n = self.shapes, self.lanes
        width = s.lanes.input.width
        # The tensor scale's sign, if it has one, is always 0 (spec §14.6).
        x, g = self.i.payload[: n * width], self.i.payload[n * width :][: sum(s.g_field)]
        at = pipe.cut("i", {"x": x, "g": g})
        tree = LargestMagnitude(width - 1, n)
        place(m, platform, "amax_tree", tree, kind="amax")
        for i in range(n):
            magnitude = at.x.word_select(i, width)[:-1]
            m.d.comb += tree.magnitudes.word_select(i, width - 1).eq(magnitude)
        return pipe.cut("a", {"amax": tree.largest, "g": at.g, "x": at.x})

    def candidates(
        self, m: Module, platform: object, at: Any, number: Value | None
    ) -> tuple[dict[str, Any], Value]:
        """Scales of the candidates and what the errors need of the block; whether it is decided."""
        s = self.shapes
        encoder = ScaledCandidates(s.reaching, numbered=number is not None)
        place(m, platform, "candidate_encoder", encoder, kind="candidates")
        m.d.comb += [encoder.amax.eq(at.amax), encoder.g.eq(at.g)]
        if number is not None:
            m.d.comb += encoder.number.eq(number)
        fields: dict[str, Any] = {f"scale{k}": scale for k, scale in enumerate(encoder.scales)}
        fields |= {"peak": encoder.exponent, "g": at.g, "x": at.x}
        return fields, self.decided_by(encoder.exponent, at.g[s.g_field[1] :])

    def decided_by(self, amax: Value, g: Value) -> Value:
        """Whether the first candidate wins without a look at errors, from both exponents."""
        least = self.shapes.decided_from
        return Const(0, 1) if least is None else amax - g >= least

    def evaluate(
        self, m: Module, platform: object, pipe: Chain, at: Any, candidates: int
    ) -> Evaluated:
        """See `Selecting.evaluate`; here ``x`` holds all lanes as they came, and ``g`` goes in."""
        n, kinds = self.lanes, range(candidates)
        names = [f"scale{k}" for k in kinds] + ["about"]
        shared = {}
        for k in kinds:
            generator = CandidateThresholds(self.shapes)
            place(m, platform, f"threshold_generator{k}", generator, kind="thresholds")
            m.d.comb += [generator.scale.eq(at[f"scale{k}"]), generator.g.eq(at.g)]
            shared |= {
                f"thresholds{k}": generator.thresholds,
                f"fraction{k}": generator.fraction,
                f"product{k}": generator.product,
                f"carry{k}": generator.carry,
            }
        at = pipe.cut("t", {**_of(at, names), **shared, **_of(at, ["peak", "x"])})
        at = pipe.cut("e", {**_of(at, names), **self._codes(m, platform, at, candidates)})
        names += [f"codes{k}" for k in kinds] + ["signs"]
        at = pipe.cut("f", {**_of(at, names), **self._merits(m, platform, at, candidates)})
        return Evaluated(
            [word_of(at[f"codes{k}"], at.signs, at[f"scale{k}"], n) for k in kinds],
            [at[f"merit{k}"] for k in kinds],
            at.about,
        )

    def _codes(self, m: Module, platform: object, at: Any, candidates: int) -> dict[str, Any]:
        """Magnitude codes and binades of all lanes under each candidate, and the lanes' rest."""
        s, n = self.shapes, self.lanes
        width = s.lanes.input.width
        lanes, signs = [], []
        for i in range(n):
            normalise = Normalise(s.reaching)
            place(m, platform, f"normalise{i}", normalise, kind="normalise")
            x = at.x.word_select(i, width)
            m.d.comb += normalise.magnitude.eq(x[:-1])
            lanes.append(normalise.number)
            signs.append(x[-1] & ~at.thresholds0.nan)  # all candidates of a NaN block are NaN
        fields: dict[str, Any] = {
            "fractions": Cat(*(lane.fraction for lane in lanes)),
            "signs": Cat(*signs),
        }
        for k in range(candidates):
            thresholds = at[f"thresholds{k}"]
            codes, above = [], []
            for i, lane in enumerate(lanes):
                element = CandidateElement(s)
                place(m, platform, f"element{k}_{i}", element, kind="element")
                m.d.comb += [element.thresholds.eq(thresholds), element.number.eq(lane)]
                codes.append(element.code)
                above.append(element.above)
            peak = Signal(s.steps_bits, name=f"peak{k}")
            m.d.comb += peak.eq(at.peak - thresholds.origin + at[f"carry{k}"])
            fields |= {
                f"codes{k}": Cat(*codes),
                f"above{k}": Cat(*above),
                f"peak{k}": peak,
                **{f"{name}{k}": at[f"{name}{k}"] for name in ("fraction", "product", "carry")},
            }
        return fields

    def _merits(self, m: Module, platform: object, at: Any, candidates: int) -> dict[str, Any]:
        """The merit of each candidate."""
        s, n = self.shapes, self.lanes
        triples = []
        for i in range(n):
            triple = Signal(s.whole_bits + 3, name=f"triple{i}")
            one = Cat(at.fractions.word_select(i, s.whole_bits), Const(1, 1))
            m.d.comb += triple.eq(ripple_add(m, f"triple{i}", one, Cat(Const(0, 1), one)))
            triples.append(triple)
        fields = {}
        for k in range(candidates):
            merit = ScaledMerit(s, n)
            place(m, platform, f"merit{k}", merit, kind="merit")
            m.d.comb += [
                merit.significand.eq(at[f"fraction{k}"]),
                merit.scale.eq(at[f"product{k}"]),
                merit.carry.eq(at[f"carry{k}"]),
                merit.peak.eq(at[f"peak{k}"]),
            ]
            for i in range(n):
                m.d.comb += [
                    merit.fraction[i].eq(at.fractions.word_select(i, s.whole_bits)),
                    merit.triple[i].eq(triples[i]),
                    merit.above[i].eq(at[f"above{k}"].word_select(i, s.above_bits)),
                    merit.magnitude[i].eq(at[f"codes{k}"].word_select(i, 3)),
                ]
            fields[f"merit{k}"] = merit.merit
        return fields


def _of(at: Any, names: list[str]) -> dict[str, Any]:
    """Values behind a cut, by name."""
    return {name: at[name] for name in names}


class ScaledSelectQuantizer(ScaledSelecting, SelectQuantizer):
    """Candidates side by side: one block and its tensor scale per cycle; see `SelectQuantizer`."""


class ScaledSelectInTurn(ScaledSelecting, SelectInTurn):
    """One set of lanes, a candidate per cycle; see `SelectInTurn`."""
