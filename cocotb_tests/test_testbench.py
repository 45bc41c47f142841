"""The exported SystemVerilog testbenches: they pass in two simulators, and fail where they must."""

from __future__ import annotations

from pathlib import Path

import pytest

from cocotb_tests import plain
from cocotb_tests.vectors import Vectors, gather
from emulator.errors import MismatchError
from rtl.variants import variant

pytestmark = pytest.mark.slow

NAME = "quantizer-e8m0-floor-b4-bf16"
"""One variant of each unit, for the second simulator."""
SECOND = (NAME,)

needs_icarus = pytest.mark.skipif(
    not plain.has_icarus(), reason="Icarus Verilog (package iverilog) is not installed"
)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return gather(variant(NAME), 500)


@needs_icarus
@pytest.mark.parametrize("name", SECOND)
def test_a_second_simulator_agrees(name: str, tmp_path: Path) -> None:
    """Four-state simulation of the golden words, at full rate and with pauses (spec §13.1)."""
    given = gather(variant(name), 2_000)
    top = plain.write_bench(tmp_path, given)
    command = plain.build_icarus(tmp_path, top)
    for plusargs in (["+pauses=0"], ["+pauses=128", "+seed=3"]):
        assert plain.run_bench(command, tmp_path, *plusargs) == len(given.spec) > 1_000


@needs_icarus
def test_axis_in_icarus(vectors: Vectors, tmp_path: Path) -> None:
    top = plain.write_bench(tmp_path, vectors, "axis")
    command = plain.build_icarus(tmp_path, top)
    assert plain.run_bench(command, tmp_path) == len(vectors.spec)


def test_the_same_testbench_in_verilator(vectors: Vectors, tmp_path: Path) -> None:
    top = plain.write_bench(tmp_path, vectors)
    command = plain.build_verilator(tmp_path, top)
    assert plain.run_bench(command, tmp_path) == len(vectors.spec)


@needs_icarus
def test_what_is_wrong_is_found(vectors: Vectors, tmp_path: Path) -> None:
    top = plain.write_bench(tmp_path, vectors)
    command = plain.build_icarus(tmp_path, top)
    spec = tmp_path / f"{variant(NAME).module}.expected.hex"
    lines = spec.read_text().splitlines()

    def found(changed: list[str]) -> str:
        spec.write_text("".join(f"{line}\n" for line in changed))
        with pytest.raises(MismatchError) as error:
            plain.run_bench(command, tmp_path)
        return str(error.value)

    flipped = f"{int(lines[7], 16) ^ 1:0{len(lines[7])}x}"
    assert "word 7: dut" in found([*lines[:7], flipped, *lines[8:]])
    assert "the vectors are not there" in found(lines[:-1])
