"""Jobs of `make exhaustive` for the quantizers with the bits of a peer (spec §25)."""

from __future__ import annotations

from cocotb_tests.pairwise import pairwise
from tests.exhaustive import HARDWARE, Job

HERE = "tests.exhaustive_peer"
SOURCES = (*HARDWARE, "cocotb_tests/simulate.py", "emulator/peer_stimulus.py")

MATRIX = tuple(
    f"quantizer-{peer}-b{c['block']}-{c['input']}-cut{c['cuts']}"
    for peer, cuts in (
        ("peer-torchao-nvfp4-1level", ("aso", "o", "iasrpo", "ir")),
        ("peer-te-nvfp4", ("asro", "o", "iasvbcrpo", "vbcp", "ia")),
    )
    for c in pairwise(
        {"block": ("2", "4", "8", "16", "32"), "input": ("bf16", "fp16", "fp32"), "cuts": cuts}
    )
)
"""For each peer, variants such that each pair of values occurs."""

TE_FAULTS = ("truncated-reciprocal", "exact-product", "kept-sign", "simple-sixth")
FAULTS = (
    *(("peer-te-nvfp4", fault) for fault in TE_FAULTS),
    ("peer-torchao-nvfp4-1level", "exact-product"),
)


def matrix_unit(name: str, unit: int) -> int:
    """Directed and random words, with pauses and resets, through a variant."""
    from cocotb_tests.simulate import simulate
    from rtl.variants import variant

    report = simulate(variant(name), blocks=20_000, bulk_blocks=100_000)
    return report.cocotb_words + report.driver_words


def fault_unit(unit: int) -> int:
    """A deliberate fault that the directed words have to find."""
    import tempfile
    from pathlib import Path

    from emulator.errors import MismatchError
    from emulator.formats import BF16
    from rtl.peer_variant import PeerVariant
    from tests.rtl.peer_mutants import differing, mutant

    peer, fault = FAULTS[unit]
    v = PeerVariant(peer, BF16, block_size=2)
    with tempfile.TemporaryDirectory() as folder:
        found = differing(v, mutant(v, fault), Path(folder))
    found.pop("random")
    if sum(found.values()) < 10:
        raise MismatchError(f"{v}: the fault {fault!r} is not found: {found}")
    return sum(found.values())


def area_unit(unit: int) -> int:
    """The areas, against their limits."""
    from tests.compare.limits import check_limit
    from tests.compare.test_peer_area import LIMITS_GE

    check_limit(*list(LIMITS_GE.items())[unit])
    return 1


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    function = f"{HERE}:matrix_unit"
    kind = "cocotb and Verilator with models of the peers"
    found = [Job(name, kind, "spec §25", function, (name,), 1, sources=SOURCES) for name in MATRIX]
    found.append(
        Job(
            "faults in quantizers of peers",
            "gates with models of the peers",
            "spec §25",
            f"{HERE}:fault_unit",
            (),
            len(FAULTS),
            sources=(*SOURCES, "tests/rtl/peer_mutants.py", "tests/rtl/gates.py"),
        )
    )
    found.append(
        Job(
            "areas of quantizers of peers, in OSU 0.18 um cells",
            "synthesis with limits",
            "spec §25",
            f"{HERE}:area_unit",
            (),
            1,
            1,
            (*SOURCES, "compare/*.py", "tests/compare/test_peer_area.py"),
        )
    )
    return found
