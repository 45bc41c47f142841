"""Selection by squared error: kernels against the reference, lemmas at their borders, laws."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from compare.quality import normal_error
from emulator import reference, selection
from emulator.formats import BF16, FP16, FP32
from emulator.recipes import (
    CHOOSING_SELECTIONS,
    LIMITED_SELECTIONS,
    VOTING_RULES,
    VOTING_SELECTIONS,
    recipe,
)
from emulator.scaled_tables import selection_tables
from emulator.score_intrinsics import score
from emulator.tensor import dequantize, quantize
from tests.emulator.selecting import Compared, compare, compare_choices, compare_hard, pairs

SIZES = (2, 4, 8, 16, 32)
CHEAP = tuple(s for s in CHOOSING_SELECTIONS if "search" not in s)
SCALED = ("ue4m3-4o6-h", "ue4m3-3c-pz-h256", "ue5m3-6c-hbf16", "ue5m3-4o6-pz-hp2")

# --- the kernels are the reference


@pytest.mark.parametrize(
    ("r", "fmt"), pairs(CHEAP, SIZES)[::2] + pairs(SCALED, SIZES)[::3], ids=lambda value: value.name
)
def test_blocks_of_every_kind(r: Any, fmt: Any) -> None:
    """spec §15.1, §15.2, §15.3, §15.4, §15.6, §14.7: same codes and scales; decoding too."""
    assert compare_hard(r, fmt, 40, seed=r.block_size, count_ties=False).blocks >= 40


@pytest.mark.parametrize(
    "name", ["ue4m3-search-b4", "ue5m3-search-pz-h-b2", "ue4m3-search-hp2-b16"]
)
def test_search_is_the_minimum_over_all_codes(name: str) -> None:
    """spec §15.5"""
    assert compare_hard(recipe(name), FP32, 30, seed=3).blocks >= 30


def test_exact_ties_are_met() -> None:
    """spec §15.3: two codes with equal errors that make different numbers; the first one wins."""
    found = Compared()
    for name, fmt in (("ue5m3-4o6-b8", BF16), ("ue4m3-4o6-b4", FP32), ("e8m0-fc-b4", FP16)):
        found += compare_choices(recipe(name), fmt, 90)
    for name in ("ue4m3-4o6-b2", "ue4m3-3c-b4", "ue5m3-6c-b2"):
        found += compare_hard(recipe(name), FP32, 200, seed=9)
    print(f"{found.ties} exact ties in {found.blocks} blocks")
    assert found.ties >= 60


def test_ties_that_floats_cannot_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lemma 3 of spec §15.4: under a g of 20 bits exact ties are left to integers."""
    used = []
    by_integers = selection._by_integers
    monkeypatch.setattr(
        selection, "_by_integers", lambda *a: (used.append(a[3].name), by_integers(*a))
    )
    g = (2**19 + 21) * 2.0**-23
    for name in ("ue5m3-4o6-h-b8", "ue5m3-6c-h-b4", "ue5m3-search-h-b4"):
        r = recipe(name)
        scale = g * r.scale.value(0x80 if "search" not in name else 0x08)
        rows = [[24, 16, 18], [24, 8, 9], [24, 4, 3], [24, 16, -18], [24, 7, 13], [0, 0, 0]]
        x = np.zeros((len(rows), r.block_size), np.float32)
        x[:, :3] = np.array(rows) * (float(scale) / 4)
        assert compare(r, FP32, x, g).blocks == len(rows)
        assert name in used
    half = x.astype(ml_dtypes.bfloat16)
    assert compare(recipe("ue5m3-4o6-hbf16-b4"), BF16, half, 141 * 2.0**-9).blocks == len(rows)


def test_integers_and_kernel_agree_where_both_decide() -> None:
    """The integer path on all blocks, not only on those that floats leave to it."""
    rng = np.random.Generator(np.random.PCG64(5))
    for name, g in (("ue5m3-6c-pz-h-b8", 0.3), ("ue4m3-search-b4", 1.0), ("e8m0-fc-b4", 1.0)):
        r = recipe(name)
        g = float(np.float32(g))
        x = (
            rng.standard_normal((40, r.block_size)) * g * rng.choice([1, 9, 0.001], (40, 1))
        ).astype(np.float32)
        q = quantize(x, r, tensor_scale=g if r.tensor_scale else None, threads=1)
        tables = selection_tables(r.block_format, r.rule, r.prevent_zero, g)
        codes, scale = np.zeros(r.block_size, np.uint8), np.zeros(1, np.uint8)
        for i, bits in enumerate(x.view(np.int32).astype(np.int64)):
            selection._by_integers(bits, codes, scale, r, tables, g)
            assert scale[0] == q.scales[i, 0] and codes.tolist() == q.codes[i].tolist()


@njit
def scores(x, rows, half, code):  # type: ignore[no-untyped-def]
    return score(x, 0, rows, code * 8, half[code], 256)  # pyright: ignore[reportCallIssue]  # intrinsic


