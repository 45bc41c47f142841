"""The short stimuli: within reach, deterministic, and able to tell all recipes apart."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from emulator import reference
from emulator.committed import MAIN_BLOCK, committed_names, committed_recipes
from emulator.directed import floor_pattern
from emulator.formats import BF16, FORMATS, FP16, FP32
from emulator.golden import default_names, expected
from emulator.in_range import BLOCKS, LARGEST, in_range, in_range_names, reach
from emulator.layout import input_layout
from emulator.recipes import ALL_SELECTIONS, BLOCK_SIZES, SELECTIONS, recipe
from emulator.stimulus import stimulus, stimulus_names


@pytest.mark.parametrize("x_name", ["bf16", "fp16", "fp32"])
@pytest.mark.parametrize(
    "name", ["ue4m3-4o6-b16", "ue4m3-absmax-h256-b4", "ue5m3-absmax-h-b32", "e8m0-fc-b2"]
)
def test_nothing_is_beyond_reach(name: str, x_name: str) -> None:
    r, x = recipe(name), FORMATS[x_name]
    for generator in in_range_names(r):
        rows = input_layout(x, r.block_size).unpack(stimulus(generator, r, x))["x"]
        assert rows.shape == (BLOCKS, r.block_size)
        finite = [int(b) & x.magnitude_mask for b in rows.ravel() if x.is_finite(int(b))]
        assert x.value(max(finite)) <= reach(r)
        assert len(set(finite)) > r.block_size
    rows = in_range(in_range_names(r)[0], r, x, 0)
    largest = max(b & x.magnitude_mask for row in rows for b in row if x.is_finite(b))
    assert largest == floor_pattern(min(reach(r), x.max) * LARGEST, x)
    assert rows[0][r.block_size // 2] == largest | x.sign_mask
    assert {b & x.magnitude_mask for b in rows[1]} == {0}
    assert x.is_nan(rows[3][0]) and x.is_inf(rows[4][-1])
    assert in_range(in_range_names(r)[0], r, x, 1) != rows


def test_scale_codes_are_spread_with_a_tensor_scale() -> None:
    """spec §14.7: what random floats of all sizes do not reach."""
    for name in ("ue4m3-absmax-h-b16", "ue4m3-absmax-h256-b16", "ue5m3-absmax-hp2-b16"):
        r = recipe(name)
        codes = expected(r, FP32, stimulus(in_range_names(r)[0], r, FP32))[:, -1]
        assert len(np.unique(codes)) >= 18 and np.count_nonzero(codes == 0) <= 6
        wide = expected(r, FP32, stimulus("random", r, FP32, blocks=256))[:, -1]
        assert np.count_nonzero(wide == 0) > 128


def test_blocks_of_equal_errors_have_them() -> None:
    """spec §15.3"""
    for name in ("ue4m3-4o6-b16", "e8m0-fc-b8"):
        r, ties = recipe(name), 0
        for block in in_range(in_range_names(r)[1], r, BF16, 0):
            x = [abs(BF16.value(b)) for b in block]
            codes = reference.candidate_codes(max(x), r)
            errors = [reference.squared_error(x, c, r) for c in codes]
            ties += errors[0] == errors[1] and codes[0] != codes[1]
        assert ties >= 6


def test_names() -> None:
    assert in_range_names(recipe("ue4m3-4o6-b16")) == ["spread-ue4m3", "equal-ue4m3"]
    assert in_range_names(recipe("ue4m3-4o6-h256-b16")) == ["spread-ue4m3-256"]
    assert in_range_names(recipe("ue5m3-absmax-b16")) == ["spread-ue5m3"]
    assert in_range_names(recipe("e8m0-fc-b16")) == ["spread-e8m0", "equal-e8m0"]
    scaled = recipe("ue5m3-absmax-h-b16")
    assert "spread-ue5m3" in default_names(scaled) and default_names(scaled)[-1] == "random"
    assert set(in_range_names(scaled)) < set(stimulus_names(scaled, BF16))


def test_the_committed_set_has_every_recipe() -> None:
    have = {(r.selection, r.block_size): r for r in committed_recipes()}
    assert len(have) == len(committed_recipes())
    for selection in ALL_SELECTIONS:
        sizes = [b for b in BLOCK_SIZES if (selection, b) in have]
        assert MAIN_BLOCK in sizes and len(sizes) == (4 if selection in SELECTIONS else 2)
        for block in sizes:
            inputs = [x for x in (BF16, FP16, FP32) if committed_names(have[selection, block], x)]
            assert inputs if selection in SELECTIONS else len(inputs) == 1
    others = [r for r in committed_recipes() if r.selection not in SELECTIONS]
    met = {
        (r.block_size, x.name)
        for r in others
        for x in (FP16, FP32)
        if committed_names(r, x) and r.block_size != MAIN_BLOCK
    }
    assert len(met) == 6


def test_no_two_recipes_have_the_same_words() -> None:
    """The committed words can tell each recipe from each other one that shares a stimulus."""
    words: dict[str, dict[bytes, str]] = {}
    for selection in ALL_SELECTIONS:
        r = recipe(f"{selection}-b{MAIN_BLOCK}")
        name = in_range_names(r)[0]
        made = expected(r, BF16, stimulus(name, r, BF16)).tobytes()
        twin = words.setdefault(name, {}).setdefault(made, selection)
        assert twin == selection, f"{selection} and {twin} agree on {name}"
    assert sum(map(len, words.values())) == len(ALL_SELECTIONS)


@pytest.mark.parametrize(
    "name", ["ue4m3-6c-b4", "ue4m3-search-b8", "e8m0-fc-b8", "ue4m3-4o6-pz-b4"]
)
def test_the_reference_tries_codes_in_any_order(name: str) -> None:
    """spec §15.3, §15.5: the first of the smallest errors, each of them summed in full."""
    r, ties = recipe(name), 0
    for generator in in_range_names(r):
        for block in in_range(generator, r, BF16, 0)[:: 4 if r.rule == "search" else 1]:
            if not all(BF16.is_finite(b) for b in block):
                continue
            x = [abs(BF16.value(b)) for b in block]
            for g in (Fraction(1), Fraction(5, 7)):
                codes = reference.candidate_codes(max(x), r, g)
                errors = [reference.squared_error(x, c, r, g) for c in codes]
                ties += len(set(codes)) > 1 and errors.count(min(errors)) > 1
                first = codes[errors.index(min(errors))]
                assert reference.chosen_code(x, r, g) == first
                last = codes[len(codes) - 1 - errors[::-1].index(min(errors))]
                assert reference._first_smallest(x, codes[::-1], r, g) == last
    assert ties > 0
