"""Jobs of `make exhaustive` for the quantizers of limited width (spec §17)."""

from __future__ import annotations

from cocotb_tests.pairwise import pairwise
from emulator.recipes import ERROR_BITS
from tests.exhaustive import HARDWARE, Job

HERE = "tests.exhaustive_limited"
INPUTS = ("bf16", "fp16", "fp32")
SCALES = ("ue4m3", "ue5m3")
SOURCES = (*HARDWARE, "tests/exhaustive_limited.py")
SPACES = (*SOURCES, "tests/rtl/limited_spaces.py", "emulator/reference_width.py")

CUTS = ("", "o", "ao", "sto", "io", "iastefo", "aefo")

LIMITED_HARDWARE = pairwise(
    {
        "scale": SCALES,
        "rule": ("4o6", "3c", "6c"),
        "bits": tuple(str(bits) for bits in ERROR_BITS),
        "pz": ("", "-pz"),
        "tensor": ("", "-hp2", "-h", "-hbf16"),
        "cuts": CUTS,
        "turn": ("", "-turn"),
        "block": ("2", "4", "8", "16", "32"),
        "input": INPUTS,
    }
)
"""Variants that compare errors of limited width, such that each pair of values occurs."""

TABLE_HARDWARE = pairwise(
    {
        "scale": SCALES,
        "pz": ("", "-pz"),
        "tensor": ("", "-hp2"),
        "cuts": (*CUTS[1:], "t", "ef", "is"),
        "block": ("2", "4", "8", "16", "32"),
        "input": INPUTS,
    }
)
"""Variants that sum table values, such that each pair of values occurs."""


def limited_hardware_unit(unit: int) -> int:
    """Directed and random words, with pauses, through a quantizer that compares errors."""
    c = LIMITED_HARDWARE[unit]
    cuts = f"-cut{c['cuts']}" if c["cuts"] else ""
    recipe = f"{c['scale']}-{c['rule']}-e{c['bits']}{c['pz']}{c['tensor']}-b{c['block']}"
    return _words(f"quantizer-{recipe}-{c['input']}{c['turn']}{cuts}")


def table_hardware_unit(unit: int) -> int:
    """The same through a quantizer that sums table values."""
    c = TABLE_HARDWARE[unit]
    return _words(f"quantizer-{c['scale']}-4o6t{c['pz']}-b{c['block']}-{c['input']}-cut{c['cuts']}")


def _words(name: str) -> int:
    from cocotb_tests.simulate import simulate
    from rtl.variants import quantizer

    report = simulate(quantizer(name), blocks=20_000, bulk_blocks=200_000)
    return report.cocotb_words + report.driver_words


CLAMPED = [
    f"quantizer-{scale}-{rule}-b{block}-{x}"
    for scale, x in (("ue4m3", "bf16"), ("ue5m3", "fp32"), ("ue4m3", "fp16"))
    for rule, block in (("3c-e6", 4), ("6c-e7", 16), ("4o6t", 8))
]
"""Variants that have no choice where a scale is clamped (spec §17.4, §17.7)."""


def limited_clamped_unit(unit: int) -> int:
    """Blocks about the amax from which there is no choice, and far beyond."""
    import tempfile
    from pathlib import Path

    from cocotb_tests.scoreboard import judge
    from cocotb_tests.subjects import subject
    from cocotb_tests.test_limited import driver
    from cocotb_tests.test_select import clamped_words
    from rtl.variants import quantizer
    from rtl.verilog import to_verilog

    v = quantizer(CLAMPED[unit])
    words = clamped_words(v, 100_000, unit)
    with tempfile.TemporaryDirectory() as folder:
        run = driver(to_verilog(v), v.name, Path(folder)).run(words)
    spec = subject(v).expected(words)
    return judge(spec, run.words, words, v, problem=run.problem).require().compared


TABLES = [(f"{scale}-4o6t{pz}", x) for scale in SCALES for pz in ("", "-pz") for x in INPUTS]
LANES = [
    (f"{scale}-4o6-e{bits}", x) for bits, x in ((5, "bf16"), (6, "fp16"), (7, "fp32"), (8, "bf16"),
     (9, "fp16")) for scale in SCALES
]  # fmt: skip
ELEMENTS = [(f"{scale}-4o6t", x) for scale in SCALES for x in ("bf16", "fp16")]
PARTS = 16


def limited_tables_unit(unit: int) -> int:
    """The tables of all amaxes."""
    from tests.rtl.limited_spaces import table_space

    return table_space(*TABLES[unit])


def limited_lanes_unit(unit: int) -> int:
    """The error of every lane under every scale and exponent of amax."""
    from tests.rtl.limited_spaces import lane_space

    return lane_space(*LANES[unit])


def limited_elements_unit(unit: int) -> int:
    """Elements by their distance from amax, under every sixteenth scale code of a format."""
    from tests.rtl.limited_spaces import element_space

    selection, x = ELEMENTS[unit // PARTS]
    codes = 128 if selection.startswith("ue4m3") else 256
    return element_space(selection, x, list(range(unit % PARTS, codes, PARTS)))


def limited_area_unit(unit: int) -> int:
    """The areas of quantizers of limited width, against their limits."""
    from tests.compare.limits import check_limit
    from tests.compare.test_limited_area import LIMITS_GE

    check_limit(*list(LIMITS_GE.items())[unit])
    return 1


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    simulated, netlists = "cocotb and Verilator with kernels", "gates with reference"
    area = (*SOURCES, "compare/*.py", "tests/compare/test_limited_area.py")
    rows = [
        ("quantizers of limited width, pairs of rule, width, input, size, cuts, turns, g",
         simulated, "spec §12, §17.4", "limited_hardware_unit", len(LIMITED_HARDWARE), SOURCES),
        ("quantizers with a table, pairs of input, block size, cuts, hp2",
         simulated, "spec §12, §17.7", "table_hardware_unit", len(TABLE_HARDWARE), SOURCES),
        ("quantizers of limited width, clamped scales",
         "Verilator with kernels", "spec §17.4, §17.7", "limited_clamped_unit", len(CLAMPED),
         SOURCES),
        ("tables of limited width, all amaxes",
         netlists, "spec §17.6", "limited_tables_unit", len(TABLES), SPACES),
        ("errors of limited width, all lanes under all scales and exponents of amax",
         netlists, "spec §17.3", "limited_lanes_unit", len(LANES), SPACES),
        ("elements by their distance from amax, all lanes under all scales",
         "gates with gates", "spec §9.1", "limited_elements_unit", PARTS * len(ELEMENTS), SPACES),
        ("areas of quantizers of limited width, in OSU 0.18 um cells",
         "synthesis with limits", "spec §17", "limited_area_unit", 3, area),
    ]  # fmt: skip
    return [
        Job(name, what, clause, f"{HERE}:{function}", (), units, 0, sources)
        for name, what, clause, function, units, sources in rows
    ]
