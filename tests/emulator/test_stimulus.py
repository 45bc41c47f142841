"""Stimuli are deterministic, and meet what their names promise."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from emulator.directed import THRESHOLDS, around, floor_pattern
from emulator.errors import UnknownNameError
from emulator.formats import BF16, E2M1, E8M0, FORMATS, FP16, FP32, UE4M3, UE5M3, Format
from emulator.layout import input_layout
from emulator.recipes import Recipe, recipe
from emulator.stimulus import stimulus, stimulus_names

RECIPES = ["ue4m3-absmax-b4", "ue5m3-absmax-b16", "e8m0-even-b8", "ue5m3-absmax-pz-b2"]


def lanes(name: str, r: Recipe, x: Format, **options: int) -> np.ndarray:
    return input_layout(x, r.block_size).unpack(stimulus(name, r, x, **options))["x"]


@pytest.mark.parametrize("x", [BF16, FP16, FP32], ids=lambda f: f.name)
@pytest.mark.parametrize("name", RECIPES)
def test_the_same_bits_every_time(name: str, x: Format) -> None:
    r = recipe(name)
    for stimulus_name in stimulus_names(r, x):
        first = stimulus(stimulus_name, r, x, seed=3)
        assert len(first) and (first == stimulus(stimulus_name, r, x, seed=3)).all()


def test_random_words_are_a_prefix_of_longer_ones_and_depend_on_the_seed() -> None:
    r = recipe("ue5m3-absmax-b16")
    long = stimulus("random", r, BF16, blocks=1000)
    assert (stimulus("random", r, BF16, blocks=10) == long[:10]).all()
    assert (stimulus("random", r, BF16, blocks=10, seed=1) != long[:10]).any()
    assert len(stimulus("random", r, BF16, blocks=0)) == 0


def test_random_words_are_recorded() -> None:
    """Raw PCG64 bits do not depend on the NumPy version: these are the first two blocks."""
    x = lanes("random", recipe("ue5m3-absmax-b4"), BF16, blocks=2)
    assert [f"{int(v):04x}" for v in x.ravel()] == RECORDED


RECORDED = ["4510", "0a7d", "043b", "d032", "b432", "b51a", "b47f", "b53f"]


@pytest.mark.parametrize("scale", [UE4M3, UE5M3], ids=lambda f: f.name)
@pytest.mark.parametrize("x", [BF16, FP32], ids=lambda f: f.name)
def test_every_scale_tie_and_its_neighbours_are_met(scale: Format, x: Format) -> None:
    """spec §8.1: amax is 6 times each midpoint of the scale format, and one ulp beside it."""
    rows = lanes(f"scales-{scale.name}", recipe(f"{scale.name}-absmax-b8"), x)
    met = set((rows & x.magnitude_mask).max(axis=1).tolist())
    for code in range(scale.max_code):
        tie = 3 * (scale.value(code) + scale.value(code + 1))
        pattern = floor_pattern(tie, x)
        assert x.value(pattern) == tie
        assert {pattern - 1, pattern, pattern + 1} <= met


@pytest.mark.parametrize("block", [4, 16, 32])
def test_every_element_tie_and_its_neighbours_are_met(block: int) -> None:
    """spec §9.1: with each scale code, each threshold of E2M1 and one ulp beside it."""
    rows = lanes("elements-ue5m3", recipe(f"ue5m3-absmax-b{block}"), BF16) & BF16.magnitude_mask
    by_amax: dict[int, set[int]] = {}
    for row in rows:
        by_amax.setdefault(int(row.max()), set()).update(row.tolist())
    for code in range(1, UE5M3.max_code + 1):
        s = UE5M3.value(code)
        met = by_amax[floor_pattern(6 * s, BF16)]
        for low, high in zip(range(7), range(1, 8), strict=True):
            tie = (E2M1.value(low) + E2M1.value(high)) / 2 * s
            pattern = floor_pattern(tie, BF16)
            assert BF16.value(pattern) == tie
            assert {pattern - 1, pattern, pattern + 1} <= met


@pytest.mark.parametrize("x", [BF16, FP16, FP32], ids=lambda f: f.name)
@pytest.mark.parametrize("name", ["ue4m3-4o6-b8", "ue5m3-search-b4", "e8m0-fc-b4"])
def test_choices_are_for_recipes_that_choose(name: str, x: Format) -> None:
    """spec §15.3: blocks with equal errors under s and the other scale, and beside them."""
    r = recipe(name)
    generator = f"choices-{r.scale.name}"
    assert generator in stimulus_names(r, x)
    assert generator not in stimulus_names(recipe("ue4m3-absmax-b8"), x)
    assert generator not in stimulus_names(recipe("e8m0-floor-b8"), x)
    rows = lanes(generator, r, x) & x.magnitude_mask
    assert len(rows) > 50
    amaxes = {x.value(int(p)) for p in rows.max(axis=1)}
    factor = 7 if r.rule == "fc" else 6
    assert sum(factor * r.scale.value(c) in amaxes for c in range(1, r.scale.max_code)) > 10


def test_thresholds_are_the_midpoints_of_e2m1() -> None:
    assert list(THRESHOLDS) == [(E2M1.value(k) + E2M1.value(k + 1)) / 2 for k in range(7)]


@pytest.mark.parametrize("x", [BF16, FP16], ids=lambda f: f.name)
@pytest.mark.parametrize("block", [2, 16, 32])
def test_the_sweep_meets_every_pattern(x: Format, block: int) -> None:
    rows = lanes("sweep", recipe(f"ue5m3-absmax-b{block}"), x)
    assert set(rows.ravel().tolist()) == set(range(1 << 16))


@pytest.mark.parametrize("x", [BF16, FP16, FP32], ids=lambda f: f.name)
def test_specials_stand_in_each_lane(x: Format) -> None:
    """spec §6.1, §6.2."""
    rows = lanes("specials", recipe("e8m0-floor-b8"), x)
    magnitudes = rows & x.magnitude_mask
    assert x.inf_code is not None
    assert ((magnitudes == x.inf_code).any(axis=0)).all()
    assert ((magnitudes > x.inf_code).any(axis=0)).all()
    only_inf = (magnitudes <= x.inf_code).all(axis=1) & (magnitudes == x.inf_code).any(axis=1)
    assert only_inf.sum() > 8


@pytest.mark.parametrize("x", [BF16, FP16, FP32], ids=lambda f: f.name)
def test_floor_pattern(x: Format) -> None:
    for pattern in (0, 1, 77, x.max_code // 2, x.max_code):
        value = x.value(pattern)
        assert floor_pattern(value, x) == pattern
        assert floor_pattern(value + x.min_positive / 2, x) == pattern
    assert around(Fraction(0), x) == [0, 1]
    assert around(x.max * 2, x) == [x.max_code - 1, x.max_code]


@pytest.mark.parametrize("x", FORMATS.values(), ids=FORMATS)
def test_floor_pattern_at_each_value(x: Format) -> None:
    """Every pattern of a format, or of both ends of a wide one, at its value and just below."""
    last = x.max_code
    for pattern in {*range(min(last, 2000) + 1), *range(max(last - 2000, 0), last + 1)}:
        value = x.value(pattern)
        assert floor_pattern(value, x) == pattern
        assert floor_pattern(value * (1 - Fraction(1, 10**9)), x) == max(pattern - 1, 0)
    assert floor_pattern(Fraction(1, 10**60), x) == 0


def test_refusals() -> None:
    r = recipe("e8m0-floor-b8")
    with pytest.raises(UnknownNameError, match=r"unknown stimulus 'zeroes'; did you mean zeros\?"):
        stimulus("zeroes", r, BF16)
    with pytest.raises(ValueError, match="'zeros' has a fixed number of blocks"):
        stimulus("zeros", r, BF16, blocks=5)
    with pytest.raises(ValueError, match="seed -1 is below 0"):
        stimulus("zeros", r, BF16, seed=-1)
    with pytest.raises(ValueError, match="blocks -5 is below 0"):
        stimulus("random", r, BF16, blocks=-5)
    assert "sweep" not in stimulus_names(r, FP32)
    assert FORMATS["e8m0"] == E8M0
