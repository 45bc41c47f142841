"""Jobs of `make exhaustive` for the quantizers that choose by votes (spec §18)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cocotb_tests.pairwise import pairwise
from emulator.recipes import VOTING_SELECTIONS
from tests.exhaustive import HARDWARE, Job

HERE = "tests.exhaustive_votes"
INPUTS = ("bf16", "fp16", "fp32")
SOURCES = (*HARDWARE, "tests/exhaustive_votes.py", "tests/rtl/vot*.py")

VOTING_HARDWARE = tuple(
    f"quantizer-{c['selection']}-b{c['block']}-{c['input']}-cut{c['cuts']}"
    for c in pairwise(
        {
            "selection": VOTING_SELECTIONS,
            "cuts": ("avo", "o", "iasvto", "as", "vt", "io"),
            "block": ("2", "4", "8", "16", "32"),
            "input": INPUTS,
        }
    )
)
"""Variants of the quantizers that vote, such that each pair of values occurs."""

VOTES = tuple(
    (selection, x)
    for selection in ("ue4m3-top2", "ue5m3-top2", "ue4m3-pop", "ue5m3-pop")
    for x in INPUTS
)
"""Rules, by the kind of their votes, and inputs."""


def voting_hardware_unit(unit: int) -> int:
    """Directed and random words, with pauses, through a quantizer that votes."""
    from cocotb_tests.simulate import simulate
    from rtl.variants import quantizer

    report = simulate(quantizer(VOTING_HARDWARE[unit]), blocks=20_000, bulk_blocks=200_000)
    return report.cocotb_words + report.driver_words


def votes_unit(unit: int) -> int:
    """Votes of magnitudes beside all scales, in the mapped gates."""
    from tests.rtl.test_votes import check_votes

    with tempfile.TemporaryDirectory() as folder:
        return check_votes(*VOTES[unit], Path(folder))


def vote_area_unit(unit: int) -> int:
    """The areas of quantizers that vote, against their limits."""
    from tests.compare.limits import check_limit
    from tests.compare.test_vote_area import LIMITS_GE

    check_limit(*list(LIMITS_GE.items())[unit])
    return 1


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    return [
        Job(
            "quantizers that vote, pairs of rule, input, block size, cuts",
            "cocotb and Verilator with kernels",
            "spec §12, §18",
            f"{HERE}:voting_hardware_unit",
            (),
            len(VOTING_HARDWARE),
            sources=SOURCES,
        ),
        Job(
            "votes of all 16-bit magnitudes, and of spread float32, beside all scales",
            "gates with reference",
            "spec §18.3, §18.5",
            f"{HERE}:votes_unit",
            (),
            len(VOTES),
            sources=SOURCES,
        ),
        Job(
            "areas of quantizers that vote, in OSU 0.18 um cells",
            "synthesis with limits",
            "spec §18",
            f"{HERE}:vote_area_unit",
            (),
            3,
            3,
            (*SOURCES, "compare/*.py", "tests/compare/test_vote_area.py"),
        ),
    ]
