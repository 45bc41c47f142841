"""The codecs: whole input spaces through their gates, and the worked examples as streams."""

from __future__ import annotations

import random

import numpy as np
import pytest

from cocotb_tests.encode_space import encode_space, encode_verilog, segments
from emulator.errors import MismatchError, UnknownNameError
from emulator.formats import FORMATS, FP32
from rtl.codec_variant import CodecVariant, DecodeVariant, EncodeVariant
from rtl.variants import variant
from tests.rtl.converting import compare_conversions, conversion_gates
from tests.rtl.gates import Netlist
from tests.rtl.simulation import example_through, through
from tests.spec_examples import Example, examples

SMALL = ("e2m1", "ue4m3", "ue5m3", "e8m0", "e1m2", "e3m0", "e2m3", "e3m2", "e4m3", "e5m2")
DECODERS = tuple(f"decode_{f}_{y}" for f in SMALL for y in ("bf16", "fp16", "fp32"))
ENCODERS = (
    *(f"encode_{f}_{x}" for f in SMALL for x in ("bf16", "fp16")),
    *("encode_e5m2_bf16_ieee", "encode_e5m2_fp16_ieee"),
    *("encode_fp16_bf16", "encode_bf16_fp16_ieee", "decode_fp16_bf16", "decode_bf16_fp16"),
)
WIDE = tuple(f"encode_{f}_fp32" for f in ("e2m1", "ue4m3", "ue5m3", "e8m0", "e3m2"))
EXAMPLES = [e for e in examples() if e.verb == "through" and "dequantizer" not in e.subject]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_example(example: Example) -> None:
    """spec §21.1 to §21.5, through the whole unit."""
    assert example_through(example) == example.right


def test_there_are_examples() -> None:
    assert {e.clause for e in EXAMPLES} == {f"§21.{n}" for n in range(1, 6)}


def test_all_codes_of_each_decoder() -> None:
    """Every stored code to every format of numbers (spec §21.4)."""
    compared = compare_conversions(DECODERS, np.arange(256, dtype=np.uint32))
    assert compared == 3 * sum(1 << FORMATS[f].storage_bits for f in SMALL)


@pytest.mark.slow
def test_all_bf16_and_fp16_of_each_encoder() -> None:
    """All 2^16 inputs, NaN and both signs included (spec §21.2, §21.3)."""
    patterns = np.arange(1 << 16, dtype=np.uint32)
    assert compare_conversions(ENCODERS, patterns) == len(ENCODERS) << 16


def test_a_sample_of_fp32() -> None:
    """The steps of every encoder and beside them, and some patterns of each exponent."""
    rng = random.Random(0)
    at = {p + d for n in WIDE for p, _ in segments(FP32, FORMATS[n.split("_")[1]])
          for d in (-1, 0, 1)}  # fmt: skip
    at |= {e << 23 | rng.randrange(1 << 23) for e in range(512) for _ in range(64)}
    patterns = np.array(sorted(p for p in at if 0 <= p < 1 << 32), np.uint32)
    assert compare_conversions(WIDE, patterns) == len(WIDE) * patterns.size > 150_000


def test_differences_are_found() -> None:
    """A gate that is another one, a wrong table, and nothing at all."""
    gates = conversion_gates(DECODERS)
    index = next(i for i, (kind, _, _) in enumerate(gates.gates) if kind == "$_AND_")
    spoiled = [*gates.gates]
    spoiled[index] = ("$_OR_", *gates.gates[index][1:])
    with pytest.raises(MismatchError, match=r"decode_\w+: x [0-9a-f]+: dut"):
        broken = Netlist(gates.inputs, gates.outputs, spoiled)
        compare_conversions(DECODERS, np.arange(256, dtype=np.uint32), broken)
    with pytest.raises(MismatchError, match="nothing was compared"):
        compare_conversions(("decode_e2m1_bf16",), np.array([16], np.uint32))