@pytest.mark.parametrize(
    ("name", "g", "exact"),
    [
        ("ue5m3-4o6-b256", 1.0, True),
        ("ue5m3-4o6-hp2-b256", 2.0**-40, True),
        ("ue5m3-4o6-hbf16-b256", 255 * 2.0**-8, True),
        ("ue5m3-4o6-h-b256", (2**24 - 1) * 2.0**-24, False),
        ("e8m0-fc-b256", 1.0, True),
    ],
)
def test_scores_at_the_border_of_the_lemmas(name: str, g: float, exact: bool) -> None:
    """Lemmas 1 to 3 of spec §15.4, with an amax at the end of the reach of lemma 2."""
    r = recipe(name)
    tables = selection_tables(r.block_format, r.rule, False, g)
    assert (tables.reach >= 8) == exact
    rng = np.random.Generator(np.random.PCG64(2))
    inexact = 0
    for code in (3, 9, 0x7F, 0x86, 0xA5):
        s = r.scale.value(code) * Fraction(g)
        top = float(s) * (tables.reach or 6)
        for low in (0.2, 0.9):
            x = rng.uniform(low, 1, 256) * top * rng.choice([1, 1, 0.01], 256)
            x = np.minimum(x, top).astype(np.float32)
            x[x > top] = np.nextafter(np.float32(top), np.float32(0))
            got = scores(x.view(np.int32), tables.rows, tables.half, code)
            want = Fraction(0)
            for bits in x.view(np.uint32).tolist():
                a = r.element.value(reference._element(bits, FP32, s, r.element)) * s
                term = a * (a - 2 * FP32.value(bits))
                assert term <= 0
                want += term
            if exact:
                assert Fraction(got) == want
            else:
                inexact += Fraction(got) != want
                assert abs(Fraction(got) - want) <= (256 + 8) * abs(want) / 2**53
    assert exact or inexact


def test_candidates_far_below_a_saturated_block() -> None:
    """Amax beyond the reach of lemma 2 under the largest codes (spec §8.2, §15.4)."""
    for name in ("ue4m3-3c-b64", "ue4m3-6c-pz-b16", "ue4m3-3c-h-b64", "ue4m3-search-b2"):
        r = recipe(name)
        x = np.full((12, r.block_size), 416 * 5, np.float32)
        x[:, 0] = 2.0 ** np.arange(12, 120, 9)
        x[:, 1::3] = 2600
        x[::2, 2::4] = -416
        assert compare(r, FP32, x, 1.0, count_ties=False).blocks == 12


# --- a true minimum


def integer_errors(x: Any, q: Any) -> Any:
    """Squared error per block in units of 2**-36, exact for multiples of 2**-18 below 16."""
    size = q.recipe.block_size
    difference = np.ldexp(x.astype(np.float64) - dequantize(q).astype(np.float64), 18)
    assert (difference == np.rint(difference)).all()
    squares = difference.astype(np.int64) ** 2
    assert squares.max() < 1 << 50
    return squares.reshape(-1, size).sum(axis=1)


@pytest.mark.parametrize("prefix", ["ue5m3-search", "ue4m3-search-pz"])
def test_the_error_never_grows_when_a_block_is_cut_in_two(prefix: str) -> None:
    """Lemma 3 of spec §15.5, in every sample; and no rule beats the search."""
    rng = np.random.Generator(np.random.PCG64(4))
    x = np.ldexp(np.rint(rng.standard_normal(1 << 16) * 2.0 ** rng.integers(2, 12, 1 << 16)), -10)
    x = np.clip(x, -15, 15).astype(np.float32)
    errors = {b: integer_errors(x, quantize(x, f"{prefix}-b{b}")) for b in (2, 4, 8, 16, 32)}
    for b in (2, 4, 8, 16):
        halves = errors[b].reshape(-1, 2).sum(axis=1)
        assert (halves <= errors[2 * b]).all() and (halves < errors[2 * b]).any()
    for rule in ("absmax", "4o6", "3c", "6c"):
        other = integer_errors(x, quantize(x, prefix.replace("search", rule) + "-b16"))
        assert (errors[16] <= other).all() and (errors[16] < other).any()


def test_a_window_about_amax_is_not_enough() -> None:
    """spec §15.5: x = 6.5 * 2**-9 everywhere has no error under code 13."""
    x = np.full(16, 6.5 * 2.0**-9, np.float32)
    q = quantize(x, "ue4m3-search-b16")
    assert q.scales.tolist() == [13] and (dequantize(q) == x).all()


PUBLISHED = {
    "absmax": (0.00514, 0.00730, 0.00905, 0.01033),
    "4o6": (0.00333, 0.00547, 0.00756, 0.00937),
    "search": (0.00286, 0.00472, 0.00660, 0.00826),
}


