"""Jobs of `make exhaustive` for quantizers that vote under a tensor scale (spec §18, §14.7)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cocotb_tests.pairwise import pairwise
from tests.exhaustive import HARDWARE, Job

HERE = "tests.exhaustive_vote_scaled"
INPUTS = ("bf16", "fp16", "fp32")
SOURCES = (
    *HARDWARE,
    "cocotb_tests/simulate.py",
    "emulator/scaled_votes.py",
    "tests/exhaustive_vote_scaled.py",
)
UNITS = ("tests/rtl/gates.py", "tests/rtl/scaled_vot*.py")

MATRIX = pairwise(
    {
        "scale": ("ue4m3", "ue5m3"),
        "rule": ("top2", "top3", "pop"),
        "pz": ("", "-pz"),
        "kind": ("h", "h256", "hbf16", "hp2"),
        "block": ("2", "4", "8", "16", "32"),
        "input": INPUTS,
        "cuts": ("avo", "o", "iasvto", "as", "vt", "io"),
    }
)
"""Parts of names such that each pair of values occurs; h256 goes with ue4m3 only."""

VOTING = tuple(
    f"quantizer-{'ue4m3' if c['kind'] == 'h256' else c['scale']}-{c['rule']}{c['pz']}-{c['kind']}"
    f"-b{c['block']}-{c['input']}-cut{c['cuts']}"
    for c in MATRIX
)
"""Variants of the quantizers that vote under a tensor scale."""

VOTES = tuple(
    (f"{scale}-{rule}-{kind}", x)
    for scale in ("ue4m3", "ue5m3")
    for rule in ("top2", "pop")
    for kind in ("h", "hbf16", "hp2")
    for x in INPUTS
)
"""Rules, by the kind of their votes, kinds of tensor scales by their bits, and inputs."""

TENSOR_SCALES = 8
"""Random tensor scales of each, beside those of the directed words."""


def voting_unit(unit: int) -> int:
    """Directed and random words, with pauses, through a quantizer that votes."""
    from cocotb_tests.simulate import simulate
    from rtl.variants import quantizer

    report = simulate(quantizer(VOTING[unit]), blocks=5_000, bulk_blocks=50_000)
    return report.cocotb_words + report.driver_words


def votes_unit(unit: int) -> int:
    """Votes of magnitudes beside products of all scales and many tensor scales, in gates."""
    from emulator.scaled_stimulus import GIVEN
    from tests.rtl.scaled_voting import check_scaled_votes, scaled_shapes, tensor_scales

    selection, x = VOTES[unit]
    s = scaled_shapes(selection, x)
    scales = [*GIVEN[s.kind], *tensor_scales(s.kind, TENSOR_SCALES, seed=unit)]
    codes = range(1, s.scale.max_code + 1)
    with tempfile.TemporaryDirectory() as folder:
        return check_scaled_votes(selection, x, codes, scales, Path(folder))


def mutant_unit(unit: int) -> int:
    """Faults that directed words have to find."""
    from tests.rtl.scaled_vote_mutants import SCALED_VOTE_MUTANTS, caught_by

    with tempfile.TemporaryDirectory() as folder:
        found = caught_by(list(SCALED_VOTE_MUTANTS)[unit], Path(folder))
    assert {"votes", "close"} & set(found), found
    return len(found)


def area_unit(unit: int) -> int:
    """The areas of quantizers that vote under a tensor scale, against their limits."""
    from tests.compare.limits import check_limit
    from tests.compare.test_vote_scaled_area import LIMITS_GE

    check_limit(*list(LIMITS_GE.items())[unit])
    return 1


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    from tests.compare.test_vote_scaled_area import LIMITS_GE
    from tests.rtl.scaled_vote_mutants import SCALED_VOTE_MUTANTS

    what = "quantizers that vote under a tensor scale"
    return [
        Job(
            f"{what}, pairs of scale, rule, kind, input, block size, cuts",
            "cocotb and Verilator with kernels",
            "spec §12, §18, §23",
            f"{HERE}:voting_unit",
            (),
            len(VOTING),
            sources=SOURCES,
        ),
        Job(
            "votes of all 16-bit magnitudes, and of float32 near each step, beside products",
            "gates with reference",
            "spec §14.7, §18.3, §18.5",
            f"{HERE}:votes_unit",
            (),
            len(VOTES),
            sources=(*SOURCES, *UNITS),
        ),
        Job(
            f"{what}, faults found by directed words",
            "gates with kernels",
            "spec §18",
            f"{HERE}:mutant_unit",
            (),
            len(SCALED_VOTE_MUTANTS),
            sources=(*SOURCES, *UNITS),
        ),
        Job(
            f"areas of {what}, in OSU 0.18 um cells",
            "synthesis with limits",
            "spec §18",
            f"{HERE}:area_unit",
            (),
            len(LIMITS_GE),
            len(LIMITS_GE),
            (*SOURCES, "compare/*.py", "tests/compare/test_vote_scaled_area.py"),
        ),
    ]
