"""Dot and matrix products: kernels against the reference, shapes, threads, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import finescale
from emulator import dot as dot_module
from emulator import reference_dot
from emulator.accumulation import accumulation, exact_bits
from emulator.blocks import BlockFormat
from emulator.dot import dot, matmul
from emulator.errors import MismatchError, NotAvailableError, UnknownNameError
from emulator.formats import E2M1, FORMATS, UE4M3, UE5M3, Format
from emulator.recipes import Recipe, recipe
from emulator.tensor import Quantized, dequantize, quantize
from tests.emulator.dot_examples import parse
from tests.emulator.dot_operands import (
    STYLES,
    blocks,
    by_reference,
    cancelling,
    compare,
    is_tie,
    operand,
    random_dots,
)
from tests.spec_examples import Example, examples

SCALES = ("ue4m3-absmax", "ue5m3-absmax", "e8m0-floor")
ACCUMULATIONS = ("fp32", "exact", "tc35")
TCS = ("tc35", "tc35-zeros", "tc25-k32", "tc24-k16-zeros", "tc1-k32", "tc13-k48", "tc40-k256")


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def bits(x: Any) -> Any:
    return np.asarray(x, np.float32).view(np.uint32)


def pair(name: str, rows: int, length: int, seed: int, style: str = "any") -> tuple[Any, Any]:
    rng, r = generator(seed), recipe(name)
    return operand(r, rows, length, style, rng), operand(r, rows, length, style, rng)


def row(q: Quantized, i: int) -> Quantized:
    return Quantized(q.codes[i], q.scales[i], q.recipe, 0, q.tensor_scale)


# --- the kernels against the reference


@pytest.mark.parametrize("example", [e for e in examples() if e.verb == "dot"], ids=str)
def test_worked_examples(example: Example) -> None:
    """spec §16.1 to §16.5, §16.7, §16.8, §16.9, §16.10, §16.11, §16.12, §16.13"""
    x = parse(example)
    scales = [np.uint32(g).view(np.float32) for g in x.tensor_scales] or [None, None]
    a, b = (
        Quantized(
            np.array([codes for _, codes in blocks], np.uint8).reshape(1, -1),
            np.array([[scale for scale, _ in blocks]], np.uint8),
            r,
            1,
            g,
        )
        for r, blocks, g in zip(x.recipes, x.operands, scales, strict=True)
    )
    assert bits(dot(a, b, x.accumulation)).tolist() == [x.want]
    assert bits(matmul(a, b, x.accumulation, transpose_b=True)).tolist() == [[x.want]]
    assert bits(dot(row(a, 0), row(b, 0), x.accumulation.name)) == x.want


@pytest.mark.parametrize("scale", SCALES)
def test_all_pairs_of_scales(scale: str) -> None:
    """spec §16.2, §16.8, §16.12: all 65,536 pairs of stored scale codes."""
    r = recipe(f"{scale}-b16")
    rng = generator(6)
    codes = rng.integers(0, 16, (2, 256, 2)).astype(np.uint8)
    scales = np.arange(256, dtype=np.uint8)[:, None]
    a, b = (Quantized(c, scales, r, 1) for c in codes)
    sums = [[0] * 256 for _ in range(256)]
    value = [r.element.value(c) for c in range(16)]
    for i, x in enumerate(codes[0].tolist()):
        for j, y in enumerate(codes[1].tolist()):
            sums[i][j] = int(4 * sum(value[c] * value[d] for c, d in zip(x, y, strict=True)))
    fp32, exact = (bits(matmul(a, b, x, transpose_b=True)).tolist() for x in ("fp32", "exact"))
    for i in range(256):
        for j in range(256):
            if r.scale.is_nan(i) or r.scale.is_nan(j):
                spec = reference_dot.NAN
            else:
                (_, c, q), (_, d, p) = r.scale.parts(i), r.scale.parts(j)
                up = c * d * sums[i][j] * 2 ** max(q + p - 2, 0)
                spec = reference_dot.nearest(Fraction(up, 2 ** max(2 - q - p, 0)))
            assert fp32[i][j] == exact[i][j] == spec, (i, j)
    got = bits(matmul(a, b, "tc20", transpose_b=True)).tolist()
    for i in range(256):
        for j in range(i % 16, 256, 16):
            assert got[i][j] == by_reference(a, i, b, j, "tc20"), (i, j)


@pytest.mark.parametrize("size", [2, 4, 16, 256])
def test_all_pairs_of_elements(size: int) -> None:
    """spec §16.2: each pair alone in a block, then in full blocks of the largest sums."""
    r = recipe(f"ue5m3-absmax-b{size}")
    grid = np.array(np.meshgrid(range(16), range(16)), np.uint8).reshape(2, 256, 1)
    value = [E2M1.value(c) for c in range(16)]
    one = np.full((256, 1), 0x78, np.uint8)
    for codes, times in ((grid, 1), (np.repeat(grid, size, axis=2), size)):
        a, b = (Quantized(c, one, r, 1) for c in codes)
        for name in ACCUMULATIONS if size >= 16 else ACCUMULATIONS[:2]:
            got = dot(a, b, name).tolist()
            for (x,), (y,), z in zip(*grid.tolist(), got, strict=True):
                assert z == value[x] * value[y] * times and str(z) != "-0.0"


@pytest.mark.parametrize(
    ("a", "b", "name"),
    [
        ("ue4m3-absmax-b16", "ue4m3-absmax-b16", "fp32"),
        ("ue4m3-absmax-b16", "ue4m3-absmax-b16", "exact"),
        ("ue5m3-absmax-b4", "ue5m3-absmax-b4", "fp32"),
        ("ue5m3-absmax-b8", "ue5m3-absmax-b8", "exact"),
        ("ue4m3-absmax-b32", "ue5m3-absmax-b32", "fp32"),
        ("e8m0-floor-b32", "ue5m3-absmax-b32", "exact"),
        ("e8m0-floor-b2", "e8m0-floor-b2", "fp32"),
        ("e8m0-floor-b32", "e8m0-floor-b32", "exact"),
        ("ue5m3-absmax-b256", "ue5m3-absmax-b256", "fp32"),
        ("ue4m3-absmax-b16", "ue4m3-absmax-b16", "tc35"),
        ("ue5m3-absmax-b16", "ue5m3-absmax-b16", "tc35-zeros"),
        ("e8m0-floor-b32", "e8m0-floor-b32", "tc25-k32"),
        ("ue4m3-absmax-b32", "ue4m3-absmax-b32", "tc24-k16-zeros"),
        ("ue5m3-absmax-b16", "ue4m3-absmax-b16", "tc1-k32"),
        ("e8m0-floor-b16", "e8m0-floor-b16", "tc13-k48"),
        ("e8m0-floor-b16", "e8m0-floor-b16", "tc40-k256"),
    ],
)
def test_random_dots(a: str, b: str, name: str) -> None:
    """spec §16.2 to §16.12: cancellation, ties, subnormal scales, overflow, NaN, -0."""
    rows = 12 if recipe(a).block_size <= 32 else 3
    assert random_dots(a, b, name, rows, 7) >= rows * len(STYLES)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["fp32", "exact", *TCS])
@pytest.mark.parametrize("scale", SCALES)
def test_many_random_dots(scale: str, name: str) -> None:
    for seed, size in enumerate((16, 32, 64) if name in TCS else (2, 4, 8, 16, 32)):
        full = f"{scale}-b{size}"
        assert random_dots(full, full, name, 50, seed) >= 50 * len(STYLES)


@pytest.mark.parametrize("name", ["fp32", "exact", "tc35", "tc24-k16", "tc40-k256-zeros"])
@pytest.mark.parametrize("scale", ["ue5m3-absmax", "e8m0-floor"])
def test_ties_and_what_lies_far_below(scale: str, name: str) -> None:
    """spec §16.4, §16.5, §16.10: 1 +- 2**-24 (a tie) +- 2**-k, for every k, in every order."""
    r = recipe(f"{scale}-b16")
    one, step = r.scale.bias << r.scale.fraction_bits, 1 << r.scale.fraction_bits
    rows = []
    for k in range(22, 28 if r.scale.has_zero else 230):
        for signs in range(8):
            for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
                row = [(0, signs & 1), (24, signs >> 1 & 1), (k, signs >> 2)]
                rows.append([row[i] for i in order])
    down, sign = np.moveaxis(np.array(rows), 2, 0)
    if not r.scale.has_zero:
        rng = generator(22)
        pick = rng.permutation(len(rows))[:400]
        down, sign = down[pick], sign[pick]
    codes = np.zeros((len(down), 48), np.uint8)
    codes[:, ::16] = 2
    half = down // 2
    a = Quantized(
        codes | np.uint8(8) * np.repeat(sign, 16, 1).astype(np.uint8) * (codes > 0),
        (one - step * half).astype(np.uint8),
        r,
        1,
    )
    b = Quantized(codes, (one - step * (down - half)).astype(np.uint8), r, 1)
    assert compare(a, b, name) == len(down)


def test_sums_beyond_64_bits() -> None:
    """spec §16.5: no width is the limit."""
    r = recipe("ue4m3-absmax-b256")
    blocks = 1 << 14
    stored = r.block_format
    assert exact_bits(stored, stored, blocks) > 65
    for code in (7, 15):
        a, b = (
            Quantized(np.full(blocks * 256, c, np.uint8), np.full(blocks, 0x7E, np.uint8), r, 0)
            for c in (7, code)
        )
        total = Fraction(blocks * 256 * 36 * 448**2) * (1 if code == 7 else -1)
        assert bits(dot(a, b, "exact")) == reference_dot.nearest(total)


def test_the_random_dots_hold_what_they_promise() -> None:
    """Exact ties, overflow, subnormal and zero results of cancellation are among them."""
    ties = cancelled = subnormal = infinite = nan = 0
    for name in ("ue4m3-absmax-b16", "e8m0-floor-b16"):
        for style in STYLES:
            rng, r = generator(8), recipe(name)
            a, b = (operand(r, 60, 96, style, rng) for _ in range(2))
            for p, q in ((a, b), cancelling(a, b, rng)):
                got = dot(p, q, "exact")
                finite = np.isfinite(got) & (got != 0)
                subnormal += int((np.abs(got[finite]) < 2.0**-126).sum())
                infinite += int(np.isinf(got).sum())
                nan += int(np.isnan(got).sum())
                cancelled += int((got == 0).sum())
                if style == "ties":
                    stored = r.block_format
                    for i in range(len(got)):
                        products = reference_dot._products(
                            blocks(p, i), blocks(q, i), stored, stored
                        )
                        sums = np.cumsum(np.array([Fraction(0), *products], object))
                        ties += sum(is_tie(s) for s in sums)
    assert ties > 20 and cancelled > 20 and subnormal > 20 and infinite > 20 and nan > 20


def test_compare_notices_a_wrong_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """spec §13.1"""
    import tests.emulator.dot_operands as operands

    a, b = pair("ue5m3-absmax-b16", 5, 40, 9)
    assert compare(a, b, "fp32") == 5
    wrong = dot(a, b).copy()
    wrong.view(np.uint32)[3] ^= 1
    monkeypatch.setattr(operands, "dot", lambda *_: wrong)
    with pytest.raises(
        MismatchError, match=r"dot ue5m3-absmax-b16,.* by the reference [0-9a-f]{8}"
    ):
        compare(a, b, "fp32")


# --- the whole against an oracle in NumPy, over tiles and ranges


def sequential(a: Quantized, b: Quantized) -> Any:
    """A @ b.T by float32 additions of exact block products (spec §16.2, §16.4)."""
    n = a.recipe.block_size
    ones = (np.ones_like(q.scales) * np.uint8(0x78) for q in (a, b))
    x, y = (
        dequantize(Quantized(q.codes, s, recipe(f"ue5m3-absmax-b{n}"), 1)).astype(np.float64)
        for q, s in zip((a, b), ones, strict=True)
    )
    sa, sb = (finescale.decode(q.scales, q.recipe.scale).astype(np.float64) for q in (a, b))
    total = np.zeros((len(x), len(y)), np.float32)
    for j in range(sa.shape[1]):
        at = slice(j * n, (j + 1) * n)
        total += np.float32((x[:, at] @ y[:, at].T) * sa[:, j, None] * sb[:, j])
    return total


@pytest.mark.parametrize("size", [2, 8, 16, 64])
def test_large_products(size: int) -> None:
    """spec §16.4, §16.13: several tiles, several ranges of units, a partial block, threads."""
    r, rng = recipe(f"ue4m3-absmax-b{size}"), generator(10)
    a = operand(r, 290, 21 * size - 1, "near", rng)
    b = operand(r, 270, 21 * size - 1, "near", rng)
    spec = bits(sequential(a, b))
    for threads in (1, 3):
        got = matmul(a, b, threads=threads, transpose_b=True)
        assert np.array_equal(bits(got), spec)


@pytest.mark.parametrize("name", ["fp32", "exact", *TCS])
@pytest.mark.parametrize("scale", ["ue4m3-absmax-b16", "e8m0-floor-b32"])
def test_matmul_is_dot(scale: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """spec §16.13: every element, also where tiles and ranges are cut elsewhere."""
    a, b = pair(scale, 9, 650, 11, "near")
    spec = np.array([[dot(row(a, i), row(b, j), name) for j in range(9)] for i in range(9)])
    assert np.array_equal(bits(matmul(a, b, name, transpose_b=True)), bits(spec))
    assert np.array_equal(bits(dot(a, b, name)), bits(spec).diagonal())
    for constant, value in (("TILE", 4), ("ROWS", 3), ("PRODUCTS", 100)):
        monkeypatch.setattr(dot_module, constant, value)
    assert np.array_equal(bits(matmul(a, b, name, transpose_b=True)), bits(spec))
    assert np.array_equal(bits(dot(a, b, name)), bits(spec).diagonal())


def test_of_quantized_floats() -> None:
    """From floats to the product: near the float product, and exact where nothing is rounded."""
    rng = generator(12)
    x = rng.standard_normal((33, 200), np.float32)
    y = rng.standard_normal((200, 17), np.float32)
    qx, qy = quantize(x, "ue5m3-absmax-b16"), quantize(y, "ue5m3-absmax-b16", axis=0)
    exact = dequantize(qx).astype(np.float64) @ dequantize(qy).astype(np.float64)
    assert np.array_equal(matmul(qx, qy, "exact"), np.float32(exact))
    assert float(np.abs(matmul(qx, qy) - x @ y).max()) < 6


# --- properties

OPERANDS = st.tuples(
    st.sampled_from(["ue4m3-absmax-b16", "ue5m3-absmax-b32", "e8m0-floor-b16"]),
    st.integers(1, 100),
    st.integers(0, 10_000),
    st.sampled_from(STYLES),
)


@settings(max_examples=60, deadline=None)
@given(OPERANDS, st.sampled_from(["fp32", "exact", *TCS]))
def test_symmetries(case: tuple[str, int, int, str], name: str) -> None:
    """The operands may change places, and a turned sign turns the result's (all accumulations)."""
    a, b = pair(case[0], 3, *case[1:])
    spec = bits(dot(a, b, name))
    assert np.array_equal(bits(dot(b, a, name)), spec)
    turned = bits(dot(Quantized(a.codes ^ 8, a.scales, a.recipe, 1), b, name))
    # A zero is +0 where the sum is zero, and has the sum's sign where it is what e8m0 leaves of it.
    zero = (spec | turned) & np.uint32(0x7FFFFFFF) == 0
    nan = spec == 0x7FC00000
    sign = np.uint32(1 << 31)
    assert np.array_equal(np.where(nan | zero, spec, spec ^ sign), np.where(zero, spec, turned))


