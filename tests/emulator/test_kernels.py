"""The kernels against the reference and against a second path over whole input spaces."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from emulator import exhaustive, reference
from emulator.arguments import INPUTS
from emulator.blocks import BlockFormat
from emulator.errors import MismatchError, NotAvailableError
from emulator.exhaustive import (
    ALL_PATTERNS,
    INFINITY,
    MAGNITUDES,
    element_space,
    element_walk,
    encode_space,
    encode_walk,
    random_blocks,
    reference_blocks,
    scale_space,
    scale_walk,
)
from emulator.formats import BF16, E2M1, E8M0, FORMATS, FP16, FP32, UE5M3, Format
from emulator.recipes import BLOCK_SIZES, SELECTIONS, Recipe, recipe
from emulator.tables import first_pattern, round_to_code, step_table
from emulator.tensor import Quantized, decode, dequantize, encode, quantize

SMALL_MAX = Format("ue5m3s", 5, 3, bias=15, max_code=0xF7, nan_code=0xFF)
"""The research code bases' UE5M3, which ends at 61440."""
LOW = Format("low", 8, 2, bias=150, max_code=0x3FE, signed=True, nan_code=0x3FF)
"""Values down to 2**-151: only some lie below every float32."""
LOW_POWERS = Format("lowpow", 8, 0, bias=140, max_code=0xFE, nan_code=0xFF, has_zero=False)
FRACTIONS = Format("e3f5", 3, 5, bias=3, max_code=0xFF, has_zero=False)
ALL_FORMATS = [*FORMATS.values(), SMALL_MAX, LOW, LOW_POWERS, FRACTIONS]

SPECIALS = [0, 1, 2, 0x7FFFFF, 0x800000, 0x800001, 0x400000, 0x200000, 0x7F7FFFFF, 0x7F800000]
SPECIALS += [0x7F800001, 0x7FBFFFFF, 0x7FC00000, 0x7FFFFFFF, 0x3F800000, 0x3F7FFFFF, 0x3F800001]


def signed(patterns: list[int]) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """The patterns, then the same with the sign set."""
    return np.array(patterns + [p | 1 << 31 for p in patterns], np.uint32)


def midpoint_patterns(fmt: Format, limit: int = 600) -> list[int]:
    """Float32 patterns around values and midpoints of a format, +-1 ulp."""
    step = max(1, fmt.max_code // limit)
    codes = [*range(1, fmt.max_code + 1, step), 1, 2, 3, fmt.max_code - 1, fmt.max_code]
    result = []
    for code in codes:
        below, above = fmt.value(code - 1), fmt.value(code)
        for point in (above, (below + above) / 2, 2 * above - (below + above) / 2):
            q = -(point.denominator.bit_length() - 1)
            at = first_pattern(point.numerator, q)
            result += [p for p in range(at - 2, at + 3) if 0 <= p <= 0x7FFFFFFF]
    return result


# --- encode and decode: every format against the reference


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=lambda f: f.name)
@pytest.mark.parametrize("overflow", ["saturate", "ieee"])
def test_encode_is_the_reference(fmt: Format, overflow: str) -> None:
    """spec §3.1, §3.2, §3.3, §3.4, §3.5, §3.6, §3.7, §4.2, §2.7"""
    if overflow == "ieee" and fmt.inf_code is None:
        with pytest.raises(ValueError, match=r"ieee.*no infinity.*spec §3\.3"):
            encode(np.ones(1, np.float32), fmt, overflow=overflow)
        return
    raw = np.random.Generator(np.random.PCG64(3)).integers(0, 1 << 31, 6000, np.uint64)
    x = signed(SPECIALS + midpoint_patterns(fmt) + raw.tolist())
    got = encode(x.view(np.float32), fmt, overflow=overflow, nan="zero")
    assert got.dtype.itemsize == (1 if fmt.storage_bits <= 8 else 2 if fmt.width <= 16 else 4)
    spec = [reference.encode(int(bits), FP32, fmt, overflow, "zero") for bits in x]
    wrong = np.flatnonzero(got != np.array(spec))
    assert not wrong.size, f"{fmt.name} fp32:{x[wrong[0]]:08x} {got[wrong[0]]} {spec[wrong[0]]}"


