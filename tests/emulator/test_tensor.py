"""Arrays: shapes, axes, memory layouts, padding, threads, outputs, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator import pieces
from emulator.blocks import BlockFormat
from emulator.errors import NotAvailableError, UnknownNameError
from emulator.exhaustive import random_blocks
from emulator.formats import E2M1, FORMATS, FP32, UE5M3, Format
from emulator.pieces import thread_count
from emulator.recipes import SELECTIONS, Recipe, recipe
from emulator.tensor import Quantized, decode, dequantize, encode, quantize

DTYPES = [np.dtype(np.float32), np.dtype(ml_dtypes.bfloat16), np.dtype(np.float16)]
R4 = recipe("ue5m3-absmax-b4")


def random_array(shape: tuple[int, ...], dtype: Any = np.float32, seed: int = 1) -> Any:
    """Floats with varied binades, NaN and infinity, from raw bits."""
    count = int(np.prod(shape))
    blocks = random_blocks(FP32, 4, -(-count // 4), seed).reshape(-1)[:count]
    with np.errstate(over="ignore", invalid="ignore"):
        return blocks.view(np.float32).reshape(shape).astype(dtype)


def rowwise(x: Any, r: Recipe, axis: int) -> tuple[Any, Any]:
    """Codes and scales by one call per row of zero-padded blocks (spec §5.1, §5.2)."""
    moved = np.moveaxis(x, axis, -1)
    n, size = moved.shape[-1], r.block_size
    codes = np.zeros(moved.shape, np.uint8)
    scales = np.zeros((*moved.shape[:-1], -(-n // size)), np.uint8)
    for index in np.ndindex(moved.shape[:-1]):
        for j in range(scales.shape[-1]):
            block = np.zeros(size, x.dtype)
            part = moved[index][j * size : (j + 1) * size]
            block[: len(part)] = part
            q = quantize(block, r, threads=1)
            codes[index][j * size : (j + 1) * size] = q.codes[: len(part)]
            scales[index][j] = q.scales[0]
    return np.moveaxis(codes, -1, axis), np.moveaxis(scales, -1, axis)


def same(a: Quantized, b: Quantized) -> bool:
    return np.array_equal(a.codes, b.codes) and np.array_equal(a.scales, b.scales)


# --- shapes, axes and memory layouts

LAYOUTS = {
    "c": lambda x: x,
    "fortran": np.asfortranarray,
    "reversed": lambda x: x[::-1].copy()[::-1],
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "transposed": lambda x: x.T.copy().T,
    "readonly": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "unaligned": lambda x: (
        np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(7,), (16,), (3, 8), (5, 6), (2, 3, 9), (2, 8, 4), (1, 1, 1, 5)])
def test_every_axis_and_layout(shape: tuple[int, ...], dtype: Any, layout: str) -> None:
    """spec §5.1, §5.2, §6.3"""
    plain = random_array(shape, dtype)
    x = LAYOUTS[layout](plain)
    for axis in range(-len(shape), len(shape)):
        q = quantize(x, R4, axis=axis)
        codes, scales = rowwise(plain, R4, axis)
        assert q.shape == shape and q.axis == axis % len(shape)
        assert np.array_equal(q.codes, codes) and np.array_equal(q.scales, scales)
        decoded = dequantize(q, dtype)
        assert decoded.shape == shape and decoded.dtype == dtype
        blocks = Quantized(np.moveaxis(codes, axis, -1), np.moveaxis(scales, axis, -1), R4)
        assert np.moveaxis(dequantize(blocks, dtype), -1, axis).tobytes() == decoded.tobytes()
        assert np.array_equal(
            encode(x, UE5M3), np.array([encode(v, UE5M3) for v in plain.reshape(-1)]).reshape(shape)
        )


def test_results_keep_the_memory_order() -> None:
    x = np.asfortranarray(np.ones((8, 12), np.float32))
    q = quantize(x, R4, axis=0)
    assert q.codes.flags.f_contiguous and q.scales.flags.f_contiguous
    assert dequantize(q).flags.f_contiguous and encode(x, UE5M3).flags.f_contiguous


def test_subclasses_are_plain_arrays() -> None:
    x = np.ones((2, 6), np.float32).view(type("Sub", (np.ndarray,), {}))
    q = quantize(x, R4)
    assert type(q.codes) is np.ndarray and type(q.scales) is np.ndarray and q.scales.shape == (2, 2)
    assert type(encode(x, UE5M3)) is np.ndarray


def test_broadcast_input() -> None:
    x = np.broadcast_to(np.float32(3.0), (3, 10))
    q = quantize(x, R4)
    assert same(q, quantize(np.full((3, 10), 3.0, np.float32), R4))


def test_large_arrays_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """spec §6.3: cutting changes nothing, at any limit, axis, layout and number of threads."""
    x = random_array((19, 11, 13))
    whole = {axis: quantize(x, R4, axis=axis, threads=1) for axis in range(3)}
    floats = {axis: dequantize(q, threads=1) for axis, q in whole.items()}
    codes = encode(x, UE5M3, threads=1)
    for limit in (5, 64, 1000):
        monkeypatch.setattr(pieces, "SMALL", limit)
        monkeypatch.setattr(pieces, "LARGE", limit)
        for layout in ("c", "fortran"):
            y = LAYOUTS[layout](x)
            for axis in range(3):
                q = quantize(y, R4, axis=axis, threads=3)
                assert same(q, whole[axis])
                assert dequantize(q, threads=3).tobytes() == floats[axis].tobytes()
            assert np.array_equal(encode(y, UE5M3, threads=3), codes)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 300),
    st.randoms(use_true_random=False),
)
def test_pieces_cover_each_element_once(
    shape: list[int], unit: int, limit: int, random: Any
) -> None:
    strides = random.sample(range(-50, 50), len(shape))
    seen = np.zeros(shape, np.int64)
    for index in pieces.pieces(shape, strides, unit, limit):
        part = seen[index]
        part += 1
        assert part.size and index[-1].start % unit == 0
        assert part.size <= limit or part.shape == (*[1] * (len(shape) - 1), part.shape[-1])
        assert part.size <= limit or part.shape[-1] <= unit
    assert (seen == 1).all()


# --- properties


def floats(count: int | tuple[int, int], dtype: Any = np.float32) -> st.SearchStrategy[Any]:
    """Arrays of raw patterns, near and far from each other."""
    lengths = st.just(count) if isinstance(count, int) else st.integers(*count)
    return st.tuples(lengths, st.integers(0, 1 << 32)).map(
        lambda pair: random_array((pair[0],), dtype, pair[1])
    )


recipes = st.builds(
    lambda s, b: recipe(f"{s}-b{b}"), st.sampled_from(SELECTIONS), st.sampled_from([2, 4, 8, 16])
)


@settings(max_examples=150, deadline=None)
@given(floats((1, 70)), recipes)
def test_a_partial_block_is_a_padded_one(x: Any, r: Recipe) -> None:
    """spec §5.2"""
    padded = np.zeros(-(-x.size // r.block_size) * r.block_size, np.float32)
    padded[: x.size] = x
    q, p = quantize(x, r), quantize(padded, r)
    assert np.array_equal(q.codes, p.codes[: x.size]) and np.array_equal(q.scales, p.scales)
    assert dequantize(q).tobytes() == dequantize(p)[: x.size].tobytes()


@settings(max_examples=100, deadline=None)
@given(floats(48), recipes, st.randoms(use_true_random=False))
def test_lane_order_moves_codes_only(x: Any, r: Recipe, random: Any) -> None:
    """spec §7.1"""
    order = list(range(r.block_size))
    random.shuffle(order)
    blocks = x.reshape(-1, r.block_size)
    q, p = quantize(blocks, r), quantize(np.ascontiguousarray(blocks[:, order]), r)
    assert np.array_equal(q.scales, p.scales) and np.array_equal(q.codes[:, order], p.codes)


@settings(max_examples=100, deadline=None)
@given(floats(32), recipes)
def test_sign_symmetry(x: Any, r: Recipe) -> None:
    """spec §9.2, §6.1"""
    q, p = quantize(x, r), quantize((x.view(np.uint32) ^ np.uint32(1 << 31)).view(np.float32), r)
    nan = np.repeat(q.scales == r.scale.nan_code, r.block_size)
    assert np.array_equal(q.scales, p.scales)
    assert np.array_equal(p.codes, np.where(nan, 0, q.codes ^ 8))


@settings(max_examples=150, deadline=None)
@given(st.integers(-5, 5), st.integers(0, 1 << 32), recipes)
def test_powers_of_two_move_the_scale_only(k: int, seed: int, r: Recipe) -> None:
    """spec §8.1, §8.4 to §8.6: as long as scales are normal and do not saturate."""
    mantissas = np.random.Generator(np.random.PCG64(seed)).integers(-(1 << 20), 1 << 20, 32)
    x = (mantissas / np.float32(1 << 18)).astype(np.float32)  # below 4; exact
    x[:: r.block_size] = 3
    q, p = quantize(x, r), quantize(np.ldexp(x, k).astype(np.float32), r)
    assert np.array_equal(q.codes, p.codes)
    step = 1 << r.scale.fraction_bits
    assert np.array_equal(q.scales.astype(int) + k * step, p.scales)


@settings(max_examples=60, deadline=None)
@given(floats((1, 200)), recipes, st.integers(1, 5))
def test_threads_and_out_change_no_bit(x: Any, r: Recipe, threads: int) -> None:
    q = quantize(x, r, threads=1)
    out = Quantized(np.full_like(q.codes, 0xAA), np.full_like(q.scales, 0xAA), r)
    assert quantize(x, r, threads=threads, out=out) is out
    assert same(out, q)
    for dtype in DTYPES:
        y = np.full(x.shape, 7, dtype)
        assert dequantize(q, dtype, threads=threads, out=y) is y
        assert y.tobytes() == dequantize(q, dtype).tobytes()


@settings(max_examples=60, deadline=None)
@given(floats((1, 100)), recipes)
def test_quantizing_again_changes_no_value(x: Any, r: Recipe) -> None:
    """spec §9.1, §10.1: values on the grid of a block stay, if its amax is 6 steps of the scale."""
    q = quantize(x, r)
    y = dequantize(q)
    p = quantize(y, r)
    for j, scale in enumerate(q.scales):
        lanes = slice(j * r.block_size, (j + 1) * r.block_size)
        if (q.codes[lanes] & 7 == 7).any() and np.isfinite(y[lanes]).all() and scale:
            assert np.array_equal(dequantize(p)[lanes], y[lanes])


# --- outputs


def test_strided_out() -> None:
    x = random_array((6, 16))
    codes, scales = np.zeros((6, 32), np.uint8), np.zeros((12, 4), np.uint8)
    out = Quantized(codes[:, ::2], scales[::2], R4)
    assert same(quantize(x, R4, out=out), quantize(x, R4))
    assert not codes[:, 1::2].any() and not scales[1::2].any()
    y = np.zeros((6, 32), np.float32)
    dequantize(out, out=y[:, ::2])
    assert y[:, ::2].tobytes() == dequantize(out).tobytes() and not y[:, 1::2].any()
    encode(x, UE5M3, out=codes[:, 1::2])
    assert np.array_equal(codes[:, 1::2], encode(x, UE5M3))


def test_out_has_to_fit() -> None:
    x = np.ones((2, 8), np.float32)
    q = quantize(x, R4)
    with pytest.raises(TypeError, match="out is a tuple, not a Quantized"):
        quantize(x, R4, out=(q.codes, q.scales))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"out is for ue5m3-absmax-b4 along axis 1, not for .*b8"):
        quantize(x, "ue5m3-absmax-b8", out=q)
    with pytest.raises(ValueError, match=r"along axis 1, not for .* along axis 0"):
        quantize(x, R4, axis=0, out=q)
    with pytest.raises(ValueError, match=r"out has shape \(2, 8\), not \(3, 8\)"):
        quantize(np.ones((3, 8), np.float32), R4, out=q)
    fixed = np.zeros((2, 8), np.uint8)
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        quantize(x, R4, out=Quantized(fixed, q.scales, R4))
    with pytest.raises(ValueError, match="shares memory"):
        quantize(x, R4, out=Quantized(x.view(np.uint8)[:, :8], q.scales, R4))
    with pytest.raises(TypeError, match="out is an array of float32, not an array of float16"):
        dequantize(q, np.float16, out=x)
    with pytest.raises(TypeError, match="out is an array of uint16, not an array of uint8"):
        encode(x, UE5M3, out=np.zeros((2, 8), np.uint16))
    with pytest.raises(ValueError, match=r"out has shape \(8, 2\), not \(2, 8\)"):
        encode(x, UE5M3, out=np.zeros((8, 2), np.uint8))


# --- what is refused

BAD_INPUTS = [
    ([1.0, 2.0], "a list"),
    (1.0, "a float"),
    (np.ones(4), "an array of float64"),
    (np.ones(4, np.int32), "an array of int32"),
    (np.ones(4, np.complex64), "an array of complex64"),
    (np.array([1.0, None]), "an array of object"),
    (np.ones(4, ml_dtypes.float8_e4m3fn), "an array of float8_e4m3fn"),
    (np.ones(4, ">f4"), "an array of >f4"),
    (np.ma.masked_array(np.ones(4, np.float32)), "an array of float32"),
]


@pytest.mark.parametrize(("x", "kind"), BAD_INPUTS, ids=[kind for _, kind in BAD_INPUTS])
def test_other_types_are_refused(x: Any, kind: str) -> None:
    """spec §4.1: the message names the three accepted types, on one line."""
    message = rf"^x is {kind}, not an array of float32, bfloat16 or float16 \(spec §4\.1\)$"
    with pytest.raises(TypeError, match=message):
        quantize(x, R4)
    with pytest.raises(TypeError, match=message):
        encode(x, UE5M3)


def test_bad_shapes_and_axes() -> None:
    x = np.ones((2, 8), np.float32)
    with pytest.raises(ValueError, match=r"x of shape \(3, 0\) is empty"):
        quantize(np.ones((3, 0), np.float32), R4)
    with pytest.raises(ValueError, match=r"shape \(\) has no axis .*spec §5\.1"):
        quantize(np.array(1, np.float32), R4)
    for axis in (2, -3, 1 << 70):
        with pytest.raises(ValueError, match=f"axis {axis} is not one of an array with 2 dim"):
            quantize(x, R4, axis=axis)
    for wrong in (0.0, "0", None, True):
        with pytest.raises(TypeError, match=r"axis is .*, not an integer"):
            quantize(x, R4, axis=wrong)  # pyright: ignore[reportArgumentType]


def test_bad_recipes_and_options() -> None:
    x = np.ones((2, 8), np.float32)
    with pytest.raises(UnknownNameError, match=r"unknown rule 'absmx'; did you mean absmax\?"):
        quantize(x, "ue5m3-absmx-b4")
    with pytest.raises(NotAvailableError, match="not available yet"):
        quantize(x, "e2m3.e8m0-floor-b32")
    with pytest.raises(TypeError, match="recipe is a int, not a Recipe or its name"):
        quantize(x, 4)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"tensor_scale=2.0: ue5m3-absmax-b4 has no tensor scale"):
        quantize(x, R4, tensor_scale=2.0)
    with pytest.raises(ValueError, match="seed=0: ue5m3-absmax-b4 rounds nothing at random"):
        quantize(x, R4, seed=0)
    with pytest.raises(ValueError, match="overflow is 'inf', not 'saturate' or 'ieee'"):
        encode(x, UE5M3, overflow="inf")
    with pytest.raises(ValueError, match="nan is 'keep', not 'error' or 'zero'"):
        encode(x, UE5M3, nan="keep")
    with pytest.raises(UnknownNameError, match="unknown format 'ue5m4'; did you mean"):
        encode(x, "ue5m4")
    with pytest.raises(TypeError, match="fmt is a int, not a Format"):
        encode(x, 5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(NotAvailableError, match="wide is stored in 40 bits"):
        encode(x, Format("wide", 8, 7, bias=127, max_code=0x7F7F, storage_bits=40))


@pytest.mark.parametrize("threads", [0, -1, 1025])
def test_threads_out_of_range(threads: int) -> None:
    for call in (lambda: quantize(np.ones(4, np.float32), R4, threads=threads),):
        with pytest.raises(ValueError, match=f"threads is {threads}, not from 1 to 1024"):
            call()
    with pytest.raises(TypeError, match=r"threads is 1\.5"):
        thread_count(1.5)  # pyright: ignore[reportArgumentType]
    assert 1 <= thread_count(None) <= (os.cpu_count() or 1)


def test_nan_without_a_code_writes_nothing() -> None:
    """spec §3.4"""
    x = np.ones((3, 50_000), np.float32)
    x[2, 49_999] = np.nan
    out = np.full(x.shape, 99, np.uint8)
    for dtype in DTYPES:
        with pytest.raises(ValueError, match=r"^x holds a NaN, and e2m1 has none \(spec §3\.4\)"):
            encode(x.astype(dtype), E2M1, out=out)
    assert (out == 99).all()
    assert encode(x, E2M1, nan="zero")[2, 49_999] == 0


def test_decode_arguments() -> None:
    """spec §2.6"""
    assert decode(np.array([0xFF, 0x88], np.int64), "ue4m3").view(np.uint32).tolist() == [
        0x7FC00000,
        0x3C800000,
    ]
    assert decode(np.uint8(0x78), UE5M3) == 1 and decode(np.zeros((0, 3), np.uint8), E2M1).size == 0
    with pytest.raises(ValueError, match=r"code 0x100 is not one of 8 bits, as ue5m3 is stored"):
        decode(np.array([0x100]), UE5M3)
    with pytest.raises(ValueError, match=r"code 0x10 is not one of 4 bits, as e2m1 is stored"):
        decode(np.array([0x10]), E2M1)
    with pytest.raises(ValueError, match=r"code -0x1 is not one of 8 bits"):
        decode(np.array([-1]), UE5M3)
    for wrong in ([1], np.ones(2, np.float32), np.ones(2, np.bool_), "1"):
        with pytest.raises(TypeError, match=r"codes is .*, not an array of integers"):
            decode(wrong, UE5M3)  # pyright: ignore[reportArgumentType]


def test_scalars_and_empty_arrays_of_elements() -> None:
    assert encode(np.float32(1), UE5M3).shape == () and encode(np.float32(1), UE5M3) == 0x78
    assert encode(np.zeros((0, 2), np.float16), UE5M3).shape == (0, 2)
    assert encode(np.ones(2, np.float32), FORMATS["bf16"]).dtype == np.uint16


# --- Quantized


def test_quantized_refuses_damage() -> None:
    codes, scales = np.zeros((3, 10), np.uint8), np.zeros((3, 3), np.uint8)
    q = Quantized(codes, scales, R4)
    assert (q.axis, q.shape, q.tensor_scale) == (1, (3, 10), None)
    assert repr(q) == "Quantized(ue5m3-absmax-b4, shape=(3, 10), axis=1)"
    with pytest.raises(ValueError, match=r"scales have shape \(3, 3\), not \(1, 10\)"):
        Quantized(codes, scales, R4, axis=0)
    with pytest.raises(ValueError, match=r"scales have shape \(3, 2\), not \(3, 3\)"):
        Quantized(codes, scales[:, :2], R4)
    with pytest.raises(TypeError, match="codes is an array of int8, not an array of uint8"):
        Quantized(codes.astype(np.int8), scales, R4)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="scales is a list, not an array of uint8"):
        Quantized(codes, [0], R4)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="recipe is a str, not a Recipe"):
        Quantized(codes, scales, "ue5m3-absmax-b4")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"codes of shape \(0,\) have no element"):
        Quantized(codes[:0, 0], scales[:0, 0], R4)
    with pytest.raises(ValueError, match="has no axis"):
        Quantized(np.array(0, np.uint8), scales, R4)
    with pytest.raises(ValueError, match=r"tensor_scale is .*, but ue5m3-absmax-b4 has none"):
        Quantized(codes, scales, R4, tensor_scale=np.float32(1))
    with pytest.raises(ValueError, match="tensor_scale is None, but ue4m3-absmax-h-b4 has one"):
        Quantized(codes, scales, recipe("ue4m3-absmax-h-b4"))


def test_dequantize_arguments() -> None:
    q = quantize(np.ones(4, np.float32), R4)
    with pytest.raises(TypeError, match="q is an array of uint8, not a Quantized"):
        dequantize(q.codes)  # pyright: ignore[reportArgumentType]
    for dtype in (np.float64, np.int8, None, "nonsense"):
        with pytest.raises(TypeError, match=r"dtype .* is not float32, bfloat16 or float16"):
            dequantize(q, dtype)  # pyright: ignore[reportArgumentType]
    with pytest.raises(NotAvailableError, match="element format e2m3 is not available yet"):
        dequantize(Quantized(q.codes, q.scales, recipe("e2m3.ue5m3-absmax-b4")))


def test_dequantize_ignores_bits_above_a_code() -> None:
    """spec §2.6"""
    q = quantize(random_array((40,)), recipe("ue4m3-absmax-b4"))
    dirty = Quantized(q.codes | np.uint8(0xF0), q.scales | np.uint8(0x80), q.recipe)
    assert dequantize(dirty).tobytes() == dequantize(q).tobytes()


def test_a_recipe_over_an_unnamed_format() -> None:
    """spec §2.7, §8.2: the UE5M3 that ends at 61440."""
    short = Format("ue5m3s", 5, 3, bias=15, max_code=0xF7, nan_code=0xFF)
    q = quantize(np.array([1e30, 6], np.float32), Recipe(BlockFormat(E2M1, short, 2), "absmax"))
    assert q.scales.tolist() == [0xF7] and dequantize(q)[0] == 6 * 61440


# --- cost


def test_memory_stays_small() -> None:
    """Scratch space beside input and output: below 64 MiB, for the worst layouts too."""
    x = np.ones((512, 4097), np.float32)
    r = recipe("ue5m3-absmax-b256")
    quantize(x[:2], r, axis=0)
    dequantize(quantize(x[:2], r), np.float16)
    for y, axis in ((x, 1), (x, 0), (x.T, 0), (x.astype(np.float16), 1), (x[:, :3], 1)):
        tracemalloc.start()
        q = quantize(y, r, axis=axis, threads=2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak - q.codes.nbytes - q.scales.nbytes < 4 << 20
        tracemalloc.start()
        z = dequantize(q, np.float16, threads=2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak - z.nbytes < 4 << 20


def test_first_call_is_quick_and_numba_comes_late() -> None:
    """A new process, the compiled kernel in the cache: below 2 s, import of Numba included."""
    quantize(np.ones(16, np.float32), "ue5m3-absmax-b16")
    script = (
        "import sys, time; import numpy as np; import finescale; "
        "assert 'numba' not in sys.modules; from finescale import quantize; "
        "assert 'numba' not in sys.modules; t = time.process_time(); "
        "quantize(np.ones(16, np.float32), 'ue5m3-absmax-b16'); "
        "print(time.process_time() - t)"
    )
    root = Path(__file__).parents[2]
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 2, (done.stdout, time.perf_counter() - begin)
