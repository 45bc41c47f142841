"""The votes under a tensor scale with plain ports, and whole quantizers as gates (spec §18)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emulator.directed import around
from emulator.formats import FORMATS, FP32, Format
from emulator.layout import Words
from emulator.recipes import recipe
from emulator.scaled_words import carried
from rtl.hierarchy import place
from rtl.scaled_unpack import Normalise
from rtl.verilog import convert
from rtl.vote_scaled import ScaledLaneVote, ScaledQuarterVote, VoteThresholds
from rtl.vote_scaled_quantizer import ScaledVoteQuantizer
from rtl.vote_scaled_shapes import ScaledVoteShapes
from rtl.vote_variant import VoteVariant
from tests.rtl.gates import netlist
from tests.rtl.voting import Numbers, patterns_near, values_of, votes


def scaled_shapes(selection: str, x: str = "bf16", block: int = 16) -> ScaledVoteShapes:
    """The shapes of a selection with a tensor scale."""
    return ScaledVoteShapes.of_votes(VoteVariant(recipe(f"{selection}-b{block}"), FORMATS[x]))


class ScaledOneVote(wiring.Component):
    """What a magnitude votes beside s6 * g, by the rule of the shapes. Combinational.

    Members:
        magnitude: In, the number without its sign.
        six: In, the stored code of s6.
        g: In, the tensor scale as the word carries it.
        vote: Out, in two's complement of 4 bits.
    """

    magnitude: Signal
    six: Signal
    g: Signal
    vote: Signal

    def __init__(self, shapes: ScaledVoteShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "magnitude": In(shapes.input.magnitude_bits),
                "six": In(shapes.scale.storage_bits),
                "g": In(sum(shapes.g_field)),
                "vote": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        s = self.shapes
        normalise, reference = Normalise(s.elements), VoteThresholds(s)
        vote = ScaledQuarterVote(s) if s.voters else ScaledLaneVote(s)
        place(m, platform, "normalise", normalise)
        place(m, platform, "reference", reference)
        place(m, platform, "one", vote)
        m.d.comb += [
            normalise.magnitude.eq(self.magnitude),
            reference.scale.eq(self.six),
            reference.g.eq(self.g),
            vote.lane.eq(normalise.number),
            vote.thresholds.eq(reference.thresholds),
        ]
        if isinstance(vote, ScaledQuarterVote):
            m.d.comb += self.vote.eq(vote.vote)
        else:
            m.d.comb += self.vote.eq(
                (vote.reach4 << 3) - (vote.reach3 << 2) + (vote.reach2 << 1) - vote.some
            )
        return m


def check_scaled_votes(
    selection: str, x_name: str, codes: Sequence[int], scales: Sequence[int], folder: Path
) -> int:
    """Votes of magnitudes beside products of scales and tensor scales, in the mapped gates.

    All magnitudes of 16 bits; of float32 those of `patterns_near`, and the ones around each step.
    A magnitude of 16 times s6 * g or more occurs only in blocks where votes do not count.

    Returns:
        How many were compared.
    """
    s, x = scaled_shapes(selection, x_name), FORMATS[x_name]
    gates = netlist(convert(ScaledOneVote(s), "one_vote"), "one_vote", folder)
    every = patterns_near(x)
    compared = 0
    for given in scales:
        for code in codes:
            product = s.scale.value(code) * FP32.value(given)
            patterns = every if x.width == 16 else _and_steps(every, product, s.steps, x)
            values = values_of(patterns, x)
            below = values < float(16 * product)
            count = int(below.sum())
            found = gates.run(
                magnitude=patterns[below],
                six=np.full(count, code, np.uint64),
                g=np.full(count, int(carried(given, s.kind)), np.uint64),
            )["vote"].astype(np.int64)
            want = votes(values[below], product, top=bool(s.voters))
            assert ((found ^ 8) - 8 == want).all(), (selection, x_name, code, hex(given))
            compared += count
    return compared


def _and_steps(every: Numbers, product: Fraction, steps: Sequence[int], x: Format) -> Numbers:
    """Some magnitudes, and those around each multiple at which a vote changes."""
    near = [p for k in steps for p in around(product * k / 4, x)]
    return np.concatenate([every[:: 1 + len(every) // 4000], np.array(near, np.uint64)])


def tensor_scales(kind: str, count: int, seed: int) -> list[int]:
    """Float32 patterns of tensor scales of a kind: any exponent, many and few bits."""
    rng = np.random.default_rng(seed)
    fraction = rng.integers(0, 1 << 23, count) >> rng.integers(0, 24, count)
    kept = {"hbf16": 0x7F0000, "hp2": 0}.get(kind, 0x7FFFFF)
    flipped = np.where(rng.random(count) < 0.5, fraction, fraction ^ 0x7FFFFF)
    return [int(p) for p in rng.integers(1, 255, count) << 23 | (flipped & kept)]


def gates_of(v: VoteVariant, words: Words, folder: Path) -> Words:
    """What the gates of a quantizer make of words, without its registers.

    Args:
        v: the variant; its output words have at most 64 bits.
        words: input words.
        folder: for yosys.
    """
    dut = ScaledVoteQuantizer(v)
    bare = replace(v)
    object.__setattr__(bare, "cuts", "")  # not a variant: no register stage
    dut.variant = bare
    gates = netlist(convert(dut, "dut"), "dut", folder)
    # A port of more bits than an integer has becomes several.
    nets = gates.inputs["i_payload"]
    parts = {f"part{i}": nets[i : i + 64] for i in range(0, len(nets), 64)}
    padded = np.zeros((len(words), 8 * len(parts)), np.uint8)
    padded[:, : words.shape[1]] = words
    given = dict(zip(parts, padded.view("<u8").T, strict=True))
    quiet = {port: nets for port, nets in gates.inputs.items() if port != "i_payload"}
    zeros = {port: np.zeros(len(words), np.uint64) for port in quiet}
    out = replace(gates, inputs=parts | quiet).run(**given, **zeros)["o_payload"]
    rows = np.ascontiguousarray(out.astype("<u8")).view(np.uint8).reshape(-1, 8)
    return rows[:, : v.output_layout.nbytes]
