"""Jobs of `make exhaustive` for the quantizers with stochastic rounding (spec §19, §26)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cocotb_tests.pairwise import pairwise
from tests.exhaustive import HARDWARE, Job

HERE = "tests.exhaustive_random"
INPUTS = ("bf16", "fp16", "fp32")
SOURCES = (*HARDWARE, "tests/exhaustive_random.py", "emulator/random_*.py", "tests/rtl/rounding.py")

RANDOM_HARDWARE = tuple(
    f"quantizer-{c['scale']}-absmax-sr{c['bits']}{c['pz']}-b{c['block']}-{c['input']}{c['rounds']}"
    f"-cut{c['cuts']}"
    for c in pairwise(
        {
            "scale": ("ue4m3", "ue5m3"),
            "bits": ("1", "4", "8", "13", "32"),
            "pz": ("", "-pz"),
            "cuts": ("ao", "o", "iato", "t"),
            "rounds": ("-r1", "-r3", "-r9", ""),
            "block": ("2", "4", "8", "16", "32"),
            "input": INPUTS,
        }
    )
)
"""Variants of the quantizers with stochastic rounding, such that each pair of values occurs."""

ELEMENTS = tuple(
    (f"{scale}-absmax-sr{bits}", x)
    for scale, bits in (("ue4m3", 1), ("ue4m3", 3), ("ue5m3", 2), ("ue5m3", 8), ("ue4m3", 16))
    for x in ("bf16", "fp16")
)
"""Scale formats and widths, and inputs."""


SCALED_HARDWARE = tuple(
    f"quantizer-{c['scale']}-absmax-sr{c['bits']}{c['pz']}-{kind}-b{c['block']}-{c['input']}"
    f"{c['rounds']}-cut{c['cuts']}"
    for c in pairwise(
        {
            "kind": ("h", "h256", "hbf16", "hp2"),
            "bits": ("1", "4", "8", "13", "32"),
            "scale": ("ue4m3", "ue5m3"),
            "pz": ("", "-pz"),
            "cuts": ("ao", "o", "iato", "t"),
            "rounds": ("-r1", "-r3", "-r9", ""),
            "block": ("2", "4", "8", "16", "32"),
            "input": INPUTS,
        }
    )
    # h256 goes with ue4m3 alone (spec §14.3).
    for kind in ["h" if c["kind"] == "h256" and c["scale"] == "ue5m3" else c["kind"]]
) + tuple(
    f"quantizer-e8m0-{c['rule']}-sr{c['bits']}-b{c['block']}-{c['input']}{c['rounds']}"
    f"-cut{c['cuts']}"
    for c in pairwise(
        {
            "rule": ("floor", "ceil", "even"),
            "bits": ("1", "4", "13", "32"),
            "cuts": ("ao", "o", "iato", "t"),
            "rounds": ("-r1", "-r3", "-r9", ""),
            "block": ("2", "4", "8", "16", "32"),
            "input": INPUTS,
        }
    )
)
"""The same with tensor scales, and of powers of two."""

SCALED_ELEMENTS = tuple(
    (f"{scale}-absmax-sr{bits}-{kind}", x)
    for scale, bits, kind in (
        ("ue4m3", 1, "h"),
        ("ue5m3", 4, "h"),
        ("ue4m3", 8, "h256"),
        ("ue5m3", 3, "hbf16"),
        ("ue4m3", 16, "hbf16"),
        ("ue5m3", 4, "hp2"),
    )
    for x in INPUTS[:2]
) + tuple(
    (f"e8m0-{rule}-sr{bits}", x) for rule, bits in (("even", 4), ("floor", 13)) for x in INPUTS[:2]
)
"""Recipes and inputs whose elements go through the mapped gates under many products."""


def random_hardware_unit(unit: int) -> int:
    """Directed and random words, with pauses, through a quantizer with stochastic rounding."""
    from cocotb_tests.simulate import simulate
    from rtl.variants import quantizer

    report = simulate(quantizer(RANDOM_HARDWARE[unit]), blocks=20_000, bulk_blocks=100_000)
    return report.cocotb_words + report.driver_words


def scaled_hardware_unit(unit: int) -> int:
    """Directed and random words, with pauses, under tensor scales or powers of two."""
    from tests.exhaustive_words import run_words

    return run_words(SCALED_HARDWARE[unit])


def some_draws(bits: int) -> list[int]:
    """Random numbers from both ends and the middle of their range."""
    last = (1 << bits) - 1
    some = {0, 1, 2, 3, last // 3, last // 2, last // 2 + 1, last - 1, last}
    return sorted(some & {*range(last + 1)})


def scaled_elements_unit(unit: int) -> int:
    """All magnitudes under many products with some random numbers, in the mapped gates."""
    from emulator.recipes import recipe
    from emulator.scaled_stimulus import GIVEN
    from tests.rtl.scaled_rounding import check_scaled_elements

    selection, x = SCALED_ELEMENTS[unit]
    r = recipe(f"{selection}-b2")
    assert r.sr_bits is not None
    scales = GIVEN[r.tensor_scale] if r.tensor_scale else (0x3F800000,)
    step = 17 if r.tensor_scale else 1
    codes = sorted({*range(0, r.scale.max_code, step), 1, 2, 7, r.scale.max_code})
    draws = some_draws(r.sr_bits)
    with tempfile.TemporaryDirectory() as folder:
        return check_scaled_elements(selection, x, codes, scales, draws, Path(folder))


def elements_unit(unit: int) -> int:
    """All magnitudes under all scales, with all random numbers or some, in the mapped gates."""
    from emulator.recipes import recipe
    from tests.rtl.rounding import check_elements

    selection, x = ELEMENTS[unit]
    r = recipe(f"{selection}-b2")
    assert r.sr_bits is not None
    draws = some_draws(r.sr_bits)
    with tempfile.TemporaryDirectory() as folder:
        return check_elements(selection, x, range(r.scale.max_code + 1), draws, Path(folder))


def random_area_unit(unit: int) -> int:
    """The areas of quantizers with stochastic rounding, against their limits."""
    from tests.compare.limits import check_limit
    from tests.compare.test_random_area import LIMITS_GE

    check_limit(*list(LIMITS_GE.items())[unit])
    return 1


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    return [
        Job(
            "quantizers with stochastic rounding, pairs of format, bits, input, block size, rounds",
            "cocotb and Verilator with kernels",
            "spec §12, §19, §26",
            f"{HERE}:random_hardware_unit",
            (),
            len(RANDOM_HARDWARE),
            sources=SOURCES,
        ),
        Job(
            "elements rounded at random, all 16-bit magnitudes under all scales",
            "gates with the formula",
            "spec §19.2",
            f"{HERE}:elements_unit",
            (),
            len(ELEMENTS),
            sources=SOURCES,
        ),
        Job(
            "stochastic rounding under tensor scales and powers of two, pairs of all parameters",
            "Verilator with kernels",
            "spec §12, §19, §26.4",
            f"{HERE}:scaled_hardware_unit",
            (),
            len(SCALED_HARDWARE),
            sources=(*SOURCES, "emulator/scaled_*.py", "tests/exhaustive_words.py"),
        ),
        Job(
            "elements rounded at random under many products and powers of two, all magnitudes",
            "gates with the formula",
            "spec §19.2, §26.4",
            f"{HERE}:scaled_elements_unit",
            (),
            len(SCALED_ELEMENTS),
            sources=(*SOURCES, "emulator/scaled_stimulus.py", "tests/rtl/scaled_rounding.py"),
        ),
        Job(
            "areas of quantizers with stochastic rounding, in OSU 0.18 um cells",
            "synthesis with limits",
            "spec §19",
            f"{HERE}:random_area_unit",
            (),
            1,
            1,
            (*SOURCES, "compare/*.py", "tests/compare/test_random_area.py"),
        ),
    ]