@pytest.mark.parametrize("source", [BF16, FP16], ids=lambda f: f.name)
@pytest.mark.parametrize("fmt", [E2M1, UE5M3, E8M0, FP16, BF16], ids=lambda f: f.name)
def test_encode_of_16_bit_inputs(source: Format, fmt: Format) -> None:
    """spec §4.1, §4.2: every third pattern."""
    x = np.arange(0, 1 << 16, 3, dtype=np.uint16)
    dtype = exhaustive.DTYPES[source]
    got = encode(x.view(dtype), fmt, nan="zero")
    spec = [reference.encode(int(bits), source, fmt, nan="zero") for bits in x]
    assert got.tolist() == spec


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=lambda f: f.name)
def test_decode_is_the_reference(fmt: Format) -> None:
    """spec §2.1 to §2.7: all codes of up to 16 bits, a sample of float32's."""
    if fmt is LOW:
        with pytest.raises(NotAvailableError, match="does not hold all values of low"):
            decode(np.zeros(1, np.uint16), fmt)
        return
    if fmt.width <= 16:
        codes = np.arange(1 << fmt.storage_bits, dtype=np.uint32)
    else:
        raw = np.random.Generator(np.random.PCG64(4)).integers(0, 1 << 32, 4000, np.uint64)
        codes = np.concatenate([signed(SPECIALS), raw.astype(np.uint32)])
    got = decode(codes, fmt).view(np.uint32)
    assert got.tolist() == [reference.decode(int(code), fmt) for code in codes]


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=lambda f: f.name)
def test_encode_undoes_decode(fmt: Format) -> None:
    """spec §3.1: every canonical code, that is every finite one, infinity and the NaN written."""
    codes = np.arange(1 << min(fmt.width, 16), dtype=np.uint32)
    if fmt.width > 16:
        codes = codes * np.uint32(0xFFF1)
    magnitude = codes & np.uint32(fmt.magnitude_mask)
    keep = magnitude <= fmt.max_code
    for special in (fmt.inf_code, fmt.nan_code):
        keep |= magnitude == (-1 if special is None else special)
    overflow = "saturate" if fmt.inf_code is None else "ieee"
    kept = codes[keep]
    assert kept.size > fmt.max_code or fmt.width > 16
    assert np.array_equal(encode(decode(kept, fmt), fmt, overflow=overflow), kept)


# --- encode: all of float32 against the second path

SAMPLES = [
    *((at, at + (1 << 17)) for at in range(0, ALL_PATTERNS, 1 << 26)),
    *((at - 4096, at + 4096) for at in (0x00800000, INFINITY, 0x80000000, 0x80800000, 0xFF800000)),
    (ALL_PATTERNS - 4096, ALL_PATTERNS),
]


@pytest.mark.parametrize("name", ["e2m1", "ue5m3"])
def test_encode_of_every_float32(name: str) -> None:
    """spec §3.1, §3.2: all 2**32 inputs."""
    assert encode_space(FORMATS[name]) == ALL_PATTERNS


@pytest.mark.parametrize("name", ["ue4m3", "e8m0"])
def test_encode_of_many_float32(name: str) -> None:
    """spec §3.1, §3.7: windows all over the space; the whole of it with `exhaustive`."""
    compared = sum(encode_space(FORMATS[name], a, b) for a, b in SAMPLES)
    assert compared > 8_000_000


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["ue4m3", "e8m0"])
def test_encode_of_every_float32_in_full(name: str) -> None:
    assert encode_space(FORMATS[name]) == ALL_PATTERNS


@pytest.mark.parametrize(
    "fmt", [f for f in ALL_FORMATS if f.magnitude_bits <= 10], ids=lambda f: f.name
)
def test_encode_steps_of_small_formats(fmt: Format) -> None:
    """spec §3.1: the second path's own beginnings, from both sides, if not too many."""
    walk = encode_walk(fmt)
    compared = 0
    for begin in walk.begin.tolist():
        compared += encode_space(fmt, max(begin - 3, 0), begin + 3)
    assert compared > 6 * fmt.max_code * (fmt is not LOW)


def test_second_path_notices_a_wrong_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """spec §13.1: one wrong tie among 2**18 inputs is reported with its input."""

    def wrong(x: Any, *args: Any, **kwargs: Any) -> Any:
        codes = encode(x, *args, **kwargs)
        codes[x == np.float32(1.0625)] = 0x79
        return codes

    at = 0x3F880000
    encode_space(UE5M3, at - 1000, at + 1000)
    monkeypatch.setattr(exhaustive, "encode", wrong)
    with pytest.raises(MismatchError, match="encode ue5m3: fp32:3f880000 gives 79, expected 78"):
        encode_space(UE5M3, at - 1000, at + 1000)


