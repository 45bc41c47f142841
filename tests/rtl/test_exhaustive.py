"""Whole input spaces of the element lane and the scale encoder, through Verilator.

`make exhaustive` walks the float32 spaces in full and the scale encoder for every input; here
samples of these have to do.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cocotb_tests.exhaustive import Space, element_segments, scale_segments, space, steps
from emulator.blocks import BlockFormat
from emulator.errors import MismatchError
from emulator.formats import BF16, E2M1, FORMATS, FP16, FP32, Format
from emulator.recipes import SELECTIONS, Recipe, recipe
from emulator.reference import quantize_block
from rtl.variants import QuantizerVariant, quantizer
from rtl.verilog import unit_verilog
from tests.exhaustive_jobs import POWER_LANE_PATTERNS
from tests.rtl.test_shapes import UE4M4, UE6M1

pytestmark = pytest.mark.slow

GROUPS = 1 << 12


def unit(kind: str, selection: str, x: Format) -> Space:
    return space(kind, QuantizerVariant(recipe(f"{selection}-b2"), x))


def not_nan(x: Format) -> int:
    assert x.inf_code is not None
    return 2 * (x.inf_code + 1)


@pytest.mark.parametrize("selection", ["ue4m3-absmax", "ue5m3-absmax", "e8m0-floor"])
def test_lane_all_bf16_under_all_scales(selection: str) -> None:
    """All 2^16 inputs but NaN under every finite scale code (spec §9.1, §9.2, §9.3, §6.2).

    Under a power of two those that a block of that scale can hold.
    """
    lane = unit("element", selection, BF16)
    assert lane.run() == lane.due()
    if lane.variant.recipe.scale.has_zero:
        assert lane.due() == len(lane.settings) * not_nan(BF16)
    else:  # each binade more has 2 * 128 numbers more below 8 times the scale
        assert lane.due() == POWER_LANE_PATTERNS


@pytest.mark.parametrize("selection", ["ue5m3-absmax", "e8m0-floor"])
def test_lane_all_fp16_under_some_scales(selection: str) -> None:
    """Where subnormal inputs are normalised (spec §4.2), at both ends and in between."""
    lane = unit("element", selection, FP16)
    codes = [*range(24), *range(96, 144), *range(224, 255)]
    assert lane.run(settings=codes) == lane.due(codes)
    if lane.variant.recipe.scale.has_zero:
        assert lane.due(codes) == len(codes) * not_nan(FP16)


@pytest.mark.parametrize(
    ("selection", "x"),
    [(s, BF16) for s in SELECTIONS] + [("ue5m3-absmax", FP16), ("e8m0-even", FP16)],
    ids=lambda v: getattr(v, "name", v),
)
def test_scale_of_all_amax(selection: str, x: Format) -> None:
    """All 2^15 magnitudes, infinity and NaN included (spec §8, §6.1, §6.2)."""
    assert unit("scale", selection, x).run() == 1 << 15


@pytest.mark.parametrize("kind", ["element", "scale"])
def test_sample_of_fp32(kind: str) -> None:
    """Some 2^23 patterns: around each step of the result, and elsewhere (spec §9.1, §8.1)."""
    walk = unit(kind, "ue5m3-absmax", FP32)
    rng = random.Random(0)
    size = GROUPS * walk.lanes
    starts = [rng.randrange(walk.patterns // size) * size for _ in range(32)]
    starts += [first // size * size for first, _ in walk.segments(0x7B if kind == "element" else 0)]
    chosen = sorted(set(starts))[:: 1 if kind == "element" else 4]
    assert sum(walk.run(s, s + size, settings=walk_settings(walk)) for s in chosen[:64]) > 1 << 20


def walk_settings(walk: Space) -> list[int]:
    return [0x7B] if walk.unit == "element" else [0]


@pytest.mark.parametrize(
    ("kind", "scale", "x"),
    [("scale", UE4M4, BF16), ("element", UE6M1, FP16)],
    ids=lambda v: getattr(v, "name", v),
)
def test_other_scale_formats(kind: str, scale: Format, x: Format) -> None:
    """The units take their constants from the format's fields, whichever these are (spec §2.1)."""
    walk = space(kind, QuantizerVariant(Recipe(BlockFormat(E2M1, scale, 2), "absmax"), x))
    settings = list(walk.settings)[:: 1 if kind == "scale" else 7]
    expected = len(settings) * not_nan(x) if kind == "element" else 1 << 15
    assert walk.run(settings=settings) == expected


def test_a_fault_is_found_and_explained(tmp_path: Path) -> None:
    """A lane that takes 7/4 of the scale for 5/4 differs, and the message says where."""
    v = quantizer("quantizer-ue5m3-absmax-b2-bf16")
    text = unit_verilog("element", v, lanes=8)
    broken = text.replace("thresholds[28]", "thresholds[27]")
    assert broken != text
    with pytest.raises(
        MismatchError, match=r"differ \(spec §9.1\): x [0-9a-f]{4} scale 0[1-7]: dut"
    ):
        space("element", v, verilog=broken, folder=tmp_path).run(settings=[1, 2, 3, 4, 5, 6, 7])


def test_nothing_compared_is_a_failure() -> None:
    """spec §13.2."""
    lane = unit("element", "ue5m3-absmax", BF16)
    with pytest.raises(MismatchError, match="nothing was compared"):
        lane.run(settings=[])
    with pytest.raises(MismatchError, match="nothing was compared"):
        lane.run(0x7F88, 0x8000, settings=[1])
    with pytest.raises(ValueError, match="multiples of 8"):
        lane.run(3, 8)


def test_a_wrong_table_is_found() -> None:
    """One step moved by one pattern is one mismatch."""
    lane = unit("element", "ue4m3-absmax", BF16)
    segments = lane.segments(0x38)
    moved = [(first + (i == 3), code) for i, (first, code) in enumerate(segments)]
    with pytest.raises(MismatchError, match=": 1 differ"):
        lane.compare({0x38: moved}, 0, lane.patterns)


def test_steps_by_bisection() -> None:
    assert steps(lambda x: x // 10, 0, 35) == [(0, 0), (10, 1), (20, 2), (30, 3)]


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("x", ["bf16", "fp16", "fp32"])
def test_tables_agree_with_whole_blocks(selection: str, x: str) -> None:
    """The tables are those of `quantize_block` (spec §6 to §9)."""
    r, fmt = recipe(f"{selection}-b2"), FORMATS[x]
    scales = scale_segments(r, fmt)
    rng = random.Random(selection)
    codes: dict[int, list[tuple[int, int]]] = {}

    def look_up(segments: list[tuple[int, int]], bits: int) -> int:
        return next(result for first, result in reversed(segments) if first <= bits)

    for _ in range(150):
        a, b = rng.randrange(1 << fmt.width), rng.randrange(1 << fmt.width)
        if rng.random() < 0.5:
            b = min(max(a - rng.randrange(-9, 9), 0), (1 << fmt.width) - 1)
        scale, (first, second) = quantize_block([a, b], fmt, r)
        amax = max(a & fmt.magnitude_mask, b & fmt.magnitude_mask)
        assert look_up(scales, amax) == scale
        if r.scale.is_finite(scale):
            table = codes.setdefault(scale, element_segments(r, fmt, scale))
            assert (look_up(table, a), look_up(table, b)) == (first, second)
