"""Quantizers with the bits of a peer: names, worked examples, whole spaces of their parts, faults.

Gates are evaluated for many words at once (`tests.rtl.gates`); Verilator runs in
cocotb_tests/test_peer.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emulator.errors import FinescaleError, NotAvailableError, UnknownNameError
from emulator.formats import BF16, FORMATS
from emulator.peers import PEERS
from emulator.peers_codes import E4M3
from emulator.peers_nvfp4 import saturated
from rtl.hierarchy import place
from rtl.peer_multiply import Product
from rtl.peer_reciprocal import (
    ROWS,
    DivisionRows,
    ReciprocalTable,
    RoundReciprocal,
    first_remainder,
)
from rtl.peer_round import RoundElement
from rtl.peer_shapes import PeerShapes
from rtl.peer_tensor import Sixth
from rtl.peer_variant import PEERS as BUILT
from rtl.peer_variant import PeerVariant
from rtl.unpack import Unpack
from rtl.variants import INPUTS, variant
from rtl.verilog import convert
from tests.rtl.gates import netlist
from tests.rtl.peer_mutants import combinational, differing, mutant
from tests.rtl.simulation import through
from tests.spec_examples import examples

EXAMPLES = [e for e in examples() if e.verb == "peer"]
SIMULATED = {
    "quantizer-peer-torchao-nvfp4-1level-b2-bf16",
    "quantizer-peer-te-nvfp4-b2-bf16",
}
PART = 1 << 18
"""Patterns that are evaluated at once."""


@pytest.mark.parametrize("name", sorted(SIMULATED))
def test_worked_examples(name: str) -> None:
    """spec §25.1, §25.4, §25.5, §25.6, §25.7, §25.8"""
    chosen = [e for e in EXAMPLES if e.subject == name]
    given = [int(word, 16) for e in chosen for word in e.left.split(",")]
    want = [int(word, 16) for e in chosen for word in e.right.split(",")]
    assert len(want) == len(given) > 0
    assert through(variant(name), given, pauses=0.3) == want


def test_there_are_examples_of_each_peer() -> None:
    assert {e.subject.rsplit("-", 2)[0].removeprefix("quantizer-") for e in EXAMPLES} == set(BUILT)


@pytest.mark.parametrize("peer", BUILT)
def test_names(peer: str) -> None:
    """A peer that the emulator models, and a name that parses, for each choice of parts."""
    assert PEERS[peer].block_size == 16 and PEERS[peer].scale == "ue4m3"
    for x in INPUTS:
        for cuts in ("", BUILT[peer].places, "o", "ar"):
            for block in (2, 16, 32):
                v = PeerVariant(peer, FORMATS[x], cuts, block)
                assert variant(v.name) == v and v.latency == len(v.cuts)
                assert v.module.isidentifier() and "__" not in v.module
                assert (f"-b{block}" in v.name) == (block != 16)
    assert [v.name for v in PeerVariant.defaults()] == [f"quantizer-{p}-bf16" for p in BUILT]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("quantizer-peer-te-nvfp4", UnknownNameError, "unknown variant"),
        ("quantizer-peer-te-nvfp4-e4m3", UnknownNameError, "unknown variant"),
        ("quantizer-peer-modelopt-nvfp4-bf16", NotAvailableError, "modelopt-nvfp4: there is no"),
        ("quantizer-peer-te-nvfp4-b64-bf16", NotAvailableError, "64 exceeds the 32 lanes"),
        ("quantizer-peer-te-nvfp4-b12-bf16", ValueError, "12 is not a power of two"),
        ("quantizer-peer-te-nvfp4-b1-bf16", ValueError, "1 is not a power of two"),
        ("quantizer-peer-te-nvfp4-bf16-cut", ValueError, "cuts '' are not one or more"),
        ("quantizer-peer-te-nvfp4-bf16-cutoa", ValueError, "cuts .oa. are not one or more"),
        ("quantizer-peer-torchao-nvfp4-1level-bf16-cutv", ValueError, "not one or more letters of"),
    ],
)
def test_refused_names(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        variant(name)
    assert isinstance(caught.value, FinescaleError | ValueError)


class WholeReciprocal(wiring.Component):
    """All rows of a division, and its rounding."""

    fraction: Signal
    lost: Signal
    found: Signal

    def __init__(self) -> None:
        super().__init__({"fraction": In(23), "lost": In(2), "found": Out(24)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, last = DivisionRows(ROWS), RoundReciprocal()
        place(m, platform, "rows", rows)
        place(m, platform, "last", last)
        m.d.comb += [
            rows.fraction.eq(self.fraction),
            rows.before.eq(first_remainder(self.fraction)),
            last.bits.eq(rows.bits),
            last.lost.eq(self.lost),
            self.found.eq(Cat(last.fraction, last.carry)),
        ]
        return m


def test_reciprocals_of_all_significands(tmp_path: Path) -> None:
    """Correctly rounded, normal and subnormal, for each of 2^23 significands (spec §25.2)."""
    gates = netlist(convert(WholeReciprocal(), "whole"), "whole", tmp_path)
    compared = 0
    for lost in range(3):
        # Which bit rounds is a matter of the last step: a part of the space tells.
        for start in range(0, 1 << 23, PART if lost == 0 else 8 * PART):
            fraction = np.arange(start, start + PART, dtype=np.uint32)
            divisor = fraction.astype(np.uint64) | np.uint64(1 << 23)
            # 2^47 / divisor in units of the last place, twice as large to round at one half.
            unit = np.uint64(1 << lost)
            rounded = (np.uint64(1 << 48) // divisor // unit + np.uint64(1)) >> np.uint64(1)
            want = (rounded * unit) & np.uint64((1 << 24) - 1)
            want = np.where(rounded * unit == 1 << 24, 1 << 23, want & np.uint64((1 << 23) - 1))
            got = gates.run(fraction=fraction, lost=np.full(PART, lost, np.uint8))["found"]
            assert np.array_equal(got, want), lost
            if lost == 0:
                exact = (np.float32(1) / divisor.astype(np.float32)).view(np.uint32)
                assert np.array_equal(got & ((1 << 23) - 1), exact & ((1 << 23) - 1))
            compared += len(got)
    assert compared == (1 << 23) * 5 // 4


def test_sixths(tmp_path: Path) -> None:
    """S times the float32 nearest to 1/6, for each of 2^23 significands (spec §25.6)."""
    gates = netlist(convert(Sixth(), "sixth"), "sixth", tmp_path)
    for start in range(0, 1 << 23, PART):
        fraction = np.arange(start, start + PART, dtype=np.uint32)
        want = ((fraction | 0x3F800000).view(np.float32) * np.float32(1 / 6)).view(np.uint32)
        got = gates.run(fraction=fraction)
        assert np.array_equal(got["sixth"], want & 0x7FFFFF)
        assert np.array_equal(got["carry"], (want >> 23) - 124)


class TableLane(wiring.Component):
    """A lane and the reciprocal of its scale by the table."""

    x: Signal
    scale: Signal
    code: Signal

    def __init__(self) -> None:
        self.shapes = PeerShapes(BF16, tensor=False)
        super().__init__({"x": In(16), "scale": In(8), "code": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unpack = Unpack(self.shapes.block, whole=True)
        table, product = ReciprocalTable(self.shapes), Product(self.shapes)
        last = RoundElement(self.shapes)
        for name, unit in (("u", unpack), ("t", table), ("p", product), ("r", last)):
            place(m, platform, name, unit)
        m.d.comb += [
            unpack.x.eq(self.x),
            table.scale.eq(self.scale),
            product.fraction.eq(unpack.whole),
            product.exponent.eq(unpack.lane.exponent),
            product.factor.eq(table.factor),
            product.triple.eq(table.triple),
            product.origin.eq(table.origin),
            last.product.eq(product.product),
            last.steps.eq(product.steps),
            last.sign.eq(unpack.lane.sign),
            last.some.eq(1),
            self.code.eq(last.code),
        ]
        return m


def test_all_bfloat16_under_all_scales(tmp_path: Path) -> None:
    """Every lane of torchao's quantizer, NaN as infinity (spec §25.5, §25.8)."""
    gates = netlist(convert(TableLane(), "lane"), "lane", tmp_path)
    patterns = np.arange(1 << 16, dtype=np.uint32)
    magnitude = np.minimum(patterns & 0x7FFF, 0x7F80) | patterns & 0x8000
    x = (magnitude << 16).view(np.float32)
    compared = different = 0
    for code in range(8, 0x7F):
        s = E4M3.decode(np.uint8(code))
        with np.errstate(over="ignore"):
            want = saturated(x * (np.float32(1) / s))
            different += int((want != saturated(x / s)).sum())
        scale = np.full(len(x), code, np.uint8)
        got = gates.run(x=patterns.astype(np.uint16), scale=scale)["code"]
        assert np.array_equal(got, want), f"scale {code:02x}"
        compared += len(got)
    assert compared == 119 << 16
    assert different > 50  # quotient and product with a reciprocal do differ


@pytest.mark.parametrize("peer", BUILT)
def test_all_stimuli_and_faults(peer: str, tmp_path: Path) -> None:
    """The whole datapath, and that directed words find what is wrong with it (spec §25.2)."""
    v = PeerVariant(peer, BF16, block_size=2)
    assert set(differing(v, combinational(v), tmp_path).values()) == {0}
    fault = "truncated-reciprocal" if BUILT[peer].tensor else "exact-product"
    found = differing(v, mutant(v, fault), tmp_path)
    assert found.pop("random") <= 1, "random words hardly see it"
    assert found["elements"] > 100
