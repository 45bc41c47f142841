"""What `make exhaustive` runs of tensor scaling: whole spaces, and the matrix of variants."""

from __future__ import annotations

from cocotb_tests.pairwise import pairwise
from emulator.scaled_stimulus import GIVEN
from tests.exhaustive import HARDWARE, Job

SOURCES = (*HARDWARE, "cocotb_tests/simulate.py", "cocotb_tests/scaled_exhaustive.py")
INPUTS = ("bf16", "fp16", "fp32")
SELECTIONS = (
    "ue4m3-absmax-h",
    "ue4m3-absmax-pz-h256",
    "ue4m3-absmax-hbf16",
    "ue4m3-absmax-hp2",
    "ue5m3-absmax-pz-h",
    "ue5m3-absmax-hbf16",
    "ue5m3-absmax-pz-hp2",
)
MATRIX_BLOCKS = 100_000
AMAX_WORDS = 100_000

QUANTIZERS = tuple(
    f"quantizer-{c['selection']}-b{c['block']}-{c['input']}-cut{c['cuts']}"
    for c in pairwise(
        {
            "selection": SELECTIONS,
            "block": ("2", "4", "8", "16", "32"),
            "input": INPUTS,
            "cuts": ("aso", "o", "iasto", "it"),
        }
    )
)
"""Each pair of values of two parameters."""

TENSOR_UNITS = tuple(
    f"tensor-scale-{kind}-{scale}-{x}"
    for kind in ("h", "h256", "hbf16", "hp2")
    for scale in ("ue4m3", "ue5m3")
    for x in ("bf16", "fp16")
    if (kind, scale) != ("h256", "ue5m3")
)

WIDE_UNITS = (
    "tensor-scale-hbf16-ue4m3-fp32",
    "tensor-scale-hbf16-ue5m3-fp32",
    "tensor-scale-h-ue4m3-fp32",
)
"""Those of float32, of whose quotient hbf16 takes some bits of the amax."""

WIDE_PARTS = 16
"""Parts of all 2^23 significands of float32, each with its own exponent."""


def matrix_unit(name: str, unit: int) -> int:
    """Directed and random words through a variant, with pauses and resets."""
    from cocotb_tests.simulate import verify
    from rtl.variants import variant
    from rtl.verilog import to_verilog

    v = variant(name)
    return verify(v, to_verilog(v), blocks=MATRIX_BLOCKS, seed=unit).driver_words


def tensor_amax_unit(name: str, unit: int) -> int:
    """Random tensors through a tensor amax unit."""
    from cocotb_tests.simulate import verify
    from rtl.variants import variant
    from rtl.verilog import to_verilog

    v = variant(name)
    return verify(v, to_verilog(v), blocks=AMAX_WORDS, seed=unit).driver_words


def every_amax_unit(name: str, unit: int) -> int:
    """All finite amaxes of a 16-bit format through a tensor scale unit."""
    from emulator.formats import FORMATS

    return _amaxes(name, range(FORMATS[name.split("-")[3]].max_code + 1))


def significands_unit(name: str, unit: int) -> int:
    """A part of all significands of float32 through a tensor scale unit."""
    size, field = (1 << 23) // WIDE_PARTS, 7 + 15 * unit
    start = (field << 23) + unit * size
    return _amaxes(name, range(start, start + size))


def _amaxes(name: str, amaxes: range) -> int:
    """Tensor amaxes by their patterns through a tensor scale unit."""
    import tempfile
    from pathlib import Path

    import numpy as np

    from cocotb_tests.bulk import build_bulk
    from cocotb_tests.scoreboard import judge
    from cocotb_tests.subjects import subject
    from rtl.tensor_variant import TensorScaleVariant
    from rtl.variants import variant
    from rtl.verilog import to_verilog

    v = variant(name)
    assert isinstance(v, TensorScaleVariant)
    dtype = v.input_layout.field("amax").dtype
    words = v.input_layout.pack(amax=np.array(amaxes, dtype)[:, None])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{v.module}.v")
        path.write_text(to_verilog(v))
        run = build_bulk(path, v, top=v.module).run(words)
    spec = subject(v).expected(words)
    return judge(spec, run.words, words, v, problem=run.problem).require().compared


def scaled_lane_unit(name: str, g: int, unit: int) -> int:
    """All bfloat16 under all scale codes and one tensor scale through the Verilated lane."""
    from cocotb_tests.scaled_exhaustive import scaled_space
    from rtl.variants import quantizer

    return scaled_space("element", quantizer(name), g).run()


def scaled_scale_unit(name: str, unit: int) -> int:
    """All amaxes under some tensor scales through the Verilated scale encoder."""
    from cocotb_tests.scaled_exhaustive import scaled_space
    from emulator.scaled_words import kind_of
    from rtl.variants import quantizer

    v = quantizer(name)
    return scaled_space("scale", v, GIVEN[kind_of(v.recipe)][unit]).run()


def scaled_jobs() -> list[Job]:
    """Tensor scaling: whole spaces of its units, and words through the matrix of variants."""
    here, kind, sources = "tests.exhaustive_scaled", "Verilator with reference", SOURCES
    finite = 2 * 0x7F81  # bfloat16 without NaN
    found = []
    for tensor_scale, scales in GIVEN.items():
        selection = f"ue4m3-absmax-{tensor_scale}"
        name = f"quantizer-{selection}-b16-bf16"
        for g in scales:
            what = f"lane {selection}, all bfloat16 but NaN under all scale codes and g {g:08x}"
            function = f"{here}:scaled_lane_unit"
            found.append(
                Job(what, kind, "spec §14.7", function, (name, g), 1, 127 * finite, sources)
            )
        what = f"scale encoder {selection}, all bfloat16 amax under {len(scales)} g"
        function, total = f"{here}:scaled_scale_unit", len(scales) << 15
        found.append(Job(what, kind, "spec §14.7", function, (name,), len(scales), total, sources))
    for name in TENSOR_UNITS:
        total = 0x7F80 if name.endswith("bf16") else 0x7C00
        what, function = f"{name}, all amax", f"{here}:every_amax_unit"
        found.append(
            Job(what, "Verilator with kernels", "spec §23.4", function, (name,), 1, total, sources)
        )
    for name in WIDE_UNITS:
        what, function = f"{name}, amaxes of all significands", f"{here}:significands_unit"
        found.append(
            Job(
                what,
                "Verilator with kernels",
                "spec §23.4, §23.5",
                function,
                (name,),
                WIDE_PARTS,
                1 << 23,
                sources,
            )
        )
    for name in QUANTIZERS:
        what, function = f"random words {name}", f"{here}:matrix_unit"
        found.append(
            Job(what, "Verilator with kernels", "spec §23.2", function, (name,), 1, 0, sources)
        )
    for x in INPUTS:
        for lanes in (1, 8, 32):
            name = f"tensor-amax-{x}-x{lanes}"
            what, function = f"random words {name}", f"{here}:tensor_amax_unit"
            found.append(
                Job(what, "Verilator with kernels", "spec §23.3", function, (name,), 1, 0, sources)
            )
    return found
