"""The spaces of codecs and dequantizers that `make exhaustive` walks."""

from __future__ import annotations

import numpy as np

from emulator.formats import FORMATS
from tests.exhaustive import HARDWARE, Job

HERE = "tests.codec_jobs"
SOURCES = (*HARDWARE, "tests/codec_jobs.py", "tests/rtl/converting.py", "tests/rtl/gates.py")

MAIN = ("e2m1", "ue4m3", "ue5m3", "e8m0")
WIDE_UNITS = 16
FRACTIONS = 24
"""Fractions of each exponent of a float32 tensor scale; those of bfloat16 and hp2 are all taken."""

FRACTION_UNITS = 16
FRACTION_STEP = 1 << 12
"""Fractions that are evaluated together, so that memory stays bounded."""

BINADES = (("bf16", 0x38, 127), ("bf16", 0x30, 1), ("fp16", 0x38, 112), ("fp32", 0x30, 1))
"""Output, first scale code, exponent field of the tensor scale: products near 1, and those at the
border of each output's subnormal numbers."""

PROTOCOL_WORDS = 20_000


def encode_unit(name: str, unit: int) -> int:
    """A part of all float32 patterns through a Verilated encoder."""
    from cocotb_tests.encode_space import encode_space

    walk = encode_space(FORMATS[name])
    step = walk.patterns // WIDE_UNITS
    return walk.run(unit * step, (unit + 1) * step)


def narrow_unit(unit: int) -> int:
    """All 16-bit numbers through the gates of the encoders, all codes through the decoders."""
    from tests.rtl.converting import compare_conversions
    from tests.rtl.test_codec import DECODERS, ENCODERS

    if unit:
        return compare_conversions(DECODERS, np.arange(1 << 8, dtype=np.uint32))
    return compare_conversions(ENCODERS, np.arange(1 << 16, dtype=np.uint32))


def tensor_scales(kind: str, exponent: int) -> list[int]:
    """Tensor scales of an exponent field, as a word holds them (spec §21.6)."""
    if kind == "hp2":
        return [exponent]
    if kind == "hbf16":
        return [exponent << 7 | fraction for fraction in range(1 << 7)]
    rng = np.random.default_rng(exponent)
    some = rng.integers(0, 1 << 23, FRACTIONS - 6, np.int64).tolist()
    ends = [0, 1, (1 << 23) - 1, 1 << 22, 3 << 21, (1 << 22) + 1]
    return [exponent << 23 | fraction for fraction in [*ends, *some]]


def block_unit(scale: str, kind: str, output: str, unit: int) -> int:
    """All scale and element codes under the tensor scales of some exponents, through the gates."""
    from rtl.reach import Reach
    from tests.rtl.converting import compare_blocks

    reach = Reach(FORMATS[scale], kind, FORMATS[output])
    exponents = range(1 + 32 * unit, min(33 + 32 * unit, 255))
    return sum(compare_blocks(reach, tensor_scales(kind, e)) for e in exponents)


def fraction_unit(output: str, scale: int, exponent: int, unit: int) -> int:
    """A part of all fractions of a float32 tensor scale, under the scales of one binade."""
    from rtl.reach import Reach
    from tests.rtl.converting import compare_fractions

    reach = Reach(FORMATS["ue4m3"], "h", FORMATS[output])
    step = (1 << 23) // FRACTION_UNITS
    starts = range(unit * step, (unit + 1) * step, FRACTION_STEP)
    parts = (range(first, first + FRACTION_STEP) for first in starts)
    return sum(compare_fractions(reach, scale, exponent, part) for part in parts)


def protocol_unit(name: str, unit: int) -> int:
    """A unit with pauses and a reset in cocotb, and more words through the C++ driver."""
    from cocotb_tests.simulate import simulate
    from rtl.variants import variant

    report = simulate(variant(name), blocks=PROTOCOL_WORDS, bulk_blocks=10 * PROTOCOL_WORDS)
    return report.cocotb_words + report.driver_words


def protocol_names() -> list[str]:
    """Default variants, and others so that formats, lanes, cuts and block sizes vary."""
    from rtl.codec_variant import DecodeVariant, EncodeVariant
    from rtl.dequantizer_variant import DequantizerVariant

    units = (EncodeVariant, DecodeVariant, DequantizerVariant)
    names = [v.name for unit in units for v in unit.defaults()]
    return [
        *names,
        "encode-ue5m3-fp16-x16-cutimo",
        "encode-e4m3-fp32-x4-cuti",
        "encode-e5m2-bf16-ieee-x16-cutm",
        "encode-e3m2-fp16-x4-cutmo",
        "decode-e5m2-bf16-x16-cutimo",
        "decode-fp16-bf16-x4-cutm",
        "decode-e3m2-fp32-x4-cuti",
        "dequantizer-ue5m3-4o6-pz-b2-fp32-cuti",
        "dequantizer-ue5m3-absmax-h-b4-fp16-cutifpo",
        "dequantizer-ue4m3-4o6-h256-b8-fp32-cutfo",
        "dequantizer-ue5m3-search-hbf16-b16-fp16-cutp",
        "dequantizer-ue5m3-3c-hp2-b32-bf16-cutf",
        "dequantizer-e8m0-fc-b2-fp16-cuto",
        "dequantizer-e8m0-ceil-b32-fp32-cutif",
        "dequantizer-ue4m3-6c-hbf16-b4-fp32",
        "dequantizer-ue4m3-absmax-b8-fp16",
    ]


def jobs() -> list[Job]:
    """All jobs of these units."""
    found = [
        Job(
            f"encoder {name}, all float32",
            "Verilator with reference",
            "spec §21.2, §21.3",
            f"{HERE}:encode_unit",
            (name,),
            WIDE_UNITS,
            1 << 32,
            SOURCES,
        )
        for name in MAIN
    ]
    found.append(
        Job(
            "codecs, all bfloat16 and float16, all codes",
            "gates with reference",
            "spec §21.2 to §21.4",
            f"{HERE}:narrow_unit",
            (),
            2,
            0,
            SOURCES,
        )
    )
    for scale in ("ue4m3", "ue5m3"):
        for kind in ("h", "hbf16", "hp2"):
            for output in ("bf16", "fp16", "fp32"):
                count = 254 * len(tensor_scales(kind, 1))
                found.append(
                    Job(
                        f"dequantizer {scale} {kind} {output}, all codes under tensor scales",
                        "gates with kernels",
                        "spec §21.7",
                        f"{HERE}:block_unit",
                        (scale, kind, output),
                        8,
                        count << 12,
                        SOURCES,
                    )
                )
    found += [
        Job(
            f"dequantizer ue4m3 h {output}, scales {scale:02x} to {scale + 7:02x}, all fractions "
            f"of g with field {exponent}",
            "gates with kernels",
            "spec §21.7",
            f"{HERE}:fraction_unit",
            (output, scale, exponent),
            FRACTION_UNITS,
            1 << 29,
            SOURCES,
        )
        for output, scale, exponent in BINADES
    ]
    found += [
        Job(
            f"{name} with pauses",
            "Verilator with emulator",
            "spec §21.5",
            f"{HERE}:protocol_unit",
            (name,),
            1,
            0,
            SOURCES,
        )
        for name in protocol_names()
    ]
    return found
