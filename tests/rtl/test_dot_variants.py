"""Names of dot products, what follows from them, their words, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from emulator import dot_stimulus
from emulator.accumulation import exact_bits
from emulator.dot_stream import expected
from emulator.errors import NotAvailableError, UnknownNameError
from emulator.formats import FORMATS
from rtl.dot_exact import accumulator_bits
from rtl.dot_shapes import DotShapes
from rtl.dot_variant import SCALES, DotVariant
from rtl.variants import default_variants, variant

NAMES = (
    "dot-ue5m3-b16-block",
    "dot-e8m0-b4-fp32",
    "dot-ue4m3-b8-x4-fp32-h",
    "dot-ue5m3-b16-exact",
    "dot-ue4m3-b32-x2-exact-n7-h-cutispco",
    "dot-ue5m3-b8-fp32-hbf16",
    "dot-ue4m3-b16-tc35-hp2-cutspc",
    "dot-ue5m3-b16-tc35",
    "dot-ue5m3-b32-tc13-k32-zeros-cut",
)


def dot(name: str) -> DotVariant:
    found = variant(name)
    assert isinstance(found, DotVariant)
    return found


@pytest.mark.parametrize("name", [*NAMES, *(v.name for v in DotVariant.defaults())])
def test_names_round_trip(name: str) -> None:
    v = dot(name)
    assert v.name == name and variant(v.name) == v
    assert v.module.isidentifier() and "__" not in v.module
    assert v.latency == len(v.cuts or "") + (v.accumulation.kind != "block")  # spec §22.8
    assert list(v.describe())[:2] == ["name", "unit"]


def test_default_set() -> None:
    names = [v.name for v in DotVariant.defaults()]
    assert len(names) == len(set(names))
    assert set(names) <= {v.name for v in default_variants()}
    for scale in ("ue4m3", "ue5m3"):
        for block in (4, 8, 16, 32):
            sums = ["block", "fp32", "exact"] + ["tc35"] * (block >= 16)
            assert {f"dot-{scale}-b{block}-{kind}" for kind in sums} <= set(names)
            if scale == "ue4m3":
                scaled = {f"{kind}-{g}" for kind in sums[1:] for g in ("h", "hbf16", "hp2")}
                assert {f"dot-{scale}-b{block}-{kind}" for kind in scaled} <= set(names)
    assert {f"dot-e8m0-b{block}-fp32" for block in (4, 8, 16, 32)} <= set(names)
    assert not [name for name in names if name.startswith("dot-e8m0") and "exact" in name]


def test_words() -> None:
    """Places of the fields (spec §22.1, §22.2, §22.4, §22.6)."""
    v = dot("dot-ue4m3-b8-x2-exact-h")
    places = [(f.name, f.offset, f.width, f.count) for f in v.input_layout.fields]
    assert places == [
        ("a_codes", 0, 4, 16),
        ("a_scales", 64, 8, 2),
        ("b_codes", 80, 4, 16),
        ("b_scales", 144, 8, 2),
        ("last", 160, 1, 1),
        ("g", 161, 32, 1),
    ]
    assert v.last_bit == 160
    for kind, width in (("hbf16", 16), ("hp2", 8)):  # spec §22.11
        layout = dot(f"dot-ue4m3-b8-x2-fp32-{kind}").input_layout
        places = [(f.name, f.offset, f.width, f.count) for f in layout.fields]
        assert places[4:] == [
            ("last", 160, 1, 1),
            ("a_g", 161, width, 1),
            ("b_g", 161 + width, width, 1),
        ]
    assert v.output_layout.width == 33
    assert dot("dot-ue4m3-b8-block").last_bit is None
    assert dot("dot-ue4m3-b8-block").output_layout.width == 32


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("blocks", [1, 3, 76087, 76088])
def test_width_of_the_accumulator(scale: str, blocks: int) -> None:
    """The gates' own width is that of spec §16.6."""
    v = DotVariant(FORMATS[scale], 16, dot("dot-ue5m3-b16-exact").accumulation)
    bits = accumulator_bits(DotShapes(FORMATS[scale], 16), blocks)
    assert bits == exact_bits(v.stored, v.stored, blocks)


