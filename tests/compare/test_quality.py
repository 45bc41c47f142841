"""Errors against an independent computation, and against published values."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from compare import quality
from compare.quality import Error, normal_error, tensor_error
from emulator.formats import BF16, E2M1, FORMATS, FP16, FP32, Format
from emulator.recipes import recipe
from emulator.tensor import dequantize, quantize


def nearest(x: np.ndarray, f: Format) -> np.ndarray:
    """Round magnitudes to the nearest value of a format, ties to the even code, saturating."""
    values = np.array([float(f.value(code)) for code in range(f.max_code + 1)])
    above = np.clip(np.searchsorted(values, x), 1, len(values) - 1)
    low, high = values[above - 1], values[above]
    up = (x - low > high - x) | ((x - low == high - x) & (above % 2 == 0))
    return np.where(up, high, low)


def independent_error(x: np.ndarray, scale: Format, block: int) -> float:
    """Absmax in plain float64, block by block; BF16 input makes all of it exact enough."""
    blocks = x.astype(np.float64).reshape(-1, block)
    s = nearest(np.abs(blocks).max(axis=1) / 6, scale)[:, None]
    quotients = np.divide(np.abs(blocks), s, out=np.zeros_like(blocks), where=s > 0)
    y = np.copysign(nearest(quotients, E2M1) * s, blocks)
    return float(np.square(blocks - y).sum() / np.square(blocks).sum())


@pytest.mark.parametrize("scale", ["ue4m3", "ue5m3"])
@pytest.mark.parametrize("sigma", [0.003, 1.0])
@pytest.mark.parametrize("block", [4, 16])
def test_against_float64(scale: str, sigma: float, block: int) -> None:
    x = np.random.default_rng(5).normal(0, sigma, 4096).astype(ml_dtypes.bfloat16)
    found = tensor_error(recipe(f"{scale}-absmax-b{block}"), BF16, x)
    assert found.elements == 4096
    assert found.relative == pytest.approx(independent_error(x, FORMATS[scale], block), rel=1e-12)


def test_known_value_on_normal_numbers() -> None:
    found = normal_error(recipe("ue5m3-absmax-b16"), BF16, 1.0, samples=1 << 20, seed=1)
    assert found.relative == pytest.approx(0.00905, rel=0.005)


def test_normal_numbers_are_normal() -> None:
    found = normal_error(recipe("ue5m3-absmax-b16"), FP32, 0.5, samples=1 << 20, seed=1)
    assert found.energy / found.elements == pytest.approx(0.25, rel=0.005)


def test_same_numbers_every_time() -> None:
    r = recipe("ue4m3-absmax-b8")
    first = normal_error(r, BF16, 0.05, samples=1 << 12, seed=7)
    normal_error(r, BF16, 0.05, samples=1 << 10, seed=8)
    assert normal_error(r, BF16, 0.05, samples=1 << 12, seed=7) == first
    assert normal_error(r, BF16, 0.05, samples=1 << 12, seed=8) != first


def test_pieces_cut_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(1).normal(size=(64, 172)).astype(np.float32)
    r = recipe("e8m0-floor-b32")
    whole = [tensor_error(r, FP16, x), tensor_error(r, FP16, x.reshape(-1))]
    monkeypatch.setattr("compare.quality._CHUNK", 512)
    parts = [tensor_error(r, FP16, x), tensor_error(r, FP16, x.reshape(-1))]
    for a, b in zip(whole, parts, strict=True):
        assert a.relative == pytest.approx(b.relative, rel=1e-13)
    assert whole[0].relative != whole[1].relative  # rows of 172 end in a partial block


def test_a_tensor_has_one_tensor_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pieces its sums are made of (spec §14.1)."""
    r = recipe("ue4m3-absmax-h-b16")
    x = quality._normal(4096, 1).reshape(64, 64).astype(np.float32)
    x[0, 0] = 1000.0
    y = dequantize(quantize(x, r)).astype(np.float64)
    wanted = np.sum(np.square(x.astype(np.float64) - y))
    monkeypatch.setattr(quality, "_CHUNK", 256)
    assert quality.tensor_error(r, FORMATS["fp32"], x).error == pytest.approx(wanted, rel=1e-12)


def test_zeros_and_sums() -> None:
    zero = tensor_error(recipe("ue4m3-absmax-b4"), BF16, np.zeros((2, 4), np.float32))
    assert zero == Error(0.0, 0.0, 8)
    assert zero.relative == 0.0
    assert Error(1.0, 4.0, 2) + Error(1.0, 4.0, 3) == Error(2.0, 8.0, 5)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_refused_numbers(value: float) -> None:
    x = np.array([1.0, value])
    with pytest.raises(ValueError, match="NaN, infinity or a number beyond fp32"):
        tensor_error(recipe("ue4m3-absmax-b4"), FP32, x)


def test_refused_shapes() -> None:
    with pytest.raises(ValueError, match=r"shape \(0, 4\) has no element"):
        tensor_error(recipe("ue4m3-absmax-b4"), FP32, np.zeros((0, 4), np.float32))
    with pytest.raises(ValueError, match="3 samples are not an even number"):
        normal_error(recipe("ue4m3-absmax-b4"), FP32, 1.0, samples=3, seed=1)
