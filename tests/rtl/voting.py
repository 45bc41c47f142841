"""The units of the votes with plain ports, and what they have to say (spec §18)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import Format
from emulator.recipes import Recipe
from emulator.reference import scale_code
from emulator.reference_votes import pop_vote, top_vote
from rtl.candidates import CandidateEncoder
from rtl.hierarchy import place
from rtl.thresholds import ThresholdGenerator
from rtl.unpack import Unpack
from rtl.vote_quantizer import vote_key
from rtl.vote_shapes import VoteShapes
from rtl.votes import LaneVote, QuarterVote

Numbers = npt.NDArray[Any]


class OneVote(wiring.Component):
    """What a number votes beside a scale s6, by the rule of the shapes. Combinational.

    Members:
        x: In, the number.
        six: In, the stored code of s6.
        vote: Out, in two's complement of 4 bits.
    """

    x: Signal
    six: Signal
    vote: Signal

    def __init__(self, shapes: VoteShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "x": In(shapes.input.width),
                "six": In(shapes.scale.storage_bits),
                "vote": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        s = self.shapes
        unpack, reference = Unpack(s, whole=True), ThresholdGenerator(s)
        place(m, platform, "unpack", unpack)
        place(m, platform, "reference", reference)
        m.d.comb += [unpack.x.eq(self.x), reference.scale.eq(self.six)]
        if s.voters:
            quarter = QuarterVote(s)
            place(m, platform, "quarter", quarter)
            m.d.comb += [
                quarter.key.eq(vote_key(s, unpack)),
                quarter.origin.eq(reference.thresholds.origin),
                quarter.significand.eq(reference.thresholds.n1),
                self.vote.eq(quarter.vote),
            ]
        else:
            lane = LaneVote(s)
            place(m, platform, "lane", lane)
            m.d.comb += [
                lane.lane.eq(unpack.lane),
                lane.thresholds.eq(reference.thresholds),
                self.vote.eq(
                    (lane.reach4 << 3) - (lane.reach3 << 2) + (lane.reach2 << 1) - lane.some
                ),
            ]
        return m


class TwoScales(wiring.Component):
    """Both candidates of an amax. Combinational.

    Members:
        x: In, the amax.
        six, four: Out, the stored codes.
    """

    x: Signal
    six: Signal
    four: Signal

    def __init__(self, shapes: VoteShapes) -> None:
        self.shapes = shapes
        width = shapes.scale.storage_bits
        super().__init__({"x": In(shapes.input.width), "six": Out(width), "four": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        s = self.shapes
        unpack, encoder = Unpack(s, whole=True), CandidateEncoder(s, numbered=False)
        place(m, platform, "unpack", unpack)
        place(m, platform, "encoder", encoder)
        six, four = encoder.scales
        m.d.comb += [
            unpack.x.eq(self.x),
            encoder.amax.eq(vote_key(s, unpack)),
            self.six.eq(six),
            self.four.eq(four),
        ]
        return m


def votes(values: Numbers, s6: Fraction, *, top: bool) -> Numbers:
    """Votes of magnitudes, float64, beside s6: by a table of the steps (spec §18.3, §18.5).

    Exact: a magnitude has at most 24 significant bits and a step of the votes fewer.
    """
    vote = top_vote if top else pop_vote
    steps = [Fraction(k, 4) for k in (range(90) if top else (0, 1, 8, 12, 16))]
    edges = np.array([float(step * s6) for step in steps])
    inside = np.array([vote(step + Fraction(1, 8)) for step in steps])
    at = np.array([vote(step) for step in steps])
    place_ = np.searchsorted(edges, values, side="right") - 1
    return np.where(edges[place_] == values, at[place_], inside[place_])


def patterns_near(x: Format) -> Numbers:
    """Finite magnitudes of a format: all of 16 bits; of 32 bits those with few low bits."""
    if x.width == 16:
        return np.arange(x.max_code + 1, dtype=np.uint64)
    assert x.fraction_bits == 23
    low = np.array([0, 1, (1 << 13) - 1], np.uint64)
    high = np.arange((x.max_code >> 13) + 1, dtype=np.uint64) << np.uint64(13)
    return (high[:, None] | low).ravel()


def values_of(patterns: Numbers, x: Format) -> Numbers:
    """The values of finite patterns."""
    if x.name == "fp16":
        return patterns.astype(np.uint16).view(np.float16).astype(np.float64)
    shift = 32 - x.width
    return (patterns.astype(np.uint32) << np.uint32(shift)).view(np.float32).astype(np.float64)


def all_candidates(r: Recipe) -> list[tuple[int, int]]:
    """All pairs of codes that candidates 6 and 4 can have (spec §15.1)."""
    values = [r.scale.value(code) for code in range(r.scale.max_code + 1)]
    ends = sorted({d * (a + b) / 2 for a, b in pairwise(values) for d in (4, 6)})
    points = [Fraction(0), *ends, *((a + b) / 2 for a, b in pairwise(ends)), ends[-1] * 2]
    return sorted({(candidate(x, 6, r), candidate(x, 4, r)) for x in points})


def candidate(amax: Fraction, divisor: int, r: Recipe) -> int:
    """The code of a candidate: the scale code of an amax whose sixth is that quotient."""
    absmax = replace(r, rule="absmax")
    return scale_code(amax * 6 / divisor, absmax)