def test_a_word_of_tc_is_a_step() -> None:
    """spec §22.5."""
    assert (dot("dot-ue5m3-b16-tc35").blocks, dot("dot-ue5m3-b16-tc35").groups) == (4, 4)
    v = dot("dot-ue5m3-b32-tc25-k32")
    assert (v.blocks, v.groups, v.group) == (1, 2, 16)


def test_results_are_those_of_whole_dot_products() -> None:
    """As many results as ends; what is left open calls for none (spec §22.3)."""
    v = dot("dot-ue5m3-b4-fp32")
    words = dot_stimulus.stimulus(v.words, "near", seed=3)
    last = v.input_layout.unpack(words)["last"][:, 0]
    results = expected(v.words, words)
    assert len(results) == int(last.sum()) > 50
    ends = np.flatnonzero(last)
    assert (expected(v.words, words[: ends[9] + 1]) == results[:10]).all()
    assert (expected(v.words, words[ends[3] + 1 : ends[9]]) == results[4:9]).all()


@pytest.mark.parametrize("name", ["dot-ue4m3-b4-exact-n1", "dot-e8m0-b2-exact-n2"])
def test_overflow_is_a_flag(name: str) -> None:
    """spec §22.7: set in some results of long sums, in none of one block."""
    v = dot(name)
    words = dot_stimulus.stimulus(v.words, "large")
    fields = v.output_layout.unpack(expected(v.words, words))
    flagged = fields["overflow"][:, 0] > 0
    assert 0 < flagged.sum() < len(flagged)
    assert (fields["y"][flagged, 0] == 0x7FC00000).all()
    one = v.input_layout.unpack(words) | {"last": np.ones((len(words), 1), np.uint8)}
    alone = expected(v.words, v.input_layout.pack(**one))
    assert not v.output_layout.unpack(alone)["overflow"].any()


@pytest.mark.parametrize("style", dot_stimulus.stimulus_names(dot("dot-ue5m3-b16-fp32").words))
def test_stimuli_end_dot_products(style: str) -> None:
    v = dot("dot-ue5m3-b16-fp32")
    words = dot_stimulus.stimulus(v.words, style)
    assert v.input_layout.unpack(words)["last"][-1, 0] == 1
    assert (words == dot_stimulus.stimulus(v.words, style)).all()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("dot-ue5m3-b16", UnknownNameError, r"did you mean dot-ue5m3"),
        ("dot-ue6m2-b16-fp32", UnknownNameError, r"names are dot-<scale>"),
        ("dot-e4m3-b16-fp32", NotAvailableError, r"e4m3 scales: no hardware yet"),
        ("dot-ue5m3-b12-fp32", ValueError, r"spec §5.3"),
        ("dot-ue5m3-b8-tc35", ValueError, r"spec §16.7"),
        ("dot-ue5m3-b32-tc35-k48", NotAvailableError, r"spec §22.5"),
        ("dot-ue5m3-b16-x2-tc35", UnknownNameError, r"unknown variant"),
        ("dot-ue5m3-b16-x2-block", ValueError, r"one block per word"),
        ("dot-ue5m3-b16-block-h", ValueError, r"no tensor scale"),
        ("dot-e8m0-b16-fp32-hp2", ValueError, r"e8m0 scales have no tensor scale"),
        ("dot-ue4m3-b16-fp32-h256", UnknownNameError, r"did you mean dot-ue4m3"),
        ("dot-e8m0-b16-fp32-h", ValueError, r"e8m0 scales have no tensor scale"),
        ("dot-ue5m3-b16-fp32-n8", ValueError, r"goes with exact only"),
        ("dot-ue5m3-b16-exact-n0", ValueError, r"0 blocks are not"),
        ("dot-ue5m3-b32-x9-fp32", NotAvailableError, r"exceed the 256 lanes"),
        ("dot-ue5m3-b16-x0-fp32", ValueError, r"0 blocks per word"),
        ("dot-ue5m3-b16-fp32-cutc", ValueError, r"cuts 'c' are not letters of 'ispo'"),
        ("dot-ue5m3-b16-fp32-h-cutoc", ValueError, r"cuts 'oc' are not letters of 'ispco'"),
        ("dot-ue5m3-b16-block-cut", ValueError, r"needs a cut"),
    ],
)
def test_refused_names(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        variant(name)
    assert "\n" not in str(caught.value)
