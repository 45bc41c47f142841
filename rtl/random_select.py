"""Quantizers that choose a scale and round under it at random (spec §15, §17 to §19, §26.5).

The scale code is that of the quantizer without random numbers (spec §19.1), which stands here whole
(`choice`); its element codes are left alone. While it is at work the cipher runs, and words wait
behind the cipher for their scales.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.chain import Chain, numbered
from rtl.hierarchy import place
from rtl.random_element import RandomElement
from rtl.random_select_variant import RandomSelectVariant
from rtl.random_shapes import RandomShapes
from rtl.speck import Draws
from rtl.stage import Stage
from rtl.thresholds import ThresholdGenerator
from rtl.unpack import Unpack


class RandomSelectQuantizer(wiring.Component):
    """Takes blocks with their numbers and seeds and gives their element codes and scale codes.

    Each word goes both to the choice and to the cipher, in the same cycle, and leaves both in the
    same cycle, too. Latency and interval: those of choice or cipher, whichever are longer, and one
    cycle of latency per pipeline cut behind them (spec §26.5).

    Args:
        variant: what to build; its recipe has no tensor scale, and scales with a zero.

    Members:
        i: In, stream of input words (spec §26.1, §26.4).
        o: Out, stream of output words (spec §11.2).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: RandomSelectVariant) -> None:
        self.variant = variant
        super().__init__(
            {
                "i": In(stream.Signature(variant.input_layout.width)),
                "o": Out(stream.Signature(variant.output_layout.width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Choice and cipher side by side, and what rounds behind both."""
        m = Module()
        v = self.variant
        n, scale_bits = v.recipe.block_size, v.recipe.scale.storage_bits
        number, seed = (v.input_layout.field(name) for name in ("number", "seed"))
        choice: Any = v.choice.component()
        place(m, platform, "choice", choice, kind="choice", clocked=True, scope=True)
        word = self.i.payload[: number.offset]
        assert len(word) == len(choice.i.payload)

        cipher: Any = stream.Signature(0).create(path=("cipher",))
        m.d.comb += choice.i.payload.eq(word)
        self.fork(m, choice.i, cipher)

        kept = self.kept(m, platform, word)
        rest = data.StructLayout({name: value.shape() for name, value in kept.items()})
        assert v.recipe.sr_bits is not None
        draws = Draws(rest, n * v.recipe.sr_bits, v.rounds)
        place(m, platform, "draws", draws, clocked=True)
        before: Any = Signal(draws.i.payload.shape(), name="to_draws")
        m.d.comb += [
            before.number.eq(self.i.payload[number.offset : seed.offset]),
            before.seed.eq(self.i.payload[seed.offset :]),
            *(before.rest[name].eq(value) for name, value in kept.items()),
        ]
        waits = Chain(m, platform, "", cipher)
        drawn = waits.through(draws, before)
        for i in range(v.waiting):
            stage = Stage(drawn.shape())
            place(m, platform, f"waiting{i}", stage, kind="waiting", clocked=True)
            drawn = waits.through(stage, drawn)

        scale: Value = choice.o.payload[4 * n :][:scale_bits]
        chosen = choice.o
        if v.holds:
            held = Stage(scale.shape())
            place(m, platform, "held", held, clocked=True)
            m.d.comb += [
                held.i.payload.eq(scale),
                held.i.valid.eq(chosen.valid),
                chosen.ready.eq(held.i.ready),
            ]
            scale, chosen = held.o.payload, held.o
        both: Any = stream.Signature(0).create(path=("both",))
        self.join(m, chosen, waits, both)
        pipe = Chain(m, platform, v.rounding_cuts, both)
        at = pipe.cut(
            "r",
            {
                "scale": scale,
                "draws": drawn.draws,
                **{name: drawn.rest[name] for name in self.lanes},
                "thresholds": self.thresholds(m, platform, scale, drawn.rest),
            },
        )
        codes = [self.code(m, platform, i, at) for i in range(n)]
        out = pipe.cut("w", {"word": Cat(*codes, at.scale)})
        m.d.comb += self.o.payload.eq(out.word)
        pipe.end(self.o)
        return m

    def fork(self, m: Module, choice: stream.Interface, cipher: stream.Interface) -> None:
        """A word goes to choice and cipher in one cycle, in which both are ready for it.

        A choice that tries candidates in turn without a register in front looks at a word before
        it is ready, which it is at the last candidate, whose turn it is until the word is gone.
        """
        m.d.comb += [
            choice.valid.eq(self.i.valid & (cipher.ready | ~choice.ready)),
            cipher.valid.eq(self.i.valid & choice.ready),
            self.i.ready.eq(cipher.ready & choice.ready),
        ]

    def join(
        self, m: Module, choice: stream.Interface, waits: Chain, both: stream.Interface
    ) -> None:
        """A scale and the word that waits for it go on in one cycle."""
        m.d.comb += [
            both.valid.eq(waits.valid & choice.valid),
            waits.ready.eq(both.ready & choice.valid),
            choice.ready.eq(both.ready & waits.valid),
        ]

    @property
    def lanes(self) -> list[str]:
        """Names of what each lane is made of."""
        return [f"x{i}" for i in range(self.variant.recipe.block_size)]

    def kept(self, m: Module, platform: object, word: Value) -> dict[str, Any]:
        """What waits for the scale, by name: the lanes, and what else `thresholds` takes."""
        s = self.shapes
        found = []
        for i in range(self.variant.recipe.block_size):
            unpack = Unpack(s, whole=True)
            place(m, platform, f"unpack{i}", unpack, kind="unpack")
            lane = Signal(s.random_lane, name=f"unpacked{i}")
            m.d.comb += [
                unpack.x.eq(word.word_select(i, s.input.width)),
                lane.fraction.eq(unpack.whole[s.input.fraction_bits - s.kept_bits :]),
                lane.exponent.eq(unpack.lane.exponent),
                lane.sign.eq(unpack.lane.sign),
            ]
            found.append(lane)
        return numbered(found)

    @property
    def shapes(self) -> RandomShapes:
        """Widths of lanes and elements: they hold under any scale of the format."""
        return RandomShapes.of_random(self.variant)

    def thresholds(self, m: Module, platform: object, scale: Value, rest: Any) -> Any:
        """What all lanes share."""
        generator = ThresholdGenerator(self.shapes)
        place(m, platform, "threshold_generator", generator, kind="thresholds")
        m.d.comb += generator.scale.eq(scale)
        return generator.thresholds

    def code(self, m: Module, platform: object, i: int, at: Any) -> Value:
        """The element code of a lane."""
        s = self.shapes
        element = RandomElement(s)
        place(m, platform, f"element{i}", element, kind="element")
        m.d.comb += [
            element.lane.eq(at[f"x{i}"]),
            element.thresholds.eq(at.thresholds),
            element.draw.eq(at.draws.word_select(i, s.bits)),
        ]
        return element.code
