"""Tensor quantizers in two simulators: the same bytes and cycles, and what has to be found."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from amaranth.hdl import Value

from cocotb_tests.families import MEMORY_FAMILIES
from cocotb_tests.memory_bench import Memory
from cocotb_tests.memory_second import build_cxxrtl
from cocotb_tests.memory_tensors import measure, tensor
from cocotb_tests.memory_vectors import COMMITTED
from cocotb_tests.toolchain import ROOT
from compare import memory_simulation
from compare.memory_simulation import simulate_memory
from emulator.errors import FileFormatError, MismatchError, ToolError
from rtl import tensor_measure
from rtl.tensor_quantizer_variant import TensorQuantizerVariant, tensor_quantizer

pytestmark = pytest.mark.slow

NAMES = MEMORY_FAMILIES
"""One of each schedule."""

GROUPED = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in NAMES]
"""Tests of one design stay in one process, so that its model is compiled once."""

ONE, TWO = (
    tensor_quantizer(name)
    for name in (NAMES[0], "tensor-quantizer-ue4m3-absmax-hp2-b4-bf16-two-w16")
)


@pytest.mark.parametrize("name", GROUPED[:1])
def test_two_simulators_agree(name: str, tmp_path: Path) -> None:
    """All bytes, reads and cycles, with and without pauses (spec §24.7, §24.9, §24.10).

    One of each schedule is compared in `make exhaustive`.
    """
    v = tensor_quantizer(name)
    first, second = (
        simulate_memory(v, simulator, folder=tmp_path, blocks=600, bulk_blocks=1000, seed=2)
        for simulator in memory_simulation.SIMULATORS
    )
    assert second.results == first.results
    assert [r.stimulus for r in second.results] == ["full rate", "pauses", "long"]
    assert second.timed and second.compared > 1600 * (v.quantizer.recipe.block_size // 2 + 1)
    assert (second.simulator, first.simulator) == ("cxxrtl", "verilator")
    assert {"yosys", "g++"} <= set(second.versions)


@pytest.mark.parametrize("name", GROUPED)
def test_committed_vectors(name: str, tmp_path: Path) -> None:
    """Also commands that are refused, in the simulator that is built in any case (spec §11.7)."""
    v = tensor_quantizer(name)
    options: dict[str, Any] = {"folder": tmp_path, "bulk_blocks": 0}
    report = simulate_memory(v, "cxxrtl", vectors=ROOT / "golden_vectors" / COMMITTED, **options)
    assert [r.stimulus for r in report.results] == [
        f"{v.schedule} refused",
        f"{v.schedule} tensors",
    ]
    assert report.compared >= 700


def test_what_follows_the_tensor_does_not_count() -> None:
    """Padding of the last memory word that goes into the amax is found (spec §24.5)."""

    def take(counts: object, part: Value, other: int) -> Value:
        return part

    with mock.patch.object(tensor_measure, "Mux", take):
        model = build_cxxrtl(TWO, TWO.verilog())
    measure(model, [tensor(TWO, 2, 2)], Memory(2))
    with pytest.raises(MismatchError, match="status 0 is"):
        measure(model, [tensor(TWO, 3, 3)], Memory(2))


@pytest.mark.parametrize("simulator", memory_simulation.SIMULATORS)
def test_a_given_design(simulator: str, tmp_path: Path) -> None:
    """Other pipeline cuts give the same bytes in other cycles (spec §13.1, §24.9)."""
    path = tmp_path / "mine.v"
    path.write_text(tensor_quantizer(f"{NAMES[0][:-8]}-cuto-one-w16").verilog())
    options: dict[str, Any] = {"blocks": 0, "bulk_blocks": 0}
    report = simulate_memory(ONE, simulator, dut=path, **options)
    assert not report.timed and report.dut == str(path) and report.compared > 3000
    with (
        mock.patch.object(TensorQuantizerVariant, "verilog", lambda self: path.read_text()),
        mock.patch.object(TensorQuantizerVariant, "module", f"{ONE.module[:-8]}_cuto_one_w16"),
        pytest.raises(MismatchError, match=r"a tensor of 1 blocks.*spec Traffic.*spec §24\.9"),
    ):
        simulate_memory(ONE, simulator, folder=tmp_path, **options)
    with pytest.raises(ToolError, match="command_payload"):
        simulate_memory(TWO, simulator, dut=path, **options)
    with pytest.raises(FileFormatError, match=r"none\.v: no such file"):
        simulate_memory(ONE, simulator, dut=tmp_path / "none.v", **options)


def test_what_cannot_be_simulated() -> None:
    with pytest.raises(ValueError, match="runs in verilator and cxxrtl, not in icarus"):
        simulate_memory(ONE, "icarus")
    wrongs: list[dict[str, Any]] = [{"blocks": -1}, {"seed": -1}]
    for wrong in [*wrongs, {"bulk_blocks": 1 << ONE.count_bits}]:
        with pytest.raises(ValueError, match="out of range"):
            simulate_memory(ONE, **wrong)
