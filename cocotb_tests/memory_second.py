"""Tensor quantizers in CXXRTL, behind the driver and the memory that Verilator's models have."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cocotb_tests import cxxrtl
from cocotb_tests.memory_bench import DRIVER, MemoryModel, widths
from cocotb_tests.toolchain import check_ports
from rtl.tensor_quantizer_variant import TensorQuantizerVariant

SHIM = Path(__file__).with_name("cxxrtl_memory")


def build_cxxrtl(
    variant: TensorQuantizerVariant,
    verilog: str | Path | None = None,
    folder: Path | None = None,
    *,
    top: str | None = None,
) -> MemoryModel:
    """Build the CXXRTL model of a tensor quantizer; arguments as `memory_bench.build` has them.

    Raises:
        FileFormatError: if the file does not exist.
        ToolError: if a tool is missing or fails, or if the ports differ.
    """
    cxxrtl.require()
    if not isinstance(verilog, Path):
        with tempfile.TemporaryDirectory(prefix="finescale-") as name:
            path = Path(name) / f"{variant.module}.v"
            path.write_text(variant.verilog() if verilog is None else verilog, "utf-8")
            return build_cxxrtl(variant, path, folder, top=top or variant.module)
    design = cxxrtl.translate(verilog, top)
    check_ports(design.ports, variant.ports, f"{verilog.name}: {design.top}")
    main = f'{widths(variant)}{cxxrtl.about(design)}#include "{DRIVER.name}"\n'
    shims = (SHIM, cxxrtl.SHIM)
    program = cxxrtl.assemble(verilog, design, main, shims=shims, driver=DRIVER, folder=folder)
    return MemoryModel(variant, program)