# --- scale and element codes

ALL_RECIPES = [recipe(f"{s}-b2") for s in SELECTIONS]
ALL_RECIPES.append(Recipe(BlockFormat(E2M1, SMALL_MAX, 2), "absmax"))


@pytest.mark.parametrize("r", ALL_RECIPES, ids=str)
def test_scale_steps(r: Recipe) -> None:
    """spec §8.1 to §8.7, §6.1, §6.2: +-3 patterns around every step, kernel, walk, reference."""
    compared = 0
    for begin in scale_walk(r).begin.tolist():
        low, high = max(begin - 3, 0), begin + 3
        compared += scale_space(r, low, high)
        x = np.zeros((high - low, 2), np.uint32)
        x[:, 1] = np.arange(low, high)
        q = quantize(x.view(np.float32), r)
        for bits, scale, codes in zip(x.tolist(), q.scales[:, 0], q.codes.tolist(), strict=True):
            assert reference.quantize_block(bits, FP32, r) == (scale, codes), bits
    assert compared > 5 * r.scale.max_code


@pytest.mark.parametrize("r", ALL_RECIPES, ids=str)
def test_scale_sample(r: Recipe) -> None:
    """spec §8.1, §8.4 to §8.6: windows over all magnitudes; all 2**31 with `exhaustive`."""
    windows = range(0, MAGNITUDES, 1 << 24)
    assert sum(scale_space(r, at, at + 4096) for at in windows) == 4096 * len(windows)


@pytest.mark.exhaustive
@pytest.mark.parametrize("r", ALL_RECIPES, ids=str)
def test_scale_of_every_amax(r: Recipe) -> None:
    assert scale_space(r) == MAGNITUDES


@pytest.mark.parametrize("r", ALL_RECIPES, ids=str)
def test_element_steps(r: Recipe) -> None:
    """spec §9.1, §9.2, §9.3: +-2 patterns around every threshold of every scale code."""
    scales = scale_walk(r)
    compared = 0
    for index, scale in enumerate(scales.code.tolist()):
        if not r.scale.is_finite(scale) or scales.begin[index] >= INFINITY:
            continue
        for begin in element_walk(r, scale).begin.tolist():
            compared += element_space(r, scale, max(begin - 2, 0), begin + 2)
    assert compared > 20 * (len(scales.code) - 8)


@pytest.mark.parametrize("name", ["ue5m3-absmax-b16", "ue4m3-absmax-pz-b32", "e8m0-even-b8"])
def test_element_windows(name: str) -> None:
    """spec §9: all patterns of the binades below the amax, for one scale code."""
    r = recipe(name)
    scale = r.scale.max_code // 2 + 1
    amax = int(scale_walk(r).begin[scale])
    assert element_space(r, scale, amax - (4 << 23)) >= 4 << 23
    assert element_space(r, scale, 0, 1 << 16) == 1 << 16


