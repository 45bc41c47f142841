"""The dequantizer: all codes under all scales through its gates, and the worked examples."""

from __future__ import annotations

import random

import pytest

from cocotb_tests.subjects import subject
from emulator.errors import MismatchError, NotAvailableError, UnknownNameError
from emulator.formats import FORMATS, Format
from emulator.recipes import recipe
from rtl.dequantizer_variant import DequantizerVariant
from rtl.reach import Reach
from rtl.variants import variant
from tests.rtl.converting import PAIRS, block_gates, compare_blocks, compare_fractions
from tests.rtl.gates import Netlist
from tests.rtl.simulation import example_through, through
from tests.spec_examples import Example, examples

OUTPUTS = ("bf16", "fp16", "fp32")
EXAMPLES = [e for e in examples() if e.verb == "through" and "dequantizer" in e.subject]
UE4M4 = Format("ue4m4", 4, 4, bias=7, max_code=0xFE, nan_code=0xFF)
UE6M2 = Format("ue6m2", 6, 2, bias=31, max_code=0xFE, nan_code=0xFF)
UE7M1 = Format("ue7m1", 7, 1, bias=63, max_code=0xFE, nan_code=0xFF)


def sample(kind: str, count: int) -> list[int]:
    """Tensor scales of a kind as a word holds them: the ends, one, ties and others."""
    if kind == "hp2":
        return [*range(1, 30), *range(30, 225, 11), *range(225, 255)]
    f = 7 if kind == "hbf16" else 23
    rng = random.Random(kind)
    some = [1 << f, (255 << f) - 1, 127 << f, (127 << f) + 1, 3 << (f - 1)]
    some += [field << f | fraction for field in (1, 2) for fraction in (1, 3, 5)]
    for _ in range(count):
        field = rng.choice([rng.randrange(1, 255), rng.randrange(1, 40), rng.randrange(100, 150)])
        fraction = rng.randrange(1 << f)
        some.append(field << f | (fraction & -(1 << (f - 3)) if rng.random() < 0.3 else fraction))
    return some


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_example(example: Example) -> None:
    """spec §21.6, §21.7, §10.1 to §10.3, §14.7, through the whole unit."""
    assert example_through(example) == example.right


def test_there_are_examples() -> None:
    assert {e.clause for e in EXAMPLES} == {"§21.6", "§21.7"}


@pytest.mark.parametrize("scale", ["ue4m3", "ue5m3", "e8m0"])
def test_all_codes_under_all_scales(scale: str) -> None:
    """Against the reference (spec §10); bits above a scale code are ignored (spec §2.6)."""
    for output in OUTPUTS:
        reach = Reach(FORMATS[scale], None, FORMATS[output])
        assert compare_blocks(reach, exact=True) == PAIRS


@pytest.mark.parametrize("scale", [UE4M4, UE6M2, UE7M1], ids=lambda f: f.name)
def test_other_scale_formats(scale: Format) -> None:
    """The units take their constants from the format's fields, whichever these are (spec §2.1)."""
    for output in ("bf16", "fp16"):
        assert compare_blocks(Reach(scale, None, FORMATS[output]), exact=True) == PAIRS
    if scale is UE4M4:
        assert compare_blocks(Reach(scale, "h", FORMATS["bf16"]), sample("h", 20)) == 31 * PAIRS


@pytest.mark.parametrize(
    ("scale", "kind", "output"),
    [
        ("ue4m3", "h", "bf16"),
        ("ue4m3", "hbf16", "fp16"),
        ("ue4m3", "hp2", "fp32"),
        ("ue5m3", "h", "fp16"),
        ("ue5m3", "h", "fp32"),
        ("ue5m3", "hbf16", "fp32"),
        ("ue5m3", "hp2", "bf16"),
    ],
)
def test_all_codes_under_tensor_scales(scale: str, kind: str, output: str) -> None:
    """All codes under some tensor scales (spec §14.7); `make exhaustive` has all and more."""
    given = sample(kind, 60)
    reach = Reach(FORMATS[scale], kind, FORMATS[output])
    assert compare_blocks(reach, given) == len(given) * PAIRS
    assert compare_blocks(reach, given[::29], exact=True) >= 2 * PAIRS


