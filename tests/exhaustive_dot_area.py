"""What `make exhaustive` maps of dot products because it takes minutes."""

from __future__ import annotations

from compare.liberty import read_library
from compare.synthesis import synthesize
from emulator.errors import MismatchError
from rtl.dot_accumulator import shapes_of
from rtl.dot_exact import accumulator_bits
from rtl.dot_variant import DotVariant
from rtl.variants import variant
from rtl.verilog import to_verilog
from tests.compare.cells import osu018
from tests.exhaustive import HARDWARE, Job

WIDE = "dot-e8m0-b32-exact"
LEAST_GE = 5
"""Gate equivalents of logic for each bit of an accumulator: no adder has fewer."""


def wide_unit(script: str, unit: int) -> int:
    """Map an exact accumulator of powers of two; return how many of its bits are flip-flops.

    Raises:
        MismatchError: if flip-flops are missing, or there is less logic than an adder has.
    """
    v = variant(WIDE)
    assert isinstance(v, DotVariant)
    bits = accumulator_bits(shapes_of(v), v.exact_blocks)
    result = synthesize(to_verilog(v), v.module, liberty=read_library([osu018()]), scripts=[script])
    if result.flip_flops <= bits or result.logic.median < LEAST_GE * bits:
        raise MismatchError(
            f"{v}: {result.flip_flops} flip-flops and {result.logic.median:.0f} GE of logic for an "
            f"accumulator of {bits} bits"
        )
    return bits


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    return [
        Job(
            f"{WIDE} in OSU 0.18 um cells, bits of the accumulator",
            "synthesis with the width of the specification",
            "spec §16.6",
            "tests.exhaustive_dot_area:wide_unit",
            ("area",),
            1,
            sources=(*HARDWARE, "compare/synthesis.py", "tests/exhaustive_dot_area.py"),
        )
    ]
