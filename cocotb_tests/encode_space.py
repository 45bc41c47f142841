"""All float32 patterns through a Verilated encoder: the walk of `cocotb_tests.exhaustive`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cocotb_tests import toolchain
from cocotb_tests.exhaustive import Segments, Space, build_walk, steps
from emulator.formats import FP32, Format
from emulator.reference import encode
from rtl.codec import Conversions
from rtl.codec_variant import EncodeVariant
from rtl.verilog import convert

SOURCE = Path(__file__).with_name("exhaustive.cpp")

LANES = 8
"""Numbers per evaluation."""

WIDTHS = (4, 8)
"""Bits of a stored code that the walk can compare."""


def segments(number: Format, fmt: Format, overflow: str = "saturate") -> Segments:
    """Codes of all patterns of a format of numbers (spec §21.2, §21.3)."""
    assert number.inf_code is not None

    def code(bits: int) -> int:
        return encode(bits, number, fmt, overflow, "zero")

    inf, top, sign = number.inf_code, number.magnitude_mask, number.sign_mask
    found = [*steps(code, 0, inf), (inf + 1, code(top))]
    # Codes of negative numbers as integers grow with the magnitude, or are all 0.
    return [*found, *steps(code, sign, sign | inf), (sign | inf + 1, code(sign | top))]


@dataclass(frozen=True)
class EncodeSpace(Space):
    """An encoder as a program that walks all float32 patterns; see `Space`."""

    variant: EncodeVariant  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def patterns(self) -> int:
        """All patterns."""
        return 1 << FP32.width

    @property
    def lanes(self) -> int:
        """Patterns per evaluation."""
        return LANES

    @property
    def settings(self) -> range:
        """The only one."""
        return range(1)

    def segments(self, setting: int) -> Segments:
        """Required codes."""
        return segments(FP32, self.variant.fmt)

    def _explain(self, mismatches: int, lines: Sequence[str]) -> str:
        shown = []
        for line in lines[:3]:
            _, x, dut, spec = (int(word) for word in line.split()[1:])
            shown.append(f"x {x:08x}: dut {dut:02x} spec {spec:02x}")
        return f"{self.variant}: {mismatches} differ (spec §21.2): {'; '.join(shown)}"


def encode_space(
    fmt: Format, *, verilog: str | None = None, folder: Path | None = None
) -> EncodeSpace:
    """Build the program for the saturating encoder of a format, or find it.

    Args:
        fmt: stored in 4 or 8 bits.
        verilog: text to test in place of ours: module `encode_unit`, ports `x` and `code`.
        folder: where programs are kept; by default ``build/exhaustive``.

    Raises:
        ValueError: if a stored code has other bits.
        ToolError: if a tool is missing or fails.
    """
    if fmt.storage_bits not in WIDTHS:
        raise ValueError(f"{fmt.name}: codes of {fmt.storage_bits} bits are not 4 or 8 bits wide")
    text = encode_verilog(fmt) if verilog is None else verilog
    defines = {
        "LANES": LANES,
        "IN_BITS": FP32.width,
        "IN_PORT": "x",
        "OUT_PORT": "code",
        "OUT_BITS": fmt.storage_bits,
    }
    main = "".join(f"#define {k} {v}\n" for k, v in defines.items()) + f'#include "{SOURCE}"\n'
    relevant = [text, main, SOURCE.read_text(), repr(sorted(toolchain.versions().items()))]
    key = hashlib.sha256("\0".join(relevant).encode()).hexdigest()[:16]
    home = (folder or toolchain.build_root() / "exhaustive").resolve()
    variant = EncodeVariant(fmt, FP32)
    program = home / f"encode-{variant.module}-{key}"
    if not program.is_file():
        build_walk(program, "encode_unit", text, main, wide=True)
    return EncodeSpace("encode", variant, program)


def encode_verilog(fmt: Format) -> str:
    """Combinational encoders of `LANES` float32 numbers side by side."""
    return convert(Conversions({"code": (FP32, fmt, False)}, FP32.width, LANES), "encode_unit")
