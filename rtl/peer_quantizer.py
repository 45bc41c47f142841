"""PeerQuantizer: the units of a multiplying quantizer wired to a pipeline (spec §25)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import FP32
from rtl.amax import Amax
from rtl.chain import Chain, numbered
from rtl.dot_shapes import FLOAT_BIAS, FLOAT_FRACTION
from rtl.hierarchy import place
from rtl.peer_multiply import Multiply, Product, Triple
from rtl.peer_reciprocal import (
    ROWS,
    DivisionRows,
    ReciprocalTable,
    RoundReciprocal,
    first_remainder,
)
from rtl.peer_round import RoundElement, RoundScale
from rtl.peer_scale import NormalScale
from rtl.peer_shapes import FACTOR_HIGH, PeerShapes
from rtl.peer_tensor import INVERSE_BITS, SIXTH_EXPONENT, ScaleTimesInverse, Sixth
from rtl.peer_variant import PeerVariant
from rtl.scaled_amax import LargestMagnitude
from rtl.scaled_shapes import ScaledShapes
from rtl.scaled_unpack import Normalise
from rtl.unpack import Unpack

Fields = dict[str, Any]


class PeerQuantizer(wiring.Component):
    """Takes a block per cycle, and its tensor's multiplier; gives element codes and a scale code.

    Latency: one cycle per pipeline cut of the variant. Interval: 1 (spec §12.5).

    Args:
        variant: what to build.

    Members:
        i: In, stream of input words (spec §25.1).
        o: Out, stream of output words (spec §25.1).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: PeerVariant) -> None:
        self.variant = variant
        self.shapes = PeerShapes(variant.input, variant.datapath.tensor)
        super().__init__(
            {
                "i": In(stream.Signature(variant.input_layout.width)),
                "o": Out(stream.Signature(variant.output_layout.width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The pipeline, from the input port to the output port."""
        m = Module()
        pipe = Chain(m, platform, self.variant.cuts, self.i)
        if self.shapes.tensor:
            factor, lanes = self._by_tensor(m, platform, pipe)
        else:
            factor, lanes = self._alone(m, platform, pipe)
        self._lanes(m, platform, pipe, factor, lanes)
        return m

    def _alone(self, m: Module, platform: object, pipe: Chain) -> tuple[Fields, list[Fields]]:
        """The factor of a block that knows nothing of its tensor (spec §25.4, §25.5)."""
        shapes, n = self.shapes.block, self.variant.block_size
        word = pipe.cut("i", {"word": self.i.payload}).word
        amax = Amax(shapes, n)
        place(m, platform, "amax_tree", amax, kind="amax")
        numbers = {}
        for i in range(n):
            unpack = Unpack(shapes, whole=True)
            place(m, platform, f"unpack{i}", unpack, kind="unpack")
            m.d.comb += [
                unpack.x.eq(word.word_select(i, shapes.input.width)),
                amax.keys[i].eq(unpack.key),
            ]
            numbers[f"x{i}"] = Cat(unpack.whole, unpack.lane.exponent, unpack.lane.sign)
        at = pipe.cut("a", {"amax": amax.amax, **numbers})

        encoder = NormalScale(shapes)
        place(m, platform, "scale_encoder", encoder, kind="scale")
        m.d.comb += encoder.amax.eq(at.amax)
        at = pipe.cut("s", {"scale": encoder.scale, **_lanes_of(at, n)})

        table = ReciprocalTable(self.shapes)
        place(m, platform, "reciprocal", table)
        m.d.comb += table.scale.eq(at.scale)
        at = pipe.cut(
            "r",
            {
                "scale": at.scale,
                "factor": table.factor,
                "triple": table.triple,
                "origin": table.origin,
                **_lanes_of(at, n),
            },
        )
        lanes = []
        for i in range(n):
            lane = at[f"x{i}"]
            f = self.shapes.fraction_bits
            fields: Fields = {"fraction": lane[:f], "exponent": lane[f:-1], "sign": lane[-1]}
            lanes.append(fields | {"some": Const(1, 1), "infinite": Const(0, 1)})
        return _fields(at, "scale", "factor", "triple", "origin"), lanes

    def _by_tensor(self, m: Module, platform: object, pipe: Chain) -> tuple[Fields, list[Fields]]:
        """The factor of a block under its tensor's multiplier (spec §25.6, §25.7)."""
        n, width = self.variant.block_size, self.variant.input.width
        lanes = {f"x{i}": self.i.payload.word_select(i, width) for i in range(n)}
        # The multiplier's sign is always 0 (spec §25.3).
        at = pipe.cut("i", {"s": self.i.payload[n * width :][: FP32.magnitude_bits], **lanes})
        tree = LargestMagnitude(width - 1, n)
        place(m, platform, "amax_tree", tree, kind="amax")
        m.d.comb += tree.magnitudes.eq(Cat(*(at[f"x{i}"][:-1] for i in range(n))))
        sixth = Sixth()
        place(m, platform, "sixth_of_multiplier", sixth, kind="sixth")
        fraction, field = at.s[:FLOAT_FRACTION], at.s[FLOAT_FRACTION:]
        bits, rest = self._rows(m, platform, "inverse_a", fraction, first_remainder(fraction), 2)
        m.d.comb += sixth.fraction.eq(fraction)
        at = pipe.cut(
            "a",
            {
                **{"amax": tree.largest, "sixth": sixth.sixth, "sixth_carry": sixth.carry},
                **{"fraction": fraction, "field": field, "bits": bits, "rest": rest},
                **_lanes_of(at, n),
            },
        )

        scale = self._scale(m, platform, at)
        more, _ = self._rows(m, platform, "inverse_s", at.fraction, at.rest, 2)
        inverse = RoundReciprocal()
        place(m, platform, "inverse_round", inverse, kind="round_reciprocal")
        # From 2**126 on a reciprocal is subnormal, unless S is that power of two.
        top, highest = at.field == 2 * FLOAT_BIAS - 1, at.field == 2 * FLOAT_BIAS
        m.d.comb += [
            inverse.bits.eq(Cat(more, at.bits)),
            inverse.lost.eq(Mux(highest, 2, top)),
        ]
        exponent = Signal(signed(INVERSE_BITS))
        m.d.comb += exponent.eq(FLOAT_BIAS - 1 - at.field + inverse.carry)
        at = pipe.cut(
            "s",
            {
                **{"scale": scale, "fraction": inverse.fraction, "exponent": exponent},
                **_lanes_of(at, n),
            },
        )
        at = self._factor(m, platform, pipe, at)
        found = [self._normalised(m, platform, i, at[f"x{i}"]) for i in range(n)]
        return _fields(at, "scale", "factor", "triple", "origin"), found

    def _rows(
        self, m: Module, platform: object, name: str, fraction: Value, before: Value, parts: int
    ) -> tuple[Value, Value]:
        """One of ``parts`` equal parts of a division's rows: bits of the quotient, remainder."""
        unit = DivisionRows(ROWS // parts)
        place(m, platform, name, unit, kind=f"rows{ROWS // parts}")
        m.d.comb += [unit.fraction.eq(fraction), unit.before.eq(before)]
        return unit.bits, unit.after

    def _scale(self, m: Module, platform: object, at: Any) -> Value:
        """The scale code of amax times S / 6."""
        shapes = self.shapes.block
        assert isinstance(shapes, ScaledShapes)
        normalise = Normalise(shapes)
        place(m, platform, "normalise_amax", normalise, kind="normalise")
        factor = Cat(at.sixth, Const(1, 1))
        triple, multiply = Triple(), Multiply(self.shapes.fraction_bits)
        place(m, platform, "triple_sixth", triple, kind="triple")
        place(m, platform, "multiply_amax", multiply, kind="multiply")
        amax = normalise.number
        exponent = Signal(signed(FP32.exponent_bits + 3))
        shift = SIXTH_EXPONENT - FLOAT_BIAS - self.shapes.lane_bias
        rounding = RoundScale(self.shapes, len(exponent))
        place(m, platform, "scale_encoder", rounding, kind="scale")
        m.d.comb += [
            normalise.magnitude.eq(at.amax),
            triple.factor.eq(factor),
            multiply.fraction.eq(amax.fraction),
            multiply.factor.eq(factor),
            multiply.triple.eq(triple.triple),
            exponent.eq(amax.exponent + at.field + at.sixth_carry + shift),
            rounding.product.eq(multiply.product),
            rounding.exponent.eq(exponent),
            rounding.some.eq(amax.some),
            rounding.infinite.eq(amax.exponent.all()),
        ]
        return rounding.scale

    def _factor(self, m: Module, platform: object, pipe: Chain, at: Any) -> Any:
        """The reciprocal of scale / S, to cut r (spec §25.7)."""
        n = self.variant.block_size
        product = ScaleTimesInverse()
        place(m, platform, "scale_times_inverse", product)
        m.d.comb += [
            product.scale.eq(at.scale),
            product.fraction.eq(at.fraction),
            product.exponent.eq(at.exponent),
        ]
        at = pipe.cut(
            "v",
            {
                **{"scale": at.scale, "fraction": product.product, "exponent": product.field},
                **{"endless": product.endless, **_lanes_of(at, n)},
            },
        )
        bits: Value = Const(0, 0)
        rest: Value = first_remainder(at.fraction)
        for letter in "bc":
            more, rest = self._rows(m, platform, f"rows_{letter}", at.fraction, rest, 3)
            bits = Cat(more, bits)
            kept = _fields(at, "scale", "fraction", "exponent", "endless")
            at = pipe.cut(letter, {**kept, "bits": bits, "rest": rest, **_lanes_of(at, n)})
            bits, rest = at.bits, at.rest
        more, _ = self._rows(m, platform, "rows_r", at.fraction, rest, 3)
        rounding = RoundReciprocal()
        place(m, platform, "round_reciprocal", rounding)
        factor, triple = Signal(FLOAT_FRACTION + 1), Triple()
        place(m, platform, "triple_factor", triple, kind="triple")
        origin = Signal(signed(self.shapes.origin_bits))
        least, _ = self.shapes.origin_range
        # The factor's exponent is -exponent - 1, or one more with a carry.
        power = self.shapes.lane_bias - 2 + at.exponent - rounding.carry
        m.d.comb += [
            rounding.bits.eq(Cat(more, bits)),
            # Scale 0 gives an infinite factor, held at the largest float32.
            factor.eq(Cat(rounding.fraction | at.endless.replicate(FLOAT_FRACTION), Const(1, 1))),
            triple.factor.eq(factor),
            origin.eq(Mux(at.endless, least, power)),
        ]
        assert least == self.shapes.lane_bias - 3 - FACTOR_HIGH
        return pipe.cut(
            "r",
            {
                **{"scale": at.scale, "factor": factor, "triple": triple.triple},
                **{"origin": origin, **_lanes_of(at, n)},
            },
        )

    def _normalised(self, m: Module, platform: object, i: int, x: Value) -> Fields:
        """A lane of any exponent."""
        shapes = self.shapes.block
        assert isinstance(shapes, ScaledShapes)
        unit = Normalise(shapes)
        place(m, platform, f"normalise{i}", unit, kind="normalise")
        m.d.comb += unit.magnitude.eq(x[:-1])
        number = unit.number
        return {
            **{"fraction": number.fraction, "exponent": number.exponent, "sign": x[-1]},
            **{"some": number.some, "infinite": number.exponent.all()},
        }

    def _lanes(
        self, m: Module, platform: object, pipe: Chain, factor: Fields, lanes: list[Fields]
    ) -> None:
        """Products, their codes, and the output word."""
        fields: Fields = {"scale": factor["scale"]}
        flags = ("sign", "some", "infinite")
        for i, lane in enumerate(lanes):
            unit = Product(self.shapes)
            place(m, platform, f"product{i}", unit, kind="product")
            m.d.comb += [
                unit.fraction.eq(lane["fraction"]),
                unit.exponent.eq(lane["exponent"]),
                *(getattr(unit, k).eq(factor[k]) for k in ("factor", "triple", "origin")),
            ]
            fields |= {f"product{i}": unit.product, f"steps{i}": unit.steps}
            fields[f"flags{i}"] = Cat(lane[flag] for flag in flags)
        at = pipe.cut("p", fields)
        codes = []
        for i in range(len(lanes)):
            rounding = RoundElement(self.shapes)
            place(m, platform, f"element{i}", rounding, kind="element")
            m.d.comb += [
                rounding.product.eq(at[f"product{i}"]),
                rounding.steps.eq(at[f"steps{i}"]),
                *(getattr(rounding, flag).eq(at[f"flags{i}"][k]) for k, flag in enumerate(flags)),
            ]
            codes.append(rounding.code)
        out = pipe.cut("o", {"word": Cat(*codes, at.scale)})
        m.d.comb += self.o.payload.eq(out.word)
        pipe.end(self.o)


def _fields(at: Any, *names: str) -> Fields:
    """Some fields of a cut."""
    return {name: at[name] for name in names}


def _lanes_of(at: Any, lanes: int) -> Fields:
    """The lanes of a cut."""
    return numbered([at[f"x{i}"] for i in range(lanes)])
