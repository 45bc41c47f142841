"""Jobs of `make exhaustive`: every kind of unit in other simulators, and through AXI4-Stream."""

from __future__ import annotations

from cocotb_tests.families import FAMILIES, STREAMS
from cocotb_tests.pairwise import pairwise
from tests.exhaustive import HARDWARE, Job

HERE = "tests.exhaustive_second"
SOURCES = (
    *HARDWARE,
    "cocotb_tests/second.py",
    "cocotb_tests/interfaces.py",
    "cocotb_tests/cxxrtl_model/*.h",
    "cocotb_tests/cxxrtl_child.py",
)
WORDS = 20_000
ICARUS_WORDS = 3_000
"""Icarus interprets: about as many, spread over all stimuli; CXXRTL runs every kind at length."""

INTERFACES = pairwise(
    {
        "variant": (*STREAMS, "dot-ue4m3-b2-exact-n3-h", "quantizer-ue4m3-3c-b2-bf16-turn"),
        "seed": ("1", "2", "3"),
    }
)
"""Every kind of stream with every seed of words and pauses."""


def cxxrtl_unit(name: str, unit: int) -> int:
    """All stimuli and many random words, with pauses and a reset, in CXXRTL."""
    from cocotb_tests.second import simulate_second
    from rtl.variants import variant

    report = simulate_second(variant(name), "cxxrtl", blocks=WORDS, bulk_blocks=10 * WORDS)
    return report.driver_words


def icarus_unit(name: str, unit: int) -> int:
    """Every so many words of all stimuli and random ones, at full rate and with pauses."""
    import tempfile
    from pathlib import Path

    from cocotb_tests.second import run_icarus
    from cocotb_tests.subjects import subject
    from cocotb_tests.vectors import Vectors
    from rtl.variants import variant

    v = variant(name)
    about = subject(v)
    given = [(n, about.stimulus(n)) for n in about.names()]
    given.append(("random", about.stimulus("random", words=ICARUS_WORDS, seed=unit)))
    step = max(1, sum(len(words) for _, words in given) // ICARUS_WORDS)
    parts = [(n, words[::step]) for n, words in given]
    vectors = Vectors.join(about, [(n, words, about.expected(words)) for n, words in parts])
    with tempfile.TemporaryDirectory(prefix="finescale-") as folder:
        path = Path(folder) / f"{v.module}.v"
        path.write_text(v.verilog())
        report = run_icarus(path, vectors)
    assert report.driver_words >= len(vectors.spec) and len(vectors.words) >= ICARUS_WORDS, report
    return report.driver_words


def interface_unit(unit: int) -> int:
    """The same words through the plain streams and AXI4-Stream."""
    from cocotb_tests.interfaces import compare_interfaces
    from rtl.variants import variant

    choice = INTERFACES[unit]
    return compare_interfaces(variant(choice["variant"]), words=WORDS, seed=int(choice["seed"]))


def second_jobs() -> list[Job]:
    """The jobs; those of Icarus only where it is installed."""
    from cocotb_tests.plain import has_icarus

    found = [
        Job(
            f"{name} in CXXRTL",
            "CXXRTL with emulator",
            "spec §12, §13.1",
            f"{HERE}:cxxrtl_unit",
            (name,),
            1,
            sources=SOURCES,
        )
        for name in FAMILIES
    ]
    if has_icarus():
        found += [
            Job(
                f"{name} in Icarus",
                "Icarus with emulator",
                "spec §12, §13.1",
                f"{HERE}:icarus_unit",
                (name,),
                1,
                sources=SOURCES,
            )
            for name in FAMILIES
        ]
    found.append(
        Job(
            "AXI4-Stream and plain streams, the same words",
            "CXXRTL with itself",
            "spec §12.3, §22.3, §23.3",
            f"{HERE}:interface_unit",
            (),
            len(INTERFACES),
            sources=SOURCES,
        )
    )
    return found
