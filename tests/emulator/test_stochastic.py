"""Stochastic rounding: kernels against the reference, counted random numbers, places, seeds."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator import golden, integrity, pieces, reference
from emulator.errors import FileFormatError, NotAvailableError
from emulator.formats import BF16, E2M1, FP32
from emulator.recipes import STOCHASTIC_SELECTIONS, recipe
from emulator.reference_random import draws, speck, stochastic_value
from emulator.tensor import Quantized, dequantize, quantize
from rtl.random_select_variant import RandomSelectVariant
from rtl.variants import variant
from tests.emulator.selecting import compare, compare_hard, pairs, tensor_scales

SIZES = (2, 4, 8, 16, 32)
OTHERS = (
    ("ue4m3-absmax-sr1-b256", 8),
    ("ue5m3-3c-sr32-h-b64", 15),
    ("ue4m3-top3-sr13-pz-hbf16-b8", 40),
    ("ue5m3-search-sr7-hp2-b4", 15),
    ("e8m0-fc-sr31-b16", 40),
    ("ue4m3-pop-sr32-h256-b2", 60),
    ("ue5m3-absmax-sr32-h-b128", 15),
)
VALUES = [Fraction(v) for v in (0, 0.5, 1, 1.5, 2, 3, 4, 6)]

# --- the kernels are the reference


@pytest.mark.parametrize(
    ("r", "fmt"), pairs(STOCHASTIC_SELECTIONS, SIZES)[::2], ids=lambda value: value.name
)
def test_blocks_of_every_kind(r: Any, fmt: Any) -> None:
    """spec §19.1 to §19.7, §6.2: same codes and scales."""
    assert compare_hard(r, fmt, 40, seed=r.block_size, count_ties=False).blocks >= 40


@pytest.mark.parametrize(("name", "count"), OTHERS)
def test_other_widths_rules_and_sizes(name: str, count: int) -> None:
    """spec §19.2, §19.3: random numbers that cross words, and the widest products."""
    r = recipe(name)
    assert compare_hard(r, FP32, count, seed=1, count_ties=False).blocks == count


@pytest.mark.parametrize("name", ["ue5m3-absmax-sr2-b16", "ue4m3-absmax-sr3-h-b16"])
def test_lanes_at_the_limits(name: str) -> None:
    """spec §19.2: |x| at each limit of all R, and beside it."""
    r = recipe(name)
    assert r.sr_bits is not None
    parts = 1 << r.sr_bits
    for g in tensor_scales(r)[:3]:
        s = r.scale.value(0x3B) * Fraction(g)
        points = [
            float((low + (high - low) * Fraction(n, parts)) * s)
            for low, high in pairwise(VALUES)
            for n in range(parts)
        ]
        x = np.repeat(np.array(points, np.float32)[:, None], 16, axis=1)
        x = np.concatenate([(x.view(np.int32) + step).view(np.float32) for step in (-1, 0, 1)])
        x = np.abs(x)
        x[:, 0] = np.float32(float(6 * s))
        assert compare(r, FP32, x, g).blocks == 3 * 7 * parts


# --- random numbers


def test_published_vector() -> None:
    """spec §19.5: the vector that the authors of Speck publish for Speck64/128."""
    key = 0x1B1A1918_13121110_0B0A0908_03020100
    assert speck(key, 0x3B726574_7475432D) == 0x8C6FA548_454E028B


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5])
def test_every_random_number_counts_once(bits: int) -> None:
    """Lemma of spec §19.2: of all R exactly floor(p * 2**k) round up; the mean is that close."""
    parts = 1 << bits
    for low, high in pairwise(VALUES):
        for n in range(3 * parts):
            p, scale = Fraction(n, 3 * parts), Fraction(7, 8)
            x = (low + (high - low) * p) * scale
            made = [stochastic_value(x, scale, r, bits, E2M1) for r in range(parts)]
            assert set(made) <= {low, high}
            ups = made.count(high)
            assert ups == p * parts // 1
            short = x - sum(made) * scale / parts
            assert 0 <= short < (high - low) * scale / parts
    assert stochastic_value(Fraction(9), Fraction(1), parts - 1, bits, E2M1) == 6
    assert stochastic_value(Fraction(9), Fraction(0), parts - 1, bits, E2M1) == 0


@pytest.mark.parametrize("bits", [1, 3, 6])
def test_the_kernel_counts_so_too(bits: int) -> None:
    """Lemma of spec §19.2, with all values of R among the lanes of each number."""
    r = recipe(f"ue5m3-absmax-sr{bits}-b16")
    parts, seed, blocks = 1 << bits, 99, 40 * (1 << bits) // 16 + 20
    numbers = [draws(seed, j, 16, bits)[1:] for j in range(blocks)]
    drawn = np.array(numbers).ravel()
    assert set(drawn.tolist()) == set(range(parts))
    for low, high, twice in ((0, 0.5, 1), (1.5, 2, 4), (2, 3, 5), (4, 6, 7)):
        for n in range(0, 3 * parts, 1 + parts // 8):
            p = Fraction(n, 3 * parts)
            x = np.full((blocks, 16), np.float32(low + (high - low) * float(p)), np.float32)
            x[:, 0] = 6
            p = (Fraction(float(x[0, 1])) - Fraction(low)) / (Fraction(high) - Fraction(low))
            up = quantize(x, r, seed=seed).codes[:, 1:].ravel() == twice
            assert (up == (drawn >= parts - p * parts // 1)).all()


def test_seeds_and_blocks_draw_different_numbers() -> None:
    """spec §19.4"""
    x = np.tile(np.array([6, 2.5, 3.5, 5, 0.25, 0.75, 1.25, 1.75], np.float32), (64, 1))
    r = recipe("ue5m3-absmax-sr8-b8")
    one, two = quantize(x, r, seed=1), quantize(x, r, seed=2)
    assert (one.codes != two.codes).mean() > 0.3
    assert len({row.tobytes() for row in one.codes}) > 32
    assert (quantize(x, r, seed=1).codes == one.codes).all()
    seed: Any = np.int64(1)
    assert (quantize(x, r, seed=seed).codes == one.codes).all()


# --- places

LAYOUTS = {
    "c": lambda x: x,
    "fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "transposed": lambda x: x.T.copy().T,
}


def by_reference(x: Any, r: Any, axis: int, seed: int) -> tuple[Any, Any]:
    """Codes and scales block by block, each with its number by spec §19.6."""
    moved = np.moveaxis(x.astype(np.float32), axis, -1)
    shape = [*x.shape]
    shape[axis] = -(-shape[axis] // r.block_size)
    numbers = np.moveaxis(np.arange(np.prod(shape)).reshape(shape), axis, -1)
    codes, scales = np.zeros(moved.shape, np.uint8), np.zeros(numbers.shape, np.uint8)
    for index in np.ndindex(numbers.shape):
        lanes = slice(index[-1] * r.block_size, (index[-1] + 1) * r.block_size)
        bits = np.ascontiguousarray(moved[index[:-1]][lanes]).view(np.uint32).tolist()
        number = int(numbers[index])
        found = reference.quantize_block(bits, FP32, r, reference.ONE, seed, number)
        scales[index], codes[(*index[:-1], lanes)] = found
    return np.moveaxis(codes, -1, axis), np.moveaxis(scales, -1, axis)


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.float16])
@pytest.mark.parametrize("shape", [(7,), (5, 6), (2, 3, 9)])
def test_every_axis_layout_and_cut(
    shape: tuple[int, ...], dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """spec §19.6: a block's number is its place in C order, however the work is cut."""
    rng = np.random.Generator(np.random.PCG64(3))
    x = rng.standard_normal(shape).astype(dtype)
    r = recipe("ue5m3-absmax-sr5-b4")
    for axis in range(len(shape)):
        codes, scales = by_reference(x, r, axis, 11)
        for layout in LAYOUTS.values():
            for limit, threads in ((1 << 15, 1), (4, 3), (12, 2)):
                monkeypatch.setattr(pieces, "SMALL", limit)
                q = quantize(layout(x), r, axis=axis, seed=11, threads=threads)
                assert np.array_equal(q.codes, codes) and np.array_equal(q.scales, scales)


