"""Codecs and dequantizers in Verilator; `make exhaustive` has the whole matrix of variants."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from amaranth.hdl import Module

from cocotb_tests.simulate import simulate, verify
from emulator.errors import MismatchError
from rtl import codec, dequantizer
from rtl.factor import Factor
from rtl.hierarchy import place
from rtl.round import Round
from rtl.variants import variant
from rtl.verilog import WAIVERS, to_verilog

WORDS = 20_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "encode-ue5m3-fp32-x4-cutmo",
        "decode-e8m0-fp16-x4",
        "dequantizer-ue5m3-absmax-b16-bf16",
        "dequantizer-ue4m3-absmax-h-b4-bf16-cutfpo",
    ],
)
def test_unit(name: str) -> None:
    """Bits, order, reset, latency and interval (spec §21.5, §12.2 to §12.5, §13.1)."""
    v = variant(name)
    report = simulate(v, blocks=2_000, bulk_blocks=WORDS)
    assert report.cocotb_words >= 4_000  # at full rate, and again with pauses
    assert report.driver_words >= WORDS
    assert (report.latency, report.interval) == (v.latency, 1.0)


class TiesUp(Round):
    """Rounds the number just below every code that ends in a zero bit up (spec §3.1)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = Round(self.target, self.ieee)
        place(m, platform, "sound", sound, kind="sound_round")
        m.d.comb += [
            sound.aligned.eq(self.aligned),
            sound.aligned.up.eq(self.aligned.up | (self.aligned.code == 0x77)),
            self.code.eq(sound.code),
        ]
        return m


class FlatSubnormals(Factor):
    """Takes the smallest scales for normal ones (spec §2.1)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = Factor(self.reach)
        place(m, platform, "sound", sound, kind="sound_factor")
        m.d.comb += [
            sound.scale.eq(self.scale | (self.scale == 1)),
            sound.g.eq(self.g) if self.reach.scale_bits else sound.scale.eq(self.scale | 1),
            self.factor.eq(sound.factor),
        ]
        return m


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "module", "unit", "fault", "message"),
    [
        ("encode-ue5m3-bf16", codec, "Round", TiesUp, r"steps .* codes: x [0-9a-f]+ => dut 78"),
        (
            "dequantizer-ue5m3-absmax-b2-bf16",
            dequantizer,
            "Factor",
            FlatSubnormals,
            r"codes block \d+ x [01]: codes .*, scale [0-9a-f]+ => dut [0-9a-f]+, spec",
        ),
    ],
)
def test_faults_are_found_and_shown(
    name: str, module: Any, unit: str, fault: type[Any], message: str
) -> None:
    """Directed words find a wrong bit, and the message has its word (spec §13.1)."""
    v = variant(name)
    with mock.patch.object(module, unit, fault):
        text = to_verilog(v)
    with pytest.raises(MismatchError, match=message):
        verify(v, text, blocks=10)


@pytest.mark.parametrize(
    "name",
    [
        "encode-e8m0-fp16-x4-cutimo",
        "encode-e2m1-fp32",
        "decode-ue4m3-bf16-x2",
        "decode-e5m2-fp16",
        "dequantizer-e8m0-floor-b4-fp32-cutifpo",
        "dequantizer-ue4m3-absmax-hbf16-b2-fp16",
        "dequantizer-ue4m3-absmax-b8-bf16",
    ],
)
def test_lint(name: str, tmp_path) -> None:
    """The ports of spec §21.5, and no warning but the waived ones."""
    from cocotb_tests import toolchain

    v = variant(name)
    path = tmp_path / f"{v.module}.v"
    path.write_text(to_verilog(v))
    assert toolchain.dut_ports(path, v.module) == v.ports
    assert toolchain.lint(path, v.module, waivers=WAIVERS) == ""
