"""Quantizers with a tensor scale and the units that make one, in Verilator.

The rest of the matrix belongs to the exhaustive jobs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from amaranth.hdl import Module, Value
from amaranth.lib.data import View

from cocotb_tests import toolchain
from cocotb_tests.scaled_exhaustive import scaled_space
from cocotb_tests.simulate import simulate, verify
from cocotb_tests.subjects import subject
from emulator import golden
from emulator.errors import MismatchError
from emulator.scaled_words import expected_scaled
from rtl import scaled_quantizer, tensor_scale
from rtl.hierarchy import place
from rtl.scaled_thresholds import ScaledThresholds
from rtl.tensor_scale import TensorScale
from rtl.variants import quantizer, variant
from rtl.verilog import to_verilog

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name", ["quantizer-ue4m3-absmax-h-b4-bf16", "quantizer-ue5m3-absmax-pz-hp2-b4-bf16"]
)
def test_quantizer(name: str) -> None:
    """Bits, order, reset, latency and interval (spec §12.3 to §12.5, §14.7, §23.1, §23.2)."""
    report = simulate(variant(name), blocks=2_000, bulk_blocks=20_000)
    assert report.cocotb_words >= 4_000 and report.driver_words >= 20_000
    assert (report.latency, report.interval) == (3, 1)


@pytest.mark.parametrize(
    "name",
    ["tensor-amax-bf16-x8", "tensor-scale-h-ue4m3-bf16", "tensor-scale-hbf16-ue5m3-fp32"],
)
def test_tensor_units(name: str) -> None:
    """One result per tensor, through the same protocol tests (spec §23.3, §23.4, §23.5)."""
    report = simulate(variant(name), blocks=2_000, bulk_blocks=20_000)
    assert report.driver_words >= 5_000
    assert (report.latency, report.interval) == (variant(name).latency, variant(name).interval)


@pytest.mark.parametrize(
    "name",
    [
        "tensor-amax-bf16-x8",
        "tensor-scale-h-ue4m3-bf16",
        "tensor-scale-hbf16-ue5m3-fp32",
        "tensor-scale-hp2-ue5m3-fp16",
    ],
)
def test_ports_and_lint(name: str, tmp_path: Path) -> None:
    """The ports of spec §12.1, and no warning but the waived ones."""
    v = variant(name)
    path = tmp_path / f"{v.module}.v"
    path.write_text(to_verilog(v))
    assert toolchain.dut_ports(path, v.module) == v.ports
    assert toolchain.lint(path, v.module) == ""


class Truncated(ScaledThresholds):
    """Thresholds that were cut count as whole: a tie is taken where there is none (spec §14.7)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = ScaledThresholds(self.shapes)
        place(m, platform, "sound", sound, kind="sound_thresholds")
        m.d.comb += [
            sound.scale.eq(self.scale),
            sound.g.eq(self.g),
            self.thresholds.eq(sound.thresholds),
            self.thresholds.beyond3.eq(0),
            self.thresholds.beyond7.eq(0),
        ]
        return m


def test_a_cut_threshold_is_found() -> None:
    """Only numbers next to a threshold of more bits show it; the message names the tensor scale."""
    v = variant("quantizer-ue4m3-absmax-hbf16-b2-bf16")
    with mock.patch.object(scaled_quantizer, "ScaledThresholds", Truncated):
        text = to_verilog(v)
    with pytest.raises(MismatchError, match=r"tensor scale [0-9a-f]{8} = .*\(spec §9\.1\)"):
        verify(v, text, blocks=0)


def test_an_even_tensor_scale_is_found() -> None:
    """A tensor scale whose last bit is always 0 (spec §14.2)."""
    v = variant("tensor-scale-h-ue4m3-bf16")
    sound = tensor_scale.TensorScale._rounded

    def even(unit: TensorScale, m: Module, now: View) -> Value:
        return sound(unit, m, now) & ~1

    with mock.patch.object(tensor_scale.TensorScale, "_rounded", even):
        text = to_verilog(v)
    with pytest.raises(MismatchError, match="g: amax "):
        verify(v, text, blocks=0)


@pytest.mark.parametrize(
    ("name", "g"),
    [("quantizer-ue4m3-absmax-hbf16-b16-bf16", 0x00C10000)],
)
def test_whole_spaces_under_a_tensor_scale(name: str, g: int) -> None:
    """All bfloat16 and all amaxes, subnormal scale products included (spec §14.7, §9.1, §8.1)."""
    v = quantizer(name)
    lane = scaled_space("element", v, g)
    codes = [0, 1, 2, 3, 5, 8, 13, 47, 126]
    assert lane.run(settings=codes) == len(codes) * 2 * 0x7F81
    encoder = scaled_space("scale", v, g)
    assert encoder.run() == 1 << 15
    with pytest.raises(MismatchError, match=r"scale of .* differ"):
        replace(encoder, g=g + 0x10000).run()


def test_golden_vectors_carry_the_tensor_scale_of_their_words(tmp_path: Path) -> None:
    """A stimulus is one tensor (spec §11.4): each of its words gets that tensor's scale."""
    v = quantizer("quantizer-ue5m3-absmax-hp2-b4-bf16")
    names = ["scales-ue5m3", "random"]
    golden.write(tmp_path / "vectors", [v.recipe], [v.input], names=lambda r, x: names)
    found = subject(v).load(tmp_path / "vectors")
    assert sorted(name for name, _, _ in found) == sorted(names)
    for _, words, spec in found:
        assert len(words) > 200
        assert np.array_equal(expected_scaled(v.recipe, v.input, words), spec)
