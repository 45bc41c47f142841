"""Packed codes, types of other libraries and DLPack (spec §20.1, §20.2, §20.5, §20.6)."""

from __future__ import annotations

import doctest
import itertools
import re
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.interchange import TYPES, pack, unpack
from emulator.recipes import recipe
from emulator.tensor import Quantized, decode, dequantize, quantize
from tests.emulator.interchange_examples import Foreign

RECIPES = ("nvfp4", "mxfp4", "ue5m3-absmax-b4", "ue4m3-absmax-pz-hp2-b8", "ue5m3-3c-h-b16")


def tensor(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape, np.float32)


def same(a: Quantized, b: Quantized) -> bool:
    return (
        np.array_equal(a.codes, b.codes)
        and np.array_equal(a.scales, b.scales)
        and (a.recipe, a.axis, a.tensor_scale) == (b.recipe, b.axis, b.tensor_scale)
    )


def test_all_pairs_of_codes() -> None:
    """spec §20.1, §20.2: all 256 bytes, from all pairs of codes."""
    pairs = np.array(list(itertools.product(range(16), repeat=2)), np.uint8)
    packed = pack(pairs)
    assert packed.shape == (256, 1)
    assert packed[:, 0].tolist() == [a + 16 * b for a, b in pairs.tolist()]
    assert np.array_equal(unpack(packed), pairs)