@settings(max_examples=60, deadline=None)
@given(OPERANDS, st.randoms(use_true_random=False))
def test_exact_sums_have_no_order(case: tuple[str, int, int, str], random: Any) -> None:
    """spec §16.5: blocks in any order; lanes of a block in any order (that for all of them)."""
    name, count, seed, style = case
    n = recipe(name).block_size
    a, b = pair(name, 2, (count % 9 + 1) * n, seed, style)
    order = list(range(a.scales.shape[1]))
    random.shuffle(order)
    at = (np.array(order)[:, None] * n + np.arange(n)).reshape(-1)
    lanes = list(range(n))
    random.shuffle(lanes)

    def moved(q: Quantized) -> Quantized:
        return Quantized(q.codes[:, at], q.scales[:, order], q.recipe, 1)

    def mixed(q: Quantized) -> Quantized:
        codes = q.codes.reshape(2, -1, n)[:, :, lanes].reshape(2, -1)
        return Quantized(codes, q.scales, q.recipe, 1)

    spec = bits(dot(a, b, "exact"))
    assert np.array_equal(bits(dot(moved(a), moved(b), "exact")), spec)
    assert np.array_equal(bits(dot(mixed(a), mixed(b), "exact")), spec)
    assert np.array_equal(bits(dot(mixed(a), mixed(b), "fp32")), bits(dot(a, b, "fp32")))


