"""The element that rounds at random with plain ports, and what it has to say (spec §19.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import FORMATS
from emulator.recipes import recipe
from rtl.hierarchy import place
from rtl.random_element import RandomElement
from rtl.random_shapes import RandomShapes
from rtl.random_variant import RandomVariant
from rtl.thresholds import ThresholdGenerator
from rtl.unpack import Unpack
from rtl.verilog import convert
from tests.rtl.gates import netlist
from tests.rtl.voting import patterns_near, values_of

VALUES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
"""The magnitudes of E2M1, by code."""


class OneElement(wiring.Component):
    """The element code of a number under a scale and a random number. Combinational.

    Members:
        x: In, the number.
        scale: In, the stored scale code.
        draw: In, the random number.
        code: Out, the element code.
    """

    x: Signal
    scale: Signal
    draw: Signal
    code: Signal

    def __init__(self, shapes: RandomShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "x": In(shapes.input.width),
                "scale": In(shapes.scale.storage_bits),
                "draw": In(shapes.bits),
                "code": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        s = self.shapes
        unpack, generator, element = Unpack(s, whole=True), ThresholdGenerator(s), RandomElement(s)
        place(m, platform, "unpack", unpack)
        place(m, platform, "generator", generator)
        place(m, platform, "element", element)
        m.d.comb += [
            unpack.x.eq(self.x),
            generator.scale.eq(self.scale),
            element.lane.fraction.eq(unpack.whole[s.input.fraction_bits - s.kept_bits :]),
            element.lane.exponent.eq(unpack.lane.exponent),
            element.lane.sign.eq(unpack.lane.sign),
            element.thresholds.eq(generator.thresholds),
            element.draw.eq(self.draw),
            self.code.eq(element.code),
        ]
        return m


def rounded(
    values: npt.NDArray[np.float64], scale: float, draws: npt.NDArray[Any], bits: int
) -> npt.NDArray[Any]:
    """Magnitude codes by the formula of spec §19.2; exact in float64 for up to 20 bits.

    Both sides are multiples of a power of two with fewer than 53 bits.
    """
    assert bits <= 20
    one = float(1 << bits)
    low = np.searchsorted(VALUES * scale, values, side="right") - 1
    top = low == 7
    step = VALUES[np.where(top, 7, low + 1)] - VALUES[low]
    limit = (VALUES[low] * one + step * (one - draws)) * scale
    return low + (~top & (values * one >= limit))


def check_elements(
    selection: str, x_name: str, codes: range, draws: list[int], folder: Path
) -> int:
    """All magnitudes (see `patterns_near`) under scales and random numbers, in the gates."""
    x = FORMATS[x_name]
    v = RandomVariant(recipe(f"{selection}-b16"), x)
    s = RandomShapes.of_random(v)
    gates = netlist(convert(OneElement(s), "one_element"), "one_element", folder)
    patterns = np.concatenate([patterns_near(x), [np.uint64(x.inf_code or 0)]])
    values = values_of(patterns, x)
    compared = 0
    for code in codes:
        for draw in draws:
            every = np.full(len(patterns), code, np.uint64)
            found = gates.run(x=patterns, scale=every, draw=np.full_like(every, draw))["code"]
            scale = float(s.scale.value(code))
            if scale == 0:
                want = np.zeros(len(values))
            else:
                want = rounded(values, scale, np.full(len(values), draw), s.bits)
            assert (found == want).all(), (selection, x_name, code, draw)
            compared += len(patterns)
    return compared