def test_an_odd_length_is_filled_up_with_code_0() -> None:
    """spec §20.1, §20.2."""
    for n in (1, 3, 5, 17):
        codes = np.full((2, n), 15, np.uint8)
        packed = pack(codes)
        assert packed.shape == (2, (n + 1) // 2) and (packed[:, -1] == 0x0F).all()
        assert np.array_equal(unpack(packed, n), codes)
        packed[1, -1] |= 0x10
        with pytest.raises(ValueError, match=r"behind an odd length of \d+ a code other than 0"):
            unpack(packed, n)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    axis=st.integers(-4, 3),
    name=st.sampled_from(RECIPES),
    seed=st.integers(0, 99),
)
def test_packed_comes_back(shape: list[int], axis: int, name: str, seed: int) -> None:
    """spec §20.1, §20.2: any shape, axis and recipe; each byte as the clause says."""
    axis = axis % len(shape)
    q = quantize(tensor(tuple(shape), seed), name, axis=axis)
    packed = q.packed()
    n = shape[axis]
    assert packed.shape == (*shape[:axis], *shape[axis + 1 :], -(-n // 2))
    codes = np.moveaxis(q.codes, axis, -1).reshape(-1, n)
    for line, bytes_of in zip(codes.tolist(), packed.reshape(len(codes), -1).tolist(), strict=True):
        line += [0] * (n % 2)
        assert bytes_of == [line[2 * k] + 16 * line[2 * k + 1] for k in range(len(line) // 2)]
    back = Quantized.from_packed(
        packed, q.scales, name, axis=axis, length=n, tensor_scale=q.tensor_scale
    )
    assert same(back, q)


def test_views_have_the_values_of_the_codes() -> None:
    """spec §20.5: ml_dtypes, the outside judge, decodes every code as this library does."""
    compared = 0
    for name, formats in (("ue4m3-absmax-b2", "ue4m3"), ("e8m0-floor-b2", "e8m0")):
        r = recipe(name)
        scales = np.arange(1 << r.scale.width, dtype=np.uint8)
        codes = np.arange(2 * len(scales), dtype=np.uint8) % 16
        q = Quantized(codes, scales, r)
        typed_codes, typed_scales = q.to_ml_dtypes()
        assert typed_codes.dtype == ml_dtypes.float4_e2m1fn
        assert typed_scales.dtype == getattr(ml_dtypes, TYPES[formats])
        assert np.shares_memory(typed_codes, codes) and np.shares_memory(typed_scales, scales)
        for typed, raw, fmt in ((typed_codes, codes, r.element), (typed_scales, scales, r.scale)):
            want = decode(raw, fmt)
            assert np.array_equal(typed.astype(np.float32), want, equal_nan=True)
            compared += raw.size
        assert same(Quantized.from_arrays(typed_codes, typed_scales, name), q)
    assert compared == (256 + 128) + (512 + 256)


def test_what_is_not_a_type_or_a_code_is_refused() -> None:
    """spec §20.5: by name."""
    codes, scales = np.zeros(16, np.uint8), np.zeros(1, np.uint8)
    with pytest.raises(ValueError, match=r"ml_dtypes has no type for ue5m3; use the uint8 codes"):
        Quantized(codes, scales, recipe("ue5m3-absmax-b16")).to_ml_dtypes()
    e4m3 = scales.view(ml_dtypes.float8_e4m3fn)
    wrong: list[tuple[Any, Any, str, type[Exception], str]] = [
        (codes, e4m3, "ue5m3-absmax-b16", TypeError, "scales is float8_e4m3fn, not uint8 "),
        (codes, e4m3, "e8m0-floor-b16", TypeError, "not uint8 or float8_e8m0fnu"),
        (codes.astype(int), scales, "nvfp4", TypeError, "codes is int64, not uint8 or float4_e2m"),
        ([1, 2], scales, "nvfp4", TypeError, "codes is a list, not uint8"),
        (codes + np.uint8(16), scales, "mxfp4", ValueError, "codes hold 0x10, no e2m1 code"),
        (
            codes,
            scales + np.uint8(0x80),
            "ue4m3-absmax-b16",
            ValueError,
            "0x80, no ue4m3 code, and",
        ),
    ]
    for x, s, name, error, message in wrong:
        with pytest.raises(error, match=message):
            Quantized.from_arrays(x, s, name)
    with pytest.raises(ValueError, match=r"tensor_scale=2\.0: e8m0-floor-b16 has no tensor scale"):
        Quantized.from_arrays(codes, scales, "e8m0-floor-b16", tensor_scale=2.0)
    with pytest.raises(ValueError, match="a code is 0x10, more than 4 bits hold"):
        pack(codes + np.uint8(16))
    for length in (-1, 14, 17):
        with pytest.raises(ValueError, match="8 bytes do not hold"):
            unpack(pack(codes), length)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_any_array_with_dlpack_is_taken(dtype: str) -> None:
    """spec §20.6: whatever its class and strides; nothing is copied on the way."""
    x = tensor((6, 40), 3).astype(dtype)
    for view, axis in ((x, 1), (x.T, 0), (x[::2, ::-1], 1)):
        want = quantize(view, "mxfp4", axis=axis)
        assert same(quantize(Foreign(view), "mxfp4", axis=axis), want)  # pyright: ignore[reportArgumentType]


def test_arrays_elsewhere_are_refused_by_the_device() -> None:
    """spec §20.6."""
    for device, name in (((2, 0), "CUDA"), ((10, 1), "ROCm"), ((99, 0), "DLPack's device 99")):
        with pytest.raises(TypeError, match=f"x is on {name}; move it to the CPU first"):
            quantize(Foreign(tensor((4,)), device), "mxfp4")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"x cannot be taken by DLPack \(spec §20.6\)"):
        quantize(Foreign(np.zeros(4, ml_dtypes.bfloat16)), "mxfp4")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"x is an array of int32, not an array of float32"):
        quantize(Foreign(np.zeros(4, np.int32)), "mxfp4")  # pyright: ignore[reportArgumentType]


def test_a_rebuilt_tensor_decodes_alike() -> None:
    """spec §20.2: what came through bytes is decoded as before."""
    for name in RECIPES:
        q = quantize(tensor((3, 32), 5), name)
        back = Quantized.from_packed(q.packed(), q.scales, name, tensor_scale=q.tensor_scale)
        assert np.array_equal(dequantize(back).view(np.uint32), dequantize(q).view(np.uint32))


def test_the_document_runs() -> None:
    """The Python of docs/interchange.md prints what it says; its options exist."""
    text = (Path(__file__).parents[2] / "docs" / "interchange.md").read_text("utf-8")
    [code] = re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S)
    test = doctest.DocTestParser().get_doctest(code, {}, "interchange", "interchange.md", 0)
    result = doctest.DocTestRunner().run(test)
    assert result.failed == 0 and result.attempted == 10
    from typer.main import get_command

    from cli.main import app

    [shell] = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.M | re.S)
    commands = get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]
    for line in shell.replace("\\\n", " ").splitlines():
        program, command, *rest = line.split()
        known = {o for p in commands[command].params for o in p.opts}
        assert program == "finescale" and {w for w in rest if w.startswith("-")} <= known