@pytest.mark.parametrize("size", [2, 4, 8, 16, 32, 64, 128, 256])
@pytest.mark.parametrize("selection", SELECTIONS)
def test_random_blocks(selection: str, size: int) -> None:
    """spec §6 to §10, §5.3: every block size and input against the reference."""
    r = recipe(f"{selection}-b{size}")
    for seed, fmt in enumerate(INPUTS.values()):
        assert reference_blocks(r, fmt, max(6, 400 // size), seed) > 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("fmt", INPUTS.values(), ids=lambda f: f.name)
@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_million_random_blocks(selection: str, fmt: Format) -> None:
    """Over all parameters: 21 * 4 * 12,500 = 1,050,000 blocks."""
    for size in BLOCK_SIZES:
        assert reference_blocks(recipe(f"{selection}-b{size}"), fmt, 12_500, size) == 12_500


def test_random_blocks_hold_what_they_promise() -> None:
    r = recipe("ue5m3-absmax-b16")
    blocks = random_blocks(FP32, 16, 16_000, 1)
    q = quantize(blocks.view(np.float32), r)
    assert set(np.unique(q.codes)) == set(range(16))
    assert len(np.unique(q.scales)) > 250
    walk = {p for s in range(1, 255) for p in element_walk(r, s).begin.tolist()}
    magnitudes = blocks & np.uint32(0x7FFFFFFF)
    assert np.isin(magnitudes, list(walk)).sum() > 100  # ties and their neighbours


def test_reference_blocks_notices_a_wrong_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """spec §13.1"""

    def wrong(x: Any, *args: Any, **kwargs: Any) -> Quantized:
        q = quantize(x, *args, **kwargs)
        q.codes[-1, -1] ^= 1
        return q

    monkeypatch.setattr(exhaustive, "quantize", wrong)
    with pytest.raises(MismatchError, match=r"ue5m3-absmax-b4: block bf16:.* reference"):
        reference_blocks(recipe("ue5m3-absmax-b4"), BF16, 40, 1)


@pytest.mark.parametrize("dtype", INPUTS, ids=str)
@pytest.mark.parametrize("scale", ["ue4m3-absmax-b16", "ue5m3-absmax-b16", "e8m0-floor-b16"])
def test_dequantize_of_every_pair(scale: str, dtype: np.dtype[Any]) -> None:
    """spec §10.1, §10.2, §10.3, §2.6: all 256 stored scales times all 16 element codes."""
    r = recipe(scale)
    codes = np.tile(np.arange(16, dtype=np.uint8), (256, 1))
    q = Quantized(codes, np.arange(256, dtype=np.uint8)[:, None], r)
    got = dequantize(q, dtype)
    bits = got.view(np.uint32 if dtype.itemsize == 4 else np.uint16)
    for s in range(256):
        spec = reference.dequantize_block(s, list(range(16)), r, INPUTS[dtype])
        assert bits[s].tolist() == spec, s


# --- the builders of the tables


@pytest.mark.parametrize("beyond", [False, True])
def test_first_pattern(beyond: bool) -> None:
    random = np.random.Generator(np.random.PCG64(5))
    cases = [(0, 0), (1, -149), (1, -150), (3, -151), (1, 127), (1, 128), (0xFFFFFF, 104)]
    cases += [(0x1FFFFFF, 103), (1, -126), ((1 << 24) + 1, -150), (5, -400), (1 << 200, -199)]
    cases += [(int(c), int(q)) for c, q in random.integers((0, -190), (1 << 30, 120), (500, 2))]
    for c, q in cases:
        limit = c * Fraction(2) ** q
        p = first_pattern(c, q, beyond)
        if p < INFINITY:
            assert FP32.value(p) > limit if beyond else FP32.value(p) >= limit
        if p > 0:
            below = FP32.value(p - 1)
            assert below <= limit if beyond else below < limit


def test_round_to_code_is_ieee() -> None:
    """spec §10.1: against NumPy's and ml_dtypes' own conversions of exact doubles."""
    random = np.random.Generator(np.random.PCG64(6))
    for fmt, dtype in ((FP32, np.float32), (FP16, np.float16), (BF16, ml_dtypes.bfloat16)):
        for c, q in random.integers((0, -160), (1 << 30, 110), (2000, 2)).tolist():
            q = q if fmt is not FP16 else q // 4
            with np.errstate(over="ignore"):
                outside = np.array([float(c) * 2.0**q]).astype(dtype)
            if fmt is BF16 and c >= 1 << 24:
                continue  # by way of float32 there
            word = np.uint32 if fmt is FP32 else np.uint16
            assert round_to_code(c, q, fmt) == outside.view(word)[0]
    with pytest.raises(NotAvailableError, match="e8m0 is no IEEE 754 format"):
        round_to_code(1, 0, E8M0)


def test_step_table() -> None:
    steps = [(1 << 23, 1), ((1 << 23) + 5, 2), (3 << 23, 9), (INFINITY, 10), (INFINITY + 1, 11)]
    table = step_table(7, steps)
    for p in (0, 1, *(s + d for s, _ in steps for d in (-1, 0, 1)), 0x7FFFFFFF):
        spec = 7
        for begin, code in steps:
            spec = code if p >= begin else spec
        i = p >> table.shift
        assert (table.high[i] if p > table.last[i] else table.low[i]) == spec


def test_scale_formats_that_the_rules_do_not_fit() -> None:
    """spec §6.1, §6.2, §8.4"""
    x = np.ones(4, np.float32)
    no_nan = Format("u", 4, 3, bias=7, max_code=0x7F)
    with pytest.raises(NotAvailableError, match=r"scale format u needs a NaN code.*spec §6\.1"):
        quantize(x, Recipe(BlockFormat(E2M1, no_nan, 4), "absmax"))
    fraction = Format("v", 6, 1, bias=7, max_code=0x7E, nan_code=0x7F, has_zero=False)
    with pytest.raises(NotAvailableError, match=r"without a fraction, not for v .spec §8\.4"):
        quantize(x, Recipe(BlockFormat(E2M1, fraction, 4), "floor"))