@pytest.mark.slow
def test_walk_of_float32(tmp_path) -> None:
    """A part of what `make exhaustive` walks, and a fault that it finds (spec §21.2, §3.1)."""
    fmt = FORMATS["e2m1"]
    walk = encode_space(fmt)
    start = 0x3E000000
    assert walk.run(start, start + (1 << 22)) + walk.run(0xC0000000, 0xC0400000) == 1 << 23
    assert walk.run(0x7F7F0000, 0x7F900000) + walk.run(0xFFFF0000) > 1 << 20
    text = encode_verilog(fmt)
    spoiled = text.replace(" + ", " - ", 1)
    assert spoiled != text
    with pytest.raises(MismatchError, match=r"encode-e2m1-fp32: \d+ differ \(spec §21.2\): x"):
        encode_space(fmt, verilog=spoiled, folder=tmp_path).run(start, start + (1 << 22))


def test_walk_refuses_other_widths() -> None:
    with pytest.raises(ValueError, match="e3m2: codes of 6 bits are not 4 or 8"):
        encode_space(FORMATS["e3m2"])


@pytest.mark.parametrize(
    "name",
    ["encode-ue5m3-fp32-x2-cutimo", "encode-e2m1-bf16-x3-cuti", "decode-e8m0-fp16-x4-cutm"],
)
def test_streams(name: str) -> None:
    """Any pauses, any cut: the same words in the same order (spec §21.5, §12.3)."""
    from cocotb_tests.subjects import subject

    v = variant(name)
    about = subject(v)
    words = about.stimulus("random", words=60)
    want = [int.from_bytes(w.tobytes(), "little") for w in about.expected(words)]
    given = [int.from_bytes(w.tobytes(), "little") for w in words]
    assert through(v, given, pauses=0.4) == want


@pytest.mark.parametrize("cls", [EncodeVariant, DecodeVariant])
def test_names_round_trip(cls: type[CodecVariant]) -> None:
    for fmt in (*SMALL, "fp16", "bf16"):
        for number in ("bf16", "fp16", "fp32"):
            for lanes, cuts in ((1, "o"), (16, "im"), (64, "imo")):
                v = cls(FORMATS[fmt], FORMATS[number], lanes, cuts)
                assert variant(v.name) == v and v.latency == len(cuts)  # spec §12.5
                assert v.module.isidentifier() and "__" not in v.module
    ieee = EncodeVariant(FORMATS["e5m2"], FP32, 4, overflow_to_infinity=True)
    assert ieee.name == "encode-e5m2-fp32-ieee-x4" and variant(ieee.name) == ieee


def test_ports_hold_the_words() -> None:
    """spec §21.1, §21.5."""
    v = variant("encode-e3m2-fp16-x16")
    assert v.ports["i_payload"] == ("input", 256) and v.ports["o_payload"] == ("output", 96)
    v = variant("decode-ue4m3-fp32-x4")
    assert v.ports["i_payload"] == ("input", 32) and v.ports["o_payload"] == ("output", 128)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("encode-ue5m3-bf17", UnknownNameError, "did you mean encode-ue5m3-bf16"),
        ("encode-fp32-bf16", ValueError, "format fp32 has more than 16 bits"),
        ("encode-ue5m3-bf16-ieee", ValueError, r"ue5m3 has no infinity \(spec §3.3\)"),
        ("encode-ue5m3-bf16-x65", ValueError, "65 lanes are not 1 to 64"),
        ("encode-ue5m3-bf16-x0", UnknownNameError, "unknown variant"),
        ("encode-ue5m3-bf16-cut", ValueError, "cuts '' are not"),
        ("decode-ue5m3-bf16-cutoi", ValueError, "cuts 'oi' are not"),
        ("decode-e5m2-bf16-ieee", UnknownNameError, "unknown variant"),
    ],
)
def test_refused_names(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        variant(name)
    assert "\n" not in str(caught.value)