@settings(max_examples=40, deadline=None)
@given(OPERANDS)
def test_partial_blocks_are_padded(case: tuple[str, int, int, str]) -> None:
    """spec §16.2: +0 at the end of the last block changes nothing (fp32, exact)."""
    a, b = pair(case[0], 2, *case[1:])
    n, length = a.recipe.block_size, case[1]

    def padded(q: Quantized) -> Quantized:
        codes = np.zeros((2, -(-length // n) * n), np.uint8)
        codes[:, :length] = q.codes
        return Quantized(codes, q.scales, q.recipe, 1)

    for name in ("fp32", "exact"):
        assert np.array_equal(bits(dot(padded(a), padded(b), name)), bits(dot(a, b, name)))


def test_groups_of_padding_are_none() -> None:
    """spec §16.7: a group of zeros cuts C a second time (to 3 bits), one of padding none."""
    r = recipe("ue5m3-absmax-b32")
    codes = np.zeros((2, 32), np.uint8)
    codes[:, 0] = 3
    for length, spec in ((16, 147456.0), (20, 131072.0), (32, 131072.0)):
        scales = np.array([[0x78], [0xF8]], np.uint8)
        a, b = (Quantized(codes[i : i + 1, :length], scales[i : i + 1], r, 1) for i in range(2))
        for name in ("tc2-k16", "tc2-k16-zeros"):
            assert compare(a, b, name) == 1
            assert dot(a, b, name).tolist() == [spec]


# --- tensor scales and NaN


@pytest.mark.parametrize("g", [None, 0.3, 2.0**-126, 3e38])
@pytest.mark.parametrize("h", [None, 1.7, 2.0**-126, 3e38])
def test_tensor_scales(g: float | None, h: float | None) -> None:
    """spec §16.11: one product of the two at the end, underflow and overflow included."""
    rng = generator(13)
    a, b = (
        operand(recipe(f"ue4m3-absmax{'-h' if s else ''}-b16"), 40, 50, "any", rng, s)
        for s in (g and np.float32(g), h and np.float32(h))
    )
    assert compare(a, b, "fp32") == compare(a, b, "exact") == 40
    full = matmul(a, b, transpose_b=True)
    assert np.array_equal(bits(full).diagonal(), bits(dot(a, b)))


def test_infinity_times_zero() -> None:
    """spec §16.11: g_a * g_b overflows, and the sum is zero: the one NaN."""
    r = recipe("nvfp4")
    zero = Quantized(np.zeros(4, np.uint8), np.zeros(1, np.uint8), r, 0, np.float32(3e38))
    assert bits(dot(zero, zero)) == 0x7FC00000


def test_nan_spoils_rows_and_columns() -> None:
    """spec §16.12"""
    for name in ("ue4m3-absmax-b16", "e8m0-floor-b16"):
        a, b = pair(name, 20, 60, 14)
        a.scales[3, 1] = b.scales[5, 2] = 0xFF  # ue4m3: bit 7 is ignored
        nan = np.zeros((20, 20), bool)
        nan[3], nan[:, 5] = True, True
        for accumulator in ACCUMULATIONS:
            got = matmul(a, b, accumulator, transpose_b=True)
            assert np.array_equal(bits(got) == 0x7FC00000, nan)
            assert np.array_equal(np.isnan(got), nan)


# --- shapes, layouts and outputs


@pytest.mark.parametrize("shape", [(40,), (3, 40), (2, 3, 20), (1, 1), (4, 0, 5)[:1]])
def test_dot_over_every_axis(shape: tuple[int, ...]) -> None:
    rng, r = generator(15), recipe("ue5m3-absmax-b4")
    for axis in range(len(shape)):
        x, y = (quantize(rng.standard_normal(shape, np.float32), r, axis=axis) for _ in "ab")
        got = dot(x, y)
        assert got.dtype == np.float32
        assert got.shape == shape[:axis] + shape[axis + 1 :]
        assert isinstance(got, np.ndarray) or len(shape) == 1
        flat = [
            Quantized(
                np.moveaxis(q.codes, axis, -1).reshape(-1, shape[axis]),
                np.moveaxis(q.scales, axis, -1).reshape(-1, q.scales.shape[axis]),
                r,
                1,
            )
            for q in (x, y)
        ]
        spec = [by_reference(flat[0], i, flat[1], i, "fp32") for i in range(flat[0].shape[0])]
        assert bits(got).reshape(-1).tolist() == spec


def test_long_vectors() -> None:
    """More elements than one piece holds."""
    a, b = pair("ue4m3-absmax-b16", 1, 200_003, 16, "near")
    assert np.array_equal(bits(dot(a, b)), bits(sequential(a, b))[0])


@pytest.mark.parametrize("name", ["fp32", "exact", "tc35"])
def test_axes_layouts_and_outputs(name: str) -> None:
    """spec §16.13: qb as (K, N) or (N, K), any memory layout, out given."""
    a, b = pair("ue5m3-absmax-b16", 37, 70, 17)
    spec = matmul(a, b, name, transpose_b=True)
    b_down = Quantized(
        np.ascontiguousarray(b.codes.T), np.ascontiguousarray(b.scales.T), b.recipe, 0
    )
    b_view = Quantized(b.codes.T, b.scales.T, b.recipe, 0)
    a_view = Quantized(np.asfortranarray(a.codes), np.asfortranarray(a.scales), a.recipe, 1)
    for x, y in ((a, b_down), (a, b_view), (a_view, b_down)):
        out = np.full((37, 37), np.nan, np.float32)
        assert matmul(x, y, name, out=out) is out
        assert np.array_equal(bits(out), bits(spec))
    strided = np.zeros((74, 37), np.float32)[::2].T
    assert np.array_equal(matmul(a, b_view, accumulation(name), out=strided), spec, equal_nan=True)


def test_threads_give_the_same_bits() -> None:
    a, b = pair("ue5m3-absmax-b16", 130, 100, 18)
    for name in ("exact", "tc35"):
        one, four = (matmul(a, b, name, transpose_b=True, threads=t) for t in (1, 4))
        assert np.array_equal(bits(one), bits(four))


def test_other_element_formats() -> None:
    """spec §16.2: every format whose sums fit 24 bits; a zero scale below float32's range."""
    rng = generator(19)
    low = Format("low", 4, 3, bias=150, max_code=0x7E, nan_code=0x7F)
    for element, scale, size in (
        (FORMATS["e1m2"], UE5M3, 32),
        (FORMATS["e3m0"], UE4M3, 16),
        (FORMATS["e2m3"], UE5M3, 16),
        (E2M1, low, 16),
    ):
        r = Recipe(BlockFormat(element, scale, size), "absmax")
        top = element.width
        for style in ("any", "small", "nan"):
            codes = rng.integers(0, 1 << top, (2, 10, 3 * size)).astype(np.uint8)
            a, b = (operand(r, 10, 3 * size, style, rng) for _ in range(2))
            a.codes[:], b.codes[:] = codes
            assert [compare(a, b, name) for name in ACCUMULATIONS] == [10] * 3


# --- refusals


def test_mismatched_operands() -> None:
    """spec §16.1, §16.13: one line that names both."""
    a, b = pair("ue5m3-absmax-b16", 32, 32, 20)
    other = operand(recipe("ue5m3-absmax-b32"), 32, 32, "any", generator(1))
    with pytest.raises(
        ValueError, match=r"block size 16 of qa is not block size 32 of qb .spec §16"
    ):
        dot(a, other)
    with pytest.raises(ValueError, match="block size 32 of qa is not block size 16 of qb"):
        matmul(other, b)
    element = operand(recipe("e2m3.ue5m3-absmax-b16"), 32, 32, "any", generator(1))
    with pytest.raises(ValueError, match="element format e2m1 of qa is not element format e2m3 of"):
        dot(a, element)
    longer = operand(recipe("ue5m3-absmax-b16"), 32, 48, "any", generator(1))
    with pytest.raises(ValueError, match=r"shape \(32, 32\) of qa is not shape \(32, 48\) of qb"):
        dot(a, longer)
    with pytest.raises(
        ValueError, match=r"length 32 of qa.*is not length 48 of qb, shape \(32, 48"
    ):
        matmul(a, longer, transpose_b=True)
    down = Quantized(b.codes, np.zeros((2, 32), np.uint8), b.recipe, 0)
    with pytest.raises(ValueError, match="axis 1 of qa is not axis 0 of qb"):
        dot(a, down)
    with pytest.raises(ValueError, match=r"qb of shape \(32, 32\) with blocks along axis 1 is not"):
        matmul(a, b)
    with pytest.raises(
        ValueError, match=r"qb of .* along axis 0 is not .* axis 1 with transpose_b"
    ):
        matmul(a, down, transpose_b=True)
    with pytest.raises(
        ValueError, match=r"qa of .* along axis 0 is not a matrix with blocks along"
    ):
        matmul(down, down)
    with pytest.raises(
        ValueError, match=r"qa of shape \(32,\) with blocks along axis 0 is not a ma"
    ):
        matmul(row(a, 0), down)


def test_wrong_arguments() -> None:
    a, b = pair("ue5m3-absmax-b4", 8, 8, 21)
    with pytest.raises(TypeError, match="qa is an array of uint8, not a Quantized"):
        dot(a.codes, b)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="qb is a NoneType, not a Quantized"):
        matmul(a, None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UnknownNameError, match="unknown accumulation 'fp23'; did you mean fp32"):
        dot(a, b, "fp23")
    with pytest.raises(TypeError, match="accumulator is a int, not an Accumulation or its name"):
        dot(a, b, 32)  # pyright: ignore[reportArgumentType]
    with pytest.raises(
        ValueError, match=r"blocks of 4 elements are smaller .* 16 of tc35 .spec §16"
    ):
        dot(a, b, "tc35")
    with pytest.raises(ValueError, match=r"out has shape \(8, 9\), not \(8, 8\)"):
        matmul(a, b, transpose_b=True, out=np.zeros((8, 9), np.float32))
    with pytest.raises(TypeError, match="out is an array of float64, not an array of float32"):
        matmul(a, b, transpose_b=True, out=np.zeros((8, 8)))  # pyright: ignore
    with pytest.raises(ValueError, match="threads is 0"):
        matmul(a, b, transpose_b=True, threads=0)


def test_formats_that_do_not_fit() -> None:
    """spec §16.2"""
    wide = operand(recipe("e3m2.ue5m3-absmax-b16"), 2, 32, "any", generator(1))
    with pytest.raises(
        NotAvailableError, match=r"e3m2 elements .* 30 bits, more than 24 .spec §16"
    ):
        dot(wide, wide)
    nan = operand(recipe("e4m3.ue5m3-absmax-b16"), 2, 32, "any", generator(1))
    with pytest.raises(NotAvailableError, match="dot products of e4m3, which has NaN"):
        dot(nan, nan)


def test_the_front_door() -> None:
    assert finescale.dot is dot and finescale.matmul is matmul