def test_strided_out() -> None:
    r = recipe("ue5m3-absmax-sr8-b4")
    x = np.random.Generator(np.random.PCG64(1)).standard_normal((6, 16)).astype(np.float32)
    codes, scales = np.zeros((6, 32), np.uint8), np.zeros((12, 4), np.uint8)
    out = Quantized(codes[:, ::2], scales[::2], r)
    q = quantize(x, r, seed=5)
    assert quantize(x, r, seed=5, out=out) is out
    assert (out.codes == q.codes).all() and (out.scales == q.scales).all()
    assert not codes[:, 1::2].any()


# --- properties


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(width=32), min_size=16, max_size=16),
    st.sampled_from(STOCHASTIC_SELECTIONS[:4]),
    st.integers(0, 2**128 - 1),
)
def test_scales_signs_and_neighbours(lanes: list[float], name: str, seed: int) -> None:
    """spec §19.1, §19.2, §9.2, §6: the scale is unchanged, no element moves beyond a neighbour."""
    x = np.array(lanes, np.float32)
    r = recipe(f"{name}-b8")
    nearest = quantize(x, name.replace("-sr4", "").replace("-sr8", "") + "-b8")
    q = quantize(x, r, seed=seed)
    assert (q.scales == nearest.scales).all()
    assert (q.codes >> 3 == nearest.codes >> 3).all()
    assert (abs((q.codes & 7).astype(int) - (nearest.codes & 7)) <= 1).all()
    minus = quantize((x.view(np.uint32) ^ np.uint32(1 << 31)).view(np.float32), r, seed=seed)
    nan = np.repeat(q.scales == r.scale.nan_code, 8)
    assert (minus.codes == np.where(nan, 0, q.codes ^ 8)).all()
    assert not q.codes[nan].any()
    short = quantize(x[:13], r, seed=seed)
    padded = quantize(np.append(x[:13], np.zeros(3, np.float32)), r, seed=seed)
    assert (short.codes == padded.codes[:13]).all() and (short.scales == padded.scales).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 15), min_size=8, max_size=8),
    st.integers(0x28, 0x60),
    st.integers(0, 2**64),
)
def test_values_of_the_grid_stay(codes: list[int], scale: int, seed: int) -> None:
    """Lemma of spec §19.2: where the largest element is +-6 and the scale normal."""
    r = recipe("ue5m3-absmax-sr8-b8")
    bits = reference.dequantize_block(scale, [7, *codes[1:]], r)
    x = np.array(bits, np.uint32).view(np.float32)
    q = quantize(x, r, seed=seed)
    assert q.scales.tolist() == [scale] and (dequantize(q) == x).all()


