"""Jobs of `make exhaustive` for variants of codecs and dequantizers, in pairs of parameters."""

from __future__ import annotations

from cocotb_tests.pairwise import pairwise
from tests.exhaustive import HARDWARE, Job

HERE = "tests.exhaustive_codecs"
SOURCES = (*HARDWARE, "tests/exhaustive_codecs.py", "cocotb_tests/simulate.py")
NUMBERS = ("bf16", "fp16", "fp32")
WORDS = 20_000

CODECS = {
    unit: tuple(
        f"{unit}-{c['format']}-{c['number']}-x{c['lanes']}-cut{c['cuts']}"
        for c in pairwise(
            {
                "format": ("e2m1", "ue4m3", "ue5m3", "e8m0", "e4m3", "e5m2"),
                "cuts": ("o", "i", "m", "imo", "mo"),
                "lanes": ("1", "3", "16", "32"),
                "number": NUMBERS,
            }
        )
    )
    for unit in ("encode", "decode")
}
"""Encoders and decoders, such that each pair of values occurs."""

DEQUANTIZERS = tuple(
    f"dequantizer-{c['selection']}-b{c['block']}-{c['output']}-cut{c['cuts']}"
    for c in pairwise(
        {
            "selection": (
                *("ue4m3-absmax", "ue4m3-absmax-h", "ue4m3-absmax-h256"),
                *("ue4m3-absmax-hbf16", "ue4m3-absmax-hp2", "ue5m3-absmax"),
                *("ue5m3-absmax-h", "ue5m3-absmax-hbf16", "ue5m3-absmax-hp2", "e8m0-floor"),
            ),
            "cuts": ("po", "o", "i", "f", "ifpo"),
            "block": ("2", "4", "8", "16", "32"),
            "output": NUMBERS,
        }
    )
)
"""Dequantizers, such that each pair of values occurs."""


def unit_of(name: str) -> int:
    """Words with pauses and a reset in cocotb, and ten times as many through the C++ driver."""
    from cocotb_tests.simulate import simulate
    from rtl.variants import variant

    report = simulate(variant(name), blocks=WORDS, bulk_blocks=10 * WORDS)
    assert report.cocotb_words >= WORDS
    return report.cocotb_words + report.driver_words


def codec_unit(kind: str, unit: int) -> int:
    """An encoder or a decoder."""
    return unit_of(CODECS[kind][unit])


def dequantizer_unit(unit: int) -> int:
    """A dequantizer."""
    return unit_of(DEQUANTIZERS[unit])


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    kind = "cocotb and Verilator with emulator"
    found = [
        Job(
            f"{unit}rs, pairs of format, float format, lanes, cuts",
            kind,
            clause,
            f"{HERE}:codec_unit",
            (unit,),
            len(CODECS[unit]),
            sources=SOURCES,
        )
        for unit, clause in (("encode", "spec §12, §21.2"), ("decode", "spec §12, §21.4"))
    ]
    found.append(
        Job(
            "dequantizers, pairs of scale format with tensor scale, block size, output, cuts",
            kind,
            "spec §12, §21.7",
            f"{HERE}:dequantizer_unit",
            (),
            len(DEQUANTIZERS),
            sources=SOURCES,
        )
    )
    return found
