"""Jobs of `make exhaustive` for the quantizers that choose among candidate scales (spec §15)."""

from __future__ import annotations

from cocotb_tests.pairwise import pairwise
from emulator.recipes import CHOOSING_SELECTIONS
from tests.exhaustive import HARDWARE, Job

HERE = "tests.exhaustive_select"
INPUTS = ("bf16", "fp16", "fp32")
SOURCES = (*HARDWARE, "tests/exhaustive_select.py")

SELECTING_HARDWARE = pairwise(
    {
        "selection": [
            s for s in CHOOSING_SELECTIONS if s.split("-")[1] in ("4o6", "3c", "6c", "fc")
        ],
        "cuts": ("", "o", "ao", "sto", "io", "iastefo", "aefo"),
        "turn": ("", "-turn"),
        "block": ("2", "4", "8", "16", "32"),
        "input": INPUTS,
    }
)
"""Variants of the quantizers that choose, such that each pair of values occurs."""


def selecting_hardware_unit(unit: int) -> int:
    """Directed and random words, with pauses, through a quantizer that chooses."""
    from cocotb_tests.simulate import simulate
    from rtl.variants import quantizer

    c = SELECTING_HARDWARE[unit]
    cuts = f"-cut{c['cuts']}" if c["cuts"] else ""
    name = f"quantizer-{c['selection']}-b{c['block']}-{c['input']}{c['turn']}{cuts}"
    report = simulate(quantizer(name), blocks=20_000, bulk_blocks=200_000)
    return report.cocotb_words + report.driver_words


CLAMPED = [
    f"quantizer-{scale}-{rule}-b{block}-{x}-turn"
    for scale, x in (("ue4m3", "bf16"), ("ue5m3", "bf16"), ("ue4m3", "fp32"), ("ue4m3", "fp16"))
    for rule in ("3c", "6c")
    for block in (4, 16, 32)
]
"""Variants in whose blocks a clamped scale and the one before it are candidates."""


def clamped_unit(unit: int) -> int:
    """Blocks with a clamped scale, up to where errors are not looked at and beyond."""
    from cocotb_tests.test_select import clamped_run

    return sum(clamped_run(CLAMPED[unit], blocks=50_000, seed=seed) for seed in range(4))


def select_area_unit(unit: int) -> int:
    """The areas of quantizers that choose, against their limits."""
    from tests.compare.limits import check_limit
    from tests.compare.test_select_area import LIMITS_GE

    check_limit(*list(LIMITS_GE.items())[unit])
    return 1


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    found = []
    found.append(
        Job(
            "quantizers that choose, pairs of rule, input, block size, cuts, turns",
            "cocotb and Verilator with kernels",
            "spec §12, §15",
            f"{HERE}:selecting_hardware_unit",
            (),
            len(SELECTING_HARDWARE),
            sources=SOURCES,
        )
    )
    found.append(
        Job(
            "quantizers that choose, clamped scales",
            "Verilator with kernels",
            "spec §8.2, §15.3",
            f"{HERE}:clamped_unit",
            (),
            len(CLAMPED),
            len(CLAMPED) * 200_000,
            SOURCES,
        )
    )
    found.append(
        Job(
            "areas of quantizers that choose, in OSU 0.18 um cells",
            "synthesis with limits",
            "spec §15",
            f"{HERE}:select_area_unit",
            (),
            4,
            4,
            (*SOURCES, "compare/*.py", "tests/compare/test_select_area.py"),
        )
    )
    return found
