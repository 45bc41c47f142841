"""Torch tensors in and out (spec §20.5, §20.6); without torch only what can be said without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from emulator.errors import ToolError
from emulator.tensor import Quantized, quantize

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(name="torch")
def _torch() -> Any:
    return pytest.importorskip("torch", reason="torch is not installed (extra `peers`)")


def values(shape: tuple[int, ...] = (8, 64)) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(4)).standard_normal(shape, np.float32)


def same(a: Quantized, b: Quantized) -> bool:
    return (
        np.array_equal(a.codes, b.codes)
        and np.array_equal(a.scales, b.scales)
        and (a.recipe, a.axis, a.tensor_scale) == (b.recipe, b.axis, b.tensor_scale)
    )


def test_torch_is_not_imported_unless_asked_for() -> None:
    """spec §20.6: taking an array of another library imports none."""
    code = (
        "import sys, numpy as np; from finescale import quantize\n"
        "from tests.emulator.interchange_examples import Foreign\n"
        "quantize(Foreign(np.ones((2, 32), np.float32)), 'mxfp4').packed()\n"
        "print('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"


def test_a_missing_torch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ToolError, match=r"torch cannot be imported .*; install it, or use .codes"):
        quantize(values(), "nvfp4").to_torch()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_tensors_are_taken_to_the_bit(torch: Any, dtype: str) -> None:
    """spec §20.6: as the array of the same bits, whatever strides, gradient or negation."""
    t = torch.from_numpy(values()).to(getattr(torch, dtype))
    bits = t.view(torch.int32 if dtype == "float32" else torch.int16).numpy()
    x = bits.view(np.dtype(getattr(ml_dtypes, dtype, dtype)))
    for name in ("nvfp4", "ue5m3-4o6-b8"):
        want = quantize(x, name)
        assert same(quantize(t, name), want)
        assert same(quantize(torch.nn.Parameter(t), name), want)
        assert same(quantize(t.T, name, axis=0), quantize(x.T, name, axis=0))
        assert same(quantize(t[::2, 8:], name), quantize(x[::2, 8:], name))
        assert same(quantize(t._neg_view(), name), quantize(-x, name))


def test_all_bfloat16_patterns(torch: Any) -> None:
    """spec §20.6: NaN payloads, infinities and subnormal numbers included."""
    bits = np.arange(1 << 16, dtype=np.uint16)
    t = torch.from_numpy(bits.view(np.int16).copy()).view(torch.bfloat16)
    assert same(quantize(t, "mxfp4"), quantize(bits.view(ml_dtypes.bfloat16), "mxfp4"))


def test_what_cannot_be_taken_is_named(torch: Any) -> None:
    """spec §20.6."""
    t = torch.from_numpy(values())
    with pytest.raises(TypeError, match="x is on meta; move it to the CPU first"):
        quantize(t.to("meta"), "mxfp4")
    with pytest.raises(TypeError, match="x of float32 cannot be taken by DLPack"):
        quantize(t.to_sparse(), "mxfp4")
    with pytest.raises(TypeError, match="x is an array of float64, not an array of float32"):
        quantize(t.double(), "mxfp4")
    q = quantize(t, "nvfp4")
    with pytest.raises(TypeError, match="scales of float8_e5m2 cannot be taken by DLPack"):
        Quantized.from_arrays(q.codes, q.to_torch().scales.view(torch.float8_e5m2), "nvfp4")


@pytest.mark.parametrize("name", ["nvfp4", "mxfp4", "ue4m3-absmax-b8"])
def test_tensors_out_and_back(torch: Any, name: str) -> None:
    """spec §20.5: torch's types hold the same bytes, and its own decoding the same values."""
    q = quantize(values(), name)
    out = q.to_torch()
    assert out.packed.dtype == torch.float4_e2m1fn_x2 and tuple(out.packed.shape) == (8, 32)
    assert np.array_equal(out.packed.view(torch.uint8).numpy(), q.packed())
    assert np.array_equal(out.codes.numpy(), q.codes) and out.codes.dtype == torch.uint8
    types = {"ue4m3": torch.float8_e4m3fn, "e8m0": torch.float8_e8m0fnu}
    assert out.scales.dtype == types[q.recipe.scale.name]
    want = q.to_ml_dtypes()[1].astype(np.float32)
    assert np.array_equal(out.scales.float().numpy(), want)
    g = None if out.tensor_scale is None else out.tensor_scale.item()
    for packed, scales in ((out.packed, out.scales), q.to_torch(raw=True)[1:3]):
        assert same(Quantized.from_packed(packed, scales, name, tensor_scale=g), q)
    assert same(Quantized.from_arrays(out.codes, out.scales, name, tensor_scale=g), q)


def test_ue5m3_goes_out_as_bytes_only(torch: Any) -> None:
    """spec §20.5: torch has no type for it."""
    q = quantize(values((4, 15)), "ue5m3-absmax-b4")
    with pytest.raises(ValueError, match=r"no type ue5m3 for the scales.*raw=True"):
        q.to_torch()
    out = q.to_torch(raw=True)
    assert out.scales.dtype == out.packed.dtype == torch.uint8 and out.tensor_scale is None
    back = Quantized.from_packed(out.packed, out.scales, q.recipe, length=15)
    assert same(back, q)


def test_memory_is_shared_where_torch_can_have_it(torch: Any) -> None:
    q = quantize(values(), "mxfp4")
    assert q.to_torch().scales.data_ptr() == q.scales.ctypes.data
    q.scales.flags.writeable = False
    copied = q.to_torch().scales
    assert copied.data_ptr() != q.scales.ctypes.data
    turned = Quantized(q.codes[::-1], q.scales[::-1], q.recipe)
    assert np.array_equal(turned.to_torch().codes.numpy(), q.codes[::-1])
