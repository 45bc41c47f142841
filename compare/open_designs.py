"""Open designs that do what a unit of this project does, and what they cost in OSU 0.18 um cells.

Mapped by yosys 0.70 with its slang front end and abc, with three scripts: for area alone, between,
and for speed; inputs driven by INVX2, outputs loaded with 20 fF, sized and buffered, without
registers unless said otherwise. One gate equivalent is a NAND2X1. Only these figures are here, none
of the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LIBRARY, DRIVING_CELL, LOAD_FF = "osu018_stdcells", "INVX2", 20.0
"""Cells and conditions under which the figures can be compared with."""


@dataclass(frozen=True)
class OpenDesign:
    """One open design.

    Attributes:
        name: of the project, and of the unit where it has several.
        points: gate equivalents and delay in ns of each mapping; None where only area was read.
        note: what differs from our unit.
    """

    name: str
    points: tuple[tuple[float, float | None], ...]
    note: str = ""

    def beats(self, ge: float, ns: float) -> bool:
        """Whether one of its mappings is both smaller and faster than such a point."""
        return any(d is not None and a < ge and d < ns for a, d in self.points)


OPEN_DESIGNS: Mapping[str, tuple[OpenDesign, ...]] = {
    "mxfp4-bf16-b16": (
        OpenDesign(
            "MX-for-FPGA BF16 to MXFP4",
            ((5918, None), (6255, 6.86), (6122, 6.74)),
            "with 72 flip-flops",
        ),
    ),
    "mxfp4-bf16-b32": (
        OpenDesign(
            "MX-for-FPGA BF16 to MXFP4",
            ((11574, None), (11897, 7.95), (11640, 8.21)),
            "with 136 flip-flops",
        ),
    ),
    "mxfp4-fp16-b16": (
        OpenDesign(
            "RedMulE-MX encoder FP16 to MXFP4",
            ((5254, None), (4764, 10.1)),
            "its logic alone; it never gives code 1",
        ),
    ),
    "sum-e2m1-16": (
        OpenDesign("MX-for-FPGA dot E2M1", ((2274, None), (2226, 5.00), (2792, 4.34))),
        OpenDesign("Hrushi199 dot16", ((4737, None), (4725, 5.71), (5213, 5.02))),
    ),
    "sum-e2m1-32": (
        OpenDesign("MX-for-FPGA dot E2M1", ((4590, None), (4671, 5.79), (5893, 5.01))),
    ),
    "dot-ue4m3-b16": (
        OpenDesign("sashakatne 16-dot to FP32", ((4161, None), (4320, 9.34), (4820, 8.92))),
    ),
    "scale-product-ue4m3": (
        OpenDesign("sashakatne UE4M3 x UE4M3", ((181, None), (185, 1.93), (201, None))),
    ),
    "multiply-e2m1": (
        OpenDesign("MX-for-FPGA E2M1 multiplier", ((71, None), (89, 1.05), (106, 1.08))),
        OpenDesign("sashakatne mul_lane", ((103, None), (111, 1.59), (120, None))),
        OpenDesign("Longhorn FP4 multiplier", ((84, None), (99, 1.48), (106, None))),
    ),
    "multiply-fp32": (
        OpenDesign("HardFloat FP32 mul", ((7046, None), (6917, 12.4), (6924, None))),
    ),
    "add-fp32": (OpenDesign("HardFloat FP32 add", ((3077, None), (3096, 11.8), (3425, None))),),
    "encode-e4m3-fp32": (
        OpenDesign("HardFloat cast FP32 to e4m3-like", ((460, None), (539, 4.09), (573, None))),
    ),
}
"""By the function that they share with a unit of ours."""
