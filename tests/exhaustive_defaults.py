"""Jobs of `make exhaustive` at full length, of which `make test` runs a part."""

from __future__ import annotations

from rtl.variants import QuantizerVariant
from tests.exhaustive import HARDWARE, Job

HERE = "tests.exhaustive_defaults"
BLOCKS = 20_000
RANDOM = 1_000_000

DEFAULTS = tuple(v.name for v in QuantizerVariant.defaults())


def protocol_unit(unit: int) -> int:
    """A default quantizer: cocotb at full rate, with pauses and a reset, and a million blocks."""
    from cocotb_tests.simulate import simulate
    from rtl.variants import quantizer

    report = simulate(quantizer(DEFAULTS[unit]), blocks=BLOCKS, bulk_blocks=RANDOM)
    assert report.cocotb_words >= 2 * BLOCKS and report.driver_words >= RANDOM, report
    return report.cocotb_words + report.driver_words


def area_unit(unit: int) -> int:
    """An area against its limit; under a tensor scale also the number of flip-flops."""
    from tests.compare import test_scaled_area, test_select_scaled_area, test_vote_scaled_area

    if unit < len(test_scaled_area.LIMITS_GE):
        test_scaled_area.test_block_16_quantizer_in_osu018_cells(
            [*test_scaled_area.LIMITS_GE][unit]
        )
    else:
        smallest = (test_select_scaled_area, test_vote_scaled_area)
        smallest[unit - len(test_scaled_area.LIMITS_GE)].test_smallest_block()
    return 1


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    from tests.compare.test_scaled_area import LIMITS_GE

    areas = ("scaled", "select_scaled", "vote_scaled")
    units = len(LIMITS_GE) + 2
    return [
        Job(
            "default quantizers, protocol and a million blocks",
            "cocotb and Verilator with kernels",
            "spec §12, §13.1",
            f"{HERE}:protocol_unit",
            (),
            len(DEFAULTS),
            sources=(*HARDWARE, "cocotb_tests/simulate.py", "cocotb_tests/tb_stream.py"),
        ),
        Job(
            "areas of quantizers under a tensor scale and of smallest blocks, in OSU 0.18 um cells",
            "synthesis with limits",
            "spec §23",
            f"{HERE}:area_unit",
            (),
            units,
            units,
            (*HARDWARE, "compare/*.py", *(f"tests/compare/test_{a}_area.py" for a in areas)),
        ),
    ]