def test_neighbouring_fractions() -> None:
    """A part of what `make exhaustive` does with all fractions of a tensor scale (spec §21.7)."""
    reach = Reach(FORMATS["ue4m3"], "h", FORMATS["bf16"])
    for scale, exponent in ((0x38, 127), (0x30, 1)):
        for first in (0, 0x2AAA00, (1 << 23) - 256):
            assert compare_fractions(reach, scale, exponent, range(first, first + 256)) == 1 << 14
    with pytest.raises(MismatchError, match="nothing was compared"):
        compare_fractions(reach, 0x38, 127, range(0))


def test_differences_are_found() -> None:
    """A gate that is another one, and nothing at all (spec §13.2)."""
    reach = Reach(FORMATS["ue4m3"], "h", FORMATS["bf16"])
    gates = block_gates(reach)
    last = gates.outputs["numbers"][:15:4]
    for index, (kind, pins, net) in enumerate(gates.gates):
        if net not in last:
            continue
        spoiled = [*gates.gates]
        spoiled[index] = ("$_AND_" if kind != "$_AND_" else "$_OR_", [*pins, *pins][:2], net)
        broken = Netlist(gates.inputs, gates.outputs, spoiled)
        with pytest.raises(MismatchError, match=r"ue4m3 h bf16: scale .. code . g [0-9a-f]+: dut"):
            compare_blocks(reach, sample("h", 10), gates=broken)
    assert len(last) == 4
    with pytest.raises(MismatchError, match="nothing was compared"):
        compare_blocks(reach, [])


@pytest.mark.parametrize(
    "name",
    [
        "dequantizer-ue5m3-4o6-b2-bf16-cuti",
        "dequantizer-ue4m3-absmax-h-b2-fp16-cutifpo",
        "dequantizer-e8m0-even-b4-fp16-cutf",
        "dequantizer-ue4m3-3c-pz-hp2-b2-fp32",
    ],
)
def test_streams(name: str) -> None:
    """Any pauses, any cut: the same words in the same order (spec §21.5, §12.3)."""
    v = variant(name)
    about = subject(v)
    words = about.stimulus("random", words=40)
    want = [int.from_bytes(w.tobytes(), "little") for w in about.expected(words)]
    given = [int.from_bytes(w.tobytes(), "little") for w in words]
    assert through(v, given, pauses=0.4) == want


def test_names_round_trip() -> None:
    for name in ("ue5m3-absmax", "ue4m3-4o6-pz-h256", "e8m0-fc", "ue4m3-search-hbf16"):
        for block in (2, 4, 8, 16, 32):
            for output in OUTPUTS:
                for cuts in ("po", "ifpo", "f"):
                    v = DequantizerVariant(recipe(f"{name}-b{block}"), FORMATS[output], cuts)
                    assert variant(v.name) == v and v.latency == len(cuts)  # spec §12.5
                    assert v.module.isidentifier() and "__" not in v.module


@pytest.mark.parametrize(
    ("selection", "bits"),
    [("ue5m3-absmax", 0), ("ue4m3-4o6-h", 32), ("ue4m3-4o6-h256", 32), ("ue5m3-absmax-hbf16", 16),
     ("ue5m3-absmax-hp2", 8)],
)  # fmt: skip
def test_ports_hold_the_words(selection: str, bits: int) -> None:
    """spec §21.6, §21.7, §12.1."""
    v = variant(f"dequantizer-{selection}-b8-bf16")
    assert v.ports["i_payload"] == ("input", 4 * 8 + 8 + bits)
    assert v.ports["o_payload"] == ("output", 8 * 16)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("dequantizer-ue5m3-absmax-b16-bf17", UnknownNameError, "did you mean dequantizer-ue5m3"),
        ("dequantizer-ue5m3-absmax-b64-bf16", NotAvailableError, "64 exceeds the 32 lanes"),
        ("dequantizer-e3m0.ue5m3-absmax-b16-bf16", NotAvailableError, "e3m0 is not available"),
        ("dequantizer-ue5m3-absmax-b16-bf16-cutop", ValueError, "cuts 'op' are not"),
        ("dequantizer-e8m0-floor-h-b16-bf16", ValueError, "takes no tensor scale"),
    ],
)
def test_refused_names(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        variant(name)
    assert "\n" not in str(caught.value)
