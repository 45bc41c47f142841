"""Tensor scales: from the amax, from the caller, in encoding and decoding."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from emulator import reference
from emulator.blocks import TENSOR_SCALES
from emulator.exhaustive import DTYPES
from emulator.formats import BF16, FP16, FP32, Format
from emulator.recipes import recipe
from emulator.scaled_tables import (
    first_patterns,
    number,
    rounded_codes,
    scaled_product_table,
    selection_tables,
)
from emulator.tables import element_rows, first_pattern, product_table, round_to_code
from emulator.tensor import Quantized, dequantize, quantize
from emulator.tensor_scale import given_scale, scale_of, tensor_amax
from tests.emulator.selecting import GIVEN, hard_blocks

INPUTS = (FP32, BF16, FP16)
SCALES = ("ue4m3", "ue5m3")


def kinds(scale: str) -> list[str]:
    return [k for k in TENSOR_SCALES if k != "h256" or scale == "ue4m3"]


def bits_of(x: Any) -> Any:
    return x.view(np.uint32 if x.dtype.itemsize == 4 else np.uint16)


# --- the number itself


@pytest.mark.parametrize("scale", SCALES)
def test_every_kind_is_the_reference(scale: str) -> None:
    """spec §14.1, §14.2, §14.3, §14.4, §14.5: amax at ties of the rounding too."""
    raw = np.random.Generator(np.random.PCG64(1)).integers(0, FP32.max_code + 1, 300)
    limit = recipe(f"{scale}-absmax-b4").scale.max
    near = [reference.round_magnitude(6 * limit * Fraction(2) ** k, FP32) for k in range(-140, 100)]
    near += [reference.round_magnitude(1536 * Fraction(2) ** k, FP32) for k in (-130, -126, 0, 9)]
    patterns = {0, 1, 0x7FFFFF, 0x800000, FP32.max_code, *raw.tolist()}
    patterns |= {p + d for p in near for d in (-1, 0, 1)}
    for kind in kinds(scale):
        r = recipe(f"{scale}-absmax-{kind}-b4")
        for p in patterns:
            g = scale_of(FP32.parts(p)[1:], r)
            assert Fraction(g) == reference.tensor_scale([p], FP32, r), (kind, hex(p))
            assert given_scale(g, r) == g or p == 0


@pytest.mark.parametrize("fmt", INPUTS, ids=lambda f: f.name)
def test_the_amax_is_over_all_finite_elements(fmt: Format) -> None:
    """spec §14.1, §6.3: also those of blocks with NaN and infinity, in any memory layout."""
    assert fmt.inf_code is not None
    words = np.zeros((3, 5, 7), np.uint32 if fmt.width > 16 else np.uint16)
    words[:] = np.arange(105).reshape(words.shape) * 3
    words[1, 2, 3] = fmt.sign_mask | (fmt.max_code - 2)
    words[1, 2, 4], words[2, 0, 0], words[0, 0, 1] = fmt.inf_code, fmt.inf_code + 1, fmt.sign_mask
    words[1, 2, 5] = fmt.magnitude_mask | fmt.sign_mask
    for view in (words, words.T, words[:, ::-1], np.asfortranarray(words), words[:, :, 1::2]):
        for threads in (1, 3):
            c, q = tensor_amax(view, fmt, threads)
            assert Fraction(c) * Fraction(2) ** q == fmt.value(fmt.max_code - 2)
    x = words.view(DTYPES[fmt])
    for axis in range(3):
        q = quantize(x, "ue5m3-4o6-h-b4", axis=axis)
        g = reference.tensor_scale(words.reshape(-1).tolist(), fmt, q.recipe)
        assert q.tensor_scale is not None and Fraction(float(q.tensor_scale)) == g
        assert q.tensor_scale.dtype == np.float32


@pytest.mark.parametrize("kind", TENSOR_SCALES)
def test_extreme_tensors(kind: str) -> None:
    """Tensors of zeros, of subnormals, of the largest numbers, of nothing finite."""
    r = recipe(f"ue4m3-4o6-{kind}-b4")
    for bits in (
        [0, 1 << 31] * 4,
        [1, 2, 3, 0] * 2,
        [0x7F7FFFFF] * 8,
        [0x7F800000, 0x7FC00000] * 4,
    ):
        x = np.array(bits, np.uint32).view(np.float32)
        q = quantize(x, r)
        g = reference.tensor_scale(bits, FP32, r)
        assert q.tensor_scale is not None and Fraction(float(q.tensor_scale)) == g
        for j in range(2):
            block = reference.quantize_block(bits[4 * j : 4 * j + 4], FP32, r, g)
            assert block == (q.scales[j], q.codes[4 * j : 4 * j + 4].tolist())


# --- given from outside


def test_a_given_scale_is_used_and_kept() -> None:
    """spec §14.6"""
    x = np.linspace(-3, 3, 64, dtype=np.float32)
    own = quantize(x, "nvfp4")
    assert own.tensor_scale is not None
    again = quantize(x, "nvfp4", tensor_scale=float(own.tensor_scale))
    assert (again.codes == own.codes).all() and (again.scales == own.scales).all()
    other = quantize(x, "nvfp4", tensor_scale=np.float32(0.25))
    assert other.tensor_scale == 0.25 and (other.scales != own.scales).any()
    assert quantize(x, "nvfp4", out=other) is other
    assert other.tensor_scale == own.tensor_scale and (other.codes == own.codes).all()
    one = quantize(x, "nvfp4", tensor_scale=1)
    plain = quantize(x, "ue4m3-absmax-b16")
    assert (one.codes == plain.codes).all() and (one.scales == plain.scales).all()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ue4m3-absmax-b4", 1.0, r"tensor_scale=1\.0: ue4m3-absmax-b4 has no tensor scale"),
        ("ue4m3-absmax-h-b4", 0.1, r"tensor_scale=0\.1 is not a float32"),
        ("ue4m3-absmax-h-b4", 2.0**-127, r"is not a normal float32 above 0 \(spec §14\.6\)"),
        ("ue4m3-absmax-h-b4", 0, "tensor_scale=0 is not a normal float32 above 0"),
        ("ue4m3-absmax-h-b4", -1.0, "is not a normal float32"),
        ("ue4m3-absmax-h-b4", float("nan"), "tensor_scale=nan is not a normal float32"),
        ("ue4m3-absmax-h-b4", float("inf"), "tensor_scale=inf is not a normal float32"),
        ("ue4m3-absmax-h256-b4", 2**24 + 1, "is not a float32"),
        ("ue4m3-absmax-hbf16-b4", 257 / 256, "is not a bfloat16, as ue4m3-absmax-hbf16-b4 needs"),
        ("ue4m3-absmax-hp2-b4", 3.0, "is not a power of two, as ue4m3-absmax-hp2-b4 needs"),
    ],
)
def test_refused_scales(name: str, value: float, message: str) -> None:
    """spec §14.6"""
    with pytest.raises(ValueError, match=message):
        quantize(np.ones(4, np.float32), name, tensor_scale=value)


@pytest.mark.parametrize("value", ["1", True, [1.0], 1j])
def test_scales_of_another_type(value: Any) -> None:
    with pytest.raises(TypeError, match=r"tensor_scale is .*, not a number"):
        quantize(np.ones(4, np.float32), "ue4m3-absmax-h-b4", tensor_scale=value)


def test_the_bits_of_a_kind() -> None:
    """spec §14.4, §14.5: what a kind gives, it also takes."""
    assert given_scale(float(BF16.max), recipe("ue4m3-absmax-hbf16-b4")) == float(BF16.max)
    assert given_scale(2.0**127, recipe("ue4m3-absmax-hp2-b4")) == 2.0**127
    assert given_scale(np.float32(0.1), recipe("ue4m3-absmax-h-b4")) == float(np.float32(0.1))


# --- encoding and decoding


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("output", INPUTS, ids=lambda f: f.name)
def test_decoding_rounds_the_exact_product_once(scale: str, output: Format) -> None:
    """spec §14.7, §10.1, §10.2, §10.3: every pair of scale code and element code."""
    word = np.uint32 if output.width > 16 else np.uint16
    for kind in kinds(scale):
        r = recipe(f"{scale}-absmax-{kind}-b16")
        codes = np.tile(np.arange(16, dtype=np.uint8), 256)
        scales = np.arange(256, dtype=np.uint8)
        for g in GIVEN[kind][:3]:
            y = dequantize(Quantized(codes, scales, r, 0, np.float32(g)), DTYPES[output])
            want = [
                b
                for s in range(256)
                for b in reference.dequantize_block(s, range(16), r, output, Fraction(g))
            ]
            assert y.view(word).tolist() == want


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("fmt", INPUTS, ids=lambda f: f.name)
def test_absmax_under_every_kind(scale: str, fmt: Format) -> None:
    """spec §14.7, §8.1, §8.3, §9.1: blocks against the reference, under the tensor's own scale."""
    for kind in kinds(scale):
        r = recipe(f"{scale}-absmax-pz-{kind}-b8")
        x = hard_blocks(r, fmt, 100, 11, 1.0)
        with np.errstate(over="ignore"):
            x = np.where(abs(x.astype(np.float64)) < 3e4, x, np.zeros_like(x))
        q = quantize(x, r)
        g = reference.tensor_scale(bits_of(x).reshape(-1).tolist(), fmt, r)
        for i, bits in enumerate(bits_of(x).tolist()):
            block = reference.quantize_block(bits, fmt, r, g)
            assert block == (q.scales[i, 0], q.codes[i].tolist())
        assert len(np.unique(q.scales)) > 20