@pytest.mark.parametrize("rule", PUBLISHED)
def test_relative_error_on_normal_numbers(rule: str) -> None:
    """Block 4, 8, 16, 32 with UE5M3, within 0.5 %."""
    for block, published in zip((4, 8, 16, 32), PUBLISHED[rule], strict=True):
        r = recipe(f"ue5m3-{rule}-b{block}")
        found = normal_error(r, FP32, 1.0, samples=1 << 21, seed=1)
        assert found.elements == 1 << 21
        assert abs(found.relative / published - 1) < 0.005, (r.name, found.relative)


# --- properties

CHOICES = (*CHOOSING_SELECTIONS, *LIMITED_SELECTIONS, *VOTING_SELECTIONS)
LAWFUL = (*CHOICES, *SCALED, "ue4m3-4o6-e6-h", "ue5m3-4o6t-hp2")
LAWFUL += ("ue4m3-top3-h", "ue4m3-pop-pz-h256", "ue5m3-top2-hbf16", "ue5m3-pop-hp2")
BLOCKS = st.lists(st.integers(-4000, 4000), min_size=8, max_size=8)


@settings(max_examples=60, deadline=None)
@given(BLOCKS, st.sampled_from(LAWFUL), st.integers(-8, 8), st.randoms())
def test_signs_order_and_padding(lanes: list[int], name: str, k: int, random: Any) -> None:
    """spec §15.2, §15.4, §17.3, §18.4, §18.5, §5.2, §9.2: what changes nothing else."""
    r = recipe(f"{name}-b8")
    g = None if r.tensor_scale is None else 2.0**-6
    x = np.ldexp(np.array(lanes, np.float32), k - 12)
    q = quantize(x, r, tensor_scale=g)
    minus = quantize(-x, r, tensor_scale=g)
    assert minus.scales == q.scales and (minus.codes ^ q.codes == 8).all()
    order = list(range(8))
    random.shuffle(order)
    turned = quantize(x[order], r, tensor_scale=g)
    assert turned.scales == q.scales and (turned.codes == q.codes[order]).all()
    short = quantize(x[:5], r, tensor_scale=g)
    padded = quantize(np.append(x[:5], np.zeros(3, np.float32)), r, tensor_scale=g)
    assert short.scales == padded.scales and (short.codes == padded.codes[:5]).all()


@settings(max_examples=60, deadline=None)
@given(BLOCKS, st.sampled_from(CHOICES), st.integers(-5, 5))
def test_a_power_of_two_moves_only_the_scale_code(lanes: list[int], name: str, k: int) -> None:
    """spec §15.4, §17.1, §17.6, §18.2: for normal scales below saturation and no tensor scale."""
    r = recipe(f"{name}-b8")
    x = np.array(lanes, np.float32) / 1024
    a, b = quantize(x, r), quantize(np.ldexp(x, k), r)
    step = k << r.scale.fraction_bits
    low, high = 8 << r.scale.fraction_bits, r.scale.max_code - (8 << r.scale.fraction_bits)
    if r.scale.name == "ue4m3":
        low, high = 2 << r.scale.fraction_bits, r.scale.max_code - (2 << r.scale.fraction_bits)
    if np.any(x) and all(low <= c <= high for c in (int(a.scales[0]), int(a.scales[0]) + step)):
        assert int(b.scales[0]) == int(a.scales[0]) + step
        assert (a.codes == b.codes).all()


@pytest.mark.parametrize(
    "rule",
    [*("absmax", "4o6", "3c", "6c", "search", "4o6-e6", "3c-e5", "6c-e7", "4o6t"), *VOTING_RULES],
)
def test_prevent_zero_changes_only_blocks_whose_scale_was_zero(rule: str) -> None:
    """spec §8.3"""
    rng = np.random.Generator(np.random.PCG64(8))
    x = rng.standard_normal((4000, 4)) * 2.0 ** rng.integers(-13, -4, (4000, 1))
    x[::50] = 0
    x = x.astype(np.float32)
    plain, prevented = (quantize(x, f"ue4m3-{rule}{pz}-b4") for pz in ("", "-pz"))
    zero = plain.scales[:, 0] == 0
    assert zero.any() and not zero.all()
    assert (prevented.scales[~zero] == plain.scales[~zero]).all()
    assert (prevented.codes[~zero] == plain.codes[~zero]).all()
    assert (prevented.scales[zero] == 1).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 15), min_size=8, max_size=8),
    st.sampled_from(CHOOSING_SELECTIONS),
    st.integers(0x28, 0x60),
)
def test_what_was_decoded_is_quantized_again_to_itself(
    codes: list[int], name: str, scale: int
) -> None:
    """Where the largest element is +-6 and the scale normal, no code has a smaller error."""
    r = recipe(f"{name}-b8")
    bits = reference.dequantize_block(scale, [7, *codes[1:]], r)
    x = np.array(bits, np.uint32).view(np.float32)
    q = quantize(x, r)
    assert q.scales.tolist() == [scale] and (dequantize(q) == x).all()