# --- seeds, vectors, gates


def test_seeds_that_are_refused() -> None:
    """spec §19.7"""
    x = np.ones(4, np.float32)
    name = "ue5m3-absmax-sr4-b4"
    with pytest.raises(ValueError, match=rf"{name} rounds at random and needs a seed \(spec §19.7"):
        quantize(x, name)
    for seed in (-1, 1 << 128):
        with pytest.raises(ValueError, match=rf"seed={seed} is not from 0 to 2\^128 - 1"):
            quantize(x, name, seed=seed)
    for seed in (1.0, "1", True, np.float32(1)):
        with pytest.raises(TypeError, match=r"seed is .*, not an integer \(spec §19.7\)"):
            quantize(x, name, seed=seed)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"seed=0: ue5m3-absmax-b4 rounds nothing at random"):
        quantize(x, "ue5m3-absmax-b4", seed=0)
    for r, seed in ((name, None), ("ue5m3-absmax-b4", 3), (name, 1 << 128)):
        with pytest.raises(ValueError, match=r"spec §19.7"):
            reference.quantize_block([0], FP32, recipe(r), seed=seed)


def test_a_vectors_folder_holds_its_seed(tmp_path: Any) -> None:
    """spec §19.6, §11.4: words are numbered from 0; another seed does not pass."""
    r, folder = recipe("ue4m3-absmax-sr4-b4"), tmp_path / "v"
    names = ["extremes-ue4m3", "random"]
    manifest = golden.write(folder, [r], [BF16], names=lambda *_: names, blocks=300, seed=5)
    assert [e["seed"] for e in manifest["expected"]] == [5, 5]
    assert integrity.check(folder).expected_words > 500
    words = dict((name, (x, y)) for name, x, y in golden.load(folder, r, BF16))
    x, spec = words["random"]
    assert (golden.expected(r, BF16, x, seed=5) == spec).all()
    assert (golden.expected_by_reference(r, BF16, x[:9], seed=5) == spec[:9]).all()
    assert (golden.expected(r, BF16, x, seed=6) != spec).any()
    path = folder / golden.MANIFEST
    text = path.read_text()
    assert text.count('256, "seed": 5') == 2
    path.write_text(text.replace('256, "seed": 5', '256, "seed": 6'))
    with pytest.raises(FileFormatError, match="seed is 6, should be 5"):
        integrity.check(folder)


@pytest.mark.parametrize("selection", ["ue4m3-search-sr8", "ue5m3-search-sr4-pz"])
def test_recipes_without_gates(selection: str) -> None:
    """Where a choice among scales has no gates, it has none that round at random (spec §19.1)."""
    with pytest.raises(NotAvailableError, match="hardware for rule 'search' is not available yet"):
        variant(f"quantizer-{selection}-b16-bf16")


@pytest.mark.parametrize(
    ("selection", "kind"),
    [
        ("ue4m3-4o6-sr8", "SelectVariant"),
        ("ue5m3-top2-sr8", "VoteVariant"),
        ("ue4m3-4o6-e6-sr8", "LimitedVariant"),
    ],
)
def test_gates_of_a_choice_are_those_without_random_numbers(selection: str, kind: str) -> None:
    """spec §19.1, §26.5"""
    v = variant(f"quantizer-{selection}-b16-bf16")
    assert isinstance(v, RandomSelectVariant) and type(v.choice).__name__ == kind
    assert v.choice.recipe.name == f"{selection.replace('-sr8', '')}-b16"