def test_layouts_and_threads_change_nothing() -> None:
    """spec §5.1, §14.1"""
    rng = np.random.Generator(np.random.PCG64(6))
    x = (rng.standard_normal((20, 33, 12)) * 2.0 ** rng.integers(-9, 9, (20, 1, 1))).astype(
        np.float32
    )
    for name in ("nvfp4", "ue4m3-4o6-hbf16-b8", "ue5m3-3c-b4"):
        for axis in range(3):
            want = quantize(x, name, axis=axis, threads=1)
            moved = quantize(np.moveaxis(x, axis, 0).copy(), name, axis=0, threads=2)
            assert (np.moveaxis(moved.codes, 0, axis) == want.codes).all()
            assert (np.moveaxis(moved.scales, 0, axis) == want.scales).all()
            assert moved.tensor_scale == want.tensor_scale
            y = dequantize(want)
            assert np.abs(y - x).max() < np.abs(x).max()


# --- the tables


def test_arrays_are_made_as_single_numbers_are() -> None:
    rng = np.random.Generator(np.random.PCG64(7))
    c = np.concatenate([rng.integers(1, 1 << 40, 400) >> rng.integers(0, 40, 400), [1, 2, 3]])
    c = np.maximum(c, 1)
    q = np.concatenate([rng.integers(-190, 120, 400), [-149, -150, -151]])
    beyond = rng.random(c.size) < 0.5
    want = [first_pattern(int(a), int(b), bool(d)) for a, b, d in zip(c, q, beyond, strict=True)]
    assert first_patterns(c, q, beyond).tolist() == want
    for fmt in INPUTS:
        for k in (c, np.zeros_like(c)):
            want = [round_to_code(int(a), int(b), fmt) for a, b in zip(k, q, strict=True)]
            assert rounded_codes(k, q, fmt).tolist() == want


@pytest.mark.parametrize("scale", SCALES)
def test_scale_one_gives_the_tables_without_one(scale: str) -> None:
    r = recipe(f"{scale}-4o6-b16")
    rows = selection_tables(r.block_format, "4o6", False, 1.0).rows.reshape(256, 8)
    codes = r.scale.magnitude_mask + 1
    assert (rows[:codes] == element_rows(r.element, r.scale)[:codes]).all()
    for fmt in INPUTS:
        same = scaled_product_table(r.block_format, fmt, 1.0) == product_table(r.block_format, fmt)
        assert same.all()


def test_numbers_in_parts() -> None:
    for x in (1.0, 3.0, 2.0**-126, float(FP32.max), 0.1):
        c, q = number(x)
        assert c % 2 == 1 and Fraction(c) * Fraction(2) ** q == Fraction(x)


def test_bfloat16_array_under_a_float32_scale() -> None:
    """spec §4.1, §14.2"""
    x = np.arange(-8, 8).astype(ml_dtypes.bfloat16)
    q, wide = quantize(x, "nvfp4"), quantize(x.astype(np.float32), "nvfp4")
    assert q.tensor_scale == wide.tensor_scale and (q.codes == wide.codes).all()
