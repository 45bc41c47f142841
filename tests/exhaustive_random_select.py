"""Jobs of `make exhaustive` for choices of scales whose elements round at random (spec §26.5)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cocotb_tests.pairwise import Choice, pairwise
from tests.exhaustive import HARDWARE, Job
from tests.exhaustive_random import some_draws

HERE = "tests.exhaustive_random_select"
INPUTS = ("bf16", "fp16", "fp32")
SOURCES = (
    *HARDWARE,
    "tests/exhaustive_random_select.py",
    "tests/exhaustive_words.py",
    "emulator/random_*.py",
    "emulator/scaled_*.py",
)

RULES = (
    "4o6",
    "4o6-turn",
    "3c",
    "3c-turn",
    "6c",
    "6c-turn",
    "4o6-e6",
    "4o6-e5-turn",
    "3c-e7",
    "3c-e5-turn",
    "6c-e7-turn",
    "4o6t",
    "top2",
    "top3",
    "pop",
)
"""Rules, with the width of their errors and ``-turn``."""

KINDS = ("", "-h", "-h256", "-hbf16", "-hp2")
"""Kinds of tensor scales."""

CUTS = ("", "-cuto", "-cutor", "-cutow", "-cutiatorw")
"""Pipeline cuts that all choices have."""

_SHARED = {
    "bits": ("1", "4", "8", "13", "32"),
    "cuts": CUTS,
    "rounds": ("-r1", "-r3", "-r9", ""),
    "block": ("2", "4", "8", "16", "32"),
    "input": INPUTS,
}


def name_of(c: Choice) -> str:
    """Name of the variant of a choice of values."""
    rule, turn = c["rule"].removesuffix("-turn"), "-turn" * c["rule"].endswith("-turn")
    kind = c["kind"]
    if kind == "-h256" and c["scale"] == "ue5m3":
        kind = "-h"  # h256 goes with ue4m3 alone (spec §14.3)
    if rule == "4o6t" and kind:
        kind = "-hp2"  # its tables take powers of two alone (spec §17.6)
    return (
        f"quantizer-{c['scale']}-{rule}-sr{c['bits']}{c['pz']}{kind}-b{c['block']}-{c['input']}"
        f"{turn}{c['rounds']}{c['cuts']}"
    )


MATRIX = tuple(
    name_of(c)
    for c in pairwise(
        {
            "rule": RULES,
            "kind": KINDS,
            "scale": ("ue4m3", "ue5m3"),
            "pz": ("", "-pz"),
            **_SHARED,
        }
    )
) + tuple(
    name_of(c)
    for c in pairwise(
        {"rule": ("fc", "fc-turn"), "kind": ("",), "scale": ("e8m0",), "pz": ("",), **_SHARED}
    )
)
"""Variants such that each pair of values occurs that there is hardware for."""

PACE_UNITS = 24

FAULTS = 7
"""Mutants of `tests.rtl.random_select_mutants`."""

ENDS = 9
"""So many scale codes at each end of a format, subnormal ones among them."""

FAR = tuple(
    (f"{scale}-absmax-sr{bits}{kind}", x)
    for scale, bits, kind in (
        ("ue4m3", 4, "-h"),
        ("ue5m3", 4, "-h"),
        ("ue4m3", 8, "-hbf16"),
        ("ue5m3", 4, "-hp2"),
    )
    for x in INPUTS[:2]
)
"""Elements, whose gates are those of any rule, and inputs."""


def matrix_unit(unit: int) -> int:
    """Directed and random words, with pauses, each with a number, a seed, maybe a tensor scale."""
    from tests.exhaustive_words import run_words

    return run_words(MATRIX[unit])


def pace_unit(unit: int) -> int:
    """Latency, interval and order of words under a part of all cuts, turns and rounds."""
    from tests.rtl.random_select_pace import all_cuts, check_pace

    chosen = list(all_cuts())[unit::PACE_UNITS]
    for k, v in enumerate(chosen):
        check_pace(v, seed=k + 1)
    return len(chosen)


def far_unit(unit: int) -> int:
    """All magnitudes under products that no block with them has by absmax, in the mapped gates.

    A candidate lies up to one code beside amax / 6 or amax / 4, and is clamped (spec §15.1).
    Without a tensor scale `tests.exhaustive_random` takes all magnitudes under all scales.
    """
    from emulator.recipes import recipe
    from emulator.scaled_stimulus import GIVEN
    from tests.rtl.scaled_rounding import check_scaled_elements

    selection, x = FAR[unit]
    r = recipe(f"{selection}-b2")
    assert r.sr_bits is not None and r.tensor_scale is not None
    last = r.scale.max_code
    codes = sorted({*range(ENDS), *range(last + 1 - ENDS, last + 1), *range(ENDS, last, 41)})
    draws = some_draws(r.sr_bits)
    with tempfile.TemporaryDirectory() as folder:
        return check_scaled_elements(
            selection, x, codes, GIVEN[r.tensor_scale], draws, Path(folder)
        )


def caught(name: str, folder: Path) -> str:
    """What shows a deliberate fault: ``words`` or ``pace`` of a run of directed words, or nothing.

    Args:
        name: of the mutant.
        folder: for its Verilog.
    """
    from cocotb_tests import model
    from cocotb_tests.bulk import BulkModel
    from cocotb_tests.scoreboard import judge
    from cocotb_tests.subjects import subject
    from emulator.random_select_stimulus import GRIDS
    from rtl.variants import quantizer
    from tests.rtl.random_select_mutants import RANDOM_SELECT_MUTANTS, random_select_mutant_verilog

    v = quantizer(RANDOM_SELECT_MUTANTS[name][0])
    about = subject(v)
    path = folder / f"{v.module}.v"
    path.write_text(random_select_mutant_verilog(name))
    dut = BulkModel(model.build(path, v, top=v.module))
    words = about.stimulus(GRIDS)
    spec = about.expected(words)
    for paused in (False, True):
        run = dut.run(words, valid=128, ready=128, hold=8) if paused else dut.run(words)
        if run.problem or judge(spec, run.words, words, v, problem=run.problem).mismatches:
            return "words"
        if not paused and (run.latency, run.interval) != (v.latency, v.interval):
            return "pace"
    return ""


def fault_unit(unit: int) -> int:
    """A deliberate fault has to be found by directed words, or by their pace (spec §26.5)."""
    from tests.rtl.random_select_mutants import PACE, RANDOM_SELECT_MUTANTS

    name = list(RANDOM_SELECT_MUTANTS)[unit]
    with tempfile.TemporaryDirectory() as folder:
        found = caught(name, Path(folder))
    assert found == ("pace" if name in PACE else "words"), f"{name}: {found or 'not found'}"
    return 1


def random_select_area_unit(unit: int) -> int:
    """The areas of choices whose elements round at random, against their limits."""
    from tests.compare.limits import check_limit
    from tests.compare.test_random_select_area import LIMITS_GE

    check_limit(*list(LIMITS_GE.items())[unit])
    return 1


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    return [
        Job(
            "choices of scales rounded at random, pairs of all parameters",
            "Verilator with kernels",
            "spec §12, §15, §17 to §19, §26.5",
            f"{HERE}:matrix_unit",
            (),
            len(MATRIX),
            sources=SOURCES,
        ),
        Job(
            "choice and cipher side by side, all cuts, turns and rounds per cycle",
            "gates without logic with the formula",
            "spec §12, §26.5",
            f"{HERE}:pace_unit",
            (),
            PACE_UNITS,
            3828,
            (*SOURCES, "tests/rtl/random_select_pace.py"),
        ),
        Job(
            "elements rounded at random under products at both ends of the scales, all magnitudes",
            "gates with the formula",
            "spec §15.1, §19.2, §26.4",
            f"{HERE}:far_unit",
            (),
            len(FAR),
            sources=(
                *SOURCES,
                "tests/rtl/rounding.py",
                "tests/rtl/scaled_rounding.py",
                "tests/exhaustive_random.py",
            ),
        ),
        Job(
            "faults of choices of scales rounded at random, found by directed words",
            "Verilator with kernels",
            "spec §12, §19, §26.5",
            f"{HERE}:fault_unit",
            (),
            FAULTS,
            FAULTS,
            (*SOURCES, "tests/rtl/random_select_mutants.py", "tests/rtl/random_mutants.py"),
        ),
        Job(
            "areas of choices of scales rounded at random, in OSU 0.18 um cells",
            "synthesis with limits",
            "spec §26.5",
            f"{HERE}:random_select_area_unit",
            (),
            2,
            2,
            (*SOURCES, "compare/*.py", "tests/compare/test_random_select_area.py"),
        ),
    ]
