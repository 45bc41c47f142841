"""Jobs of `make exhaustive` for quantizers that choose under a tensor scale (spec §15, §23)."""

from __future__ import annotations

from cocotb_tests.pairwise import pairwise
from tests.exhaustive import HARDWARE, Job

HERE = "tests.exhaustive_select_scaled"
SOURCES = (*HARDWARE, "cocotb_tests/simulate.py", "emulator/scaled_choices.py")

MATRIX = pairwise(
    {
        "scale": ("ue4m3", "ue5m3"),
        "rule": ("4o6", "3c", "6c"),
        "pz": ("", "-pz"),
        "kind": ("h", "h256", "hbf16", "hp2"),
        "block": ("2", "4", "8", "16", "32"),
        "input": ("bf16", "fp16", "fp32"),
        "turn": ("", "-turn"),
        "cuts": ("", "o", "ao", "sto", "io", "iastefo", "aefo"),
    }
)
"""Parts of names such that each pair of values occurs; h256 goes with ue4m3 only."""

SELECTING = tuple(
    f"quantizer-{'ue4m3' if c['kind'] == 'h256' else c['scale']}-{c['rule']}{c['pz']}-{c['kind']}"
    f"-b{c['block']}-{c['input']}{c['turn']}{'-cut' if c['cuts'] else ''}{c['cuts']}"
    for c in MATRIX
)

CLAMPED = tuple(
    f"quantizer-{scale}-{rule}-{kind}-b{block}-{x}-turn"
    for scale, rule, kind, block, x in (
        ("ue4m3", "3c", "h", 16, "bf16"),
        ("ue4m3", "6c", "hp2", 16, "bf16"),
        ("ue5m3", "6c", "h", 32, "bf16"),
        ("ue4m3", "6c", "hbf16", 8, "fp16"),
        ("ue5m3", "3c", "hp2", 32, "fp16"),
        ("ue4m3", "3c", "h", 4, "fp32"),
    )
)
"""Variants in whose blocks a clamped scale and the one before it are candidates."""


def selecting_unit(unit: int) -> int:
    """Directed and random words, with pauses, through a quantizer that chooses."""
    from cocotb_tests.simulate import simulate
    from rtl.variants import quantizer

    report = simulate(quantizer(SELECTING[unit]), blocks=20_000, bulk_blocks=100_000)
    return report.cocotb_words + report.driver_words


def clamped_unit(unit: int) -> int:
    """Blocks with a clamped scale, up to where errors are not looked at and beyond."""
    from cocotb_tests.test_select_scaled import clamped_run

    return clamped_run(CLAMPED[unit], blocks=50_000, seed=unit)


def mutant_unit(unit: int) -> int:
    """Faults that directed words have to find."""
    import tempfile
    from pathlib import Path

    from cocotb_tests.test_select_scaled import caught_by
    from tests.rtl.scaled_select_mutants import SCALED_SELECT_MUTANTS

    with tempfile.TemporaryDirectory() as folder:
        found = caught_by(list(SCALED_SELECT_MUTANTS)[unit], Path(folder))
    assert found
    return len(found)


def area_unit(unit: int) -> int:
    """The areas of quantizers that choose under a tensor scale, against their limits."""
    from tests.compare.limits import check_limit
    from tests.compare.test_select_scaled_area import LIMITS_GE

    check_limit(*list(LIMITS_GE.items())[unit])
    return 1


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    from tests.compare.test_select_scaled_area import LIMITS_GE
    from tests.rtl.scaled_select_mutants import SCALED_SELECT_MUTANTS

    kernels = "Verilator with kernels"
    what = "quantizers that choose under a tensor scale"
    return [
        Job(
            f"{what}, pairs of scale, rule, kind, input, block size, cuts, turns",
            f"cocotb and {kernels}",
            "spec §12, §15, §23",
            f"{HERE}:selecting_unit",
            (),
            len(SELECTING),
            sources=(*SOURCES, "tests/exhaustive_select_scaled.py"),
        ),
        Job(
            f"{what}, clamped scales",
            kernels,
            "spec §8.2, §14.6, §15.3",
            f"{HERE}:clamped_unit",
            (),
            len(CLAMPED),
            len(CLAMPED) * 50_000,
            (*SOURCES, "cocotb_tests/test_select_scaled.py"),
        ),
        Job(
            f"{what}, faults found by directed words",
            kernels,
            "spec §15",
            f"{HERE}:mutant_unit",
            (),
            len(SCALED_SELECT_MUTANTS),
            sources=(
                *SOURCES,
                "cocotb_tests/test_select_scaled.py",
                "tests/rtl/scaled_select_mutants.py",
            ),
        ),
        Job(
            f"areas of {what}, in OSU 0.18 um cells",
            "synthesis with limits",
            "spec §15",
            f"{HERE}:area_unit",
            (),
            len(LIMITS_GE),
            len(LIMITS_GE),
            (*SOURCES, "compare/*.py", "tests/compare/test_select_scaled_area.py"),
        ),
    ]
