"""`finescale quantize --tensor-scale`: numbers read exactly, and what is refused (spec §14.6)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.numbers import float32_number
from emulator.files import read_quantized
from emulator.tensor import quantize
from tests.cli.conftest import Cli

RECIPE = "ue4m3-absmax-h-b16"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.25", 0.25),
        ("1e-2", None),
        ("3", 3.0),
        ("+.5e1", 5.0),
        ("0x1.8p-3", 0.1875),
        ("0X1.8P3", 12.0),
        ("0x10", 16.0),
        ("-0x.8", -0.5),
        ("fp32:3f800000", 1.0),
        ("FP32:00800000", 2.0**-126),
        ("fp32:80000001", -(2.0**-149)),
        ("1.00000000000000000000000000001", None),
        ("0x1.00000000000000001p0", None),
        ("1e400", None),
    ],
)
def test_numbers_are_read_without_rounding(text: str, value: float | None) -> None:
    """spec §14.6"""
    if value is None:
        with pytest.raises(ValueError, match=r"is not a float32 \(spec §14.6\)"):
            float32_number(text, "--tensor-scale")
    else:
        assert float32_number(text, "--tensor-scale") == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "nan", "inf", "-inf", "1/4", "0x", "0x.", "0x1p", "fp32:3f8", "0x1g"),
        *("1e999999999", "0x1p99999", "one", "fp16:3c00"),
    ],
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=f"^--x {text!r} is not a finite decimal"):
        float32_number(text, "--x")


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_every_float32_in_three_notations(value: float) -> None:
    bits = int(np.float32(value).view(np.uint32))
    for text in (value.hex(), f"{value:.160f}", f"fp32:{bits:08x}"):
        assert float32_number(text, "--x") == value


@pytest.mark.parametrize("text", ["0.001953125", "0x1p-9", "fp32:3b000000"])
def test_a_given_scale_is_used_for_all_tensors(cli: Cli, weights: np.ndarray, text: str) -> None:
    """spec §14.6"""
    np.savez("w.npz", a=weights, b=weights * np.float32(3))
    ended = cli("quantize", "w.npz", "-o", "q.npz", "--recipe", RECIPE, "--tensor-scale", text)
    assert ended.code == 0, ended.err
    made = read_quantized(Path("q.npz"))
    for key, x in (("a", weights), ("b", weights * np.float32(3))):
        q = quantize(x, RECIPE, tensor_scale=2.0**-9)
        assert (made[key].codes == q.codes).all() and (made[key].scales == q.scales).all()
        assert (made[key].scales != quantize(x, RECIPE).scales).any()
        assert made[key].tensor_scale == np.float32(2.0**-9)


@pytest.mark.parametrize(
    ("recipe", "text", "reason"),
    [
        ("ue4m3-absmax-b16", "1", "--tensor-scale 1: ue4m3-absmax-b16 has no tensor scale"),
        (
            RECIPE,
            "0.1",
            "--tensor-scale 0.1 is not a float32 (spec §14.6); the nearest is 0x1.99999a0000000p-4",
        ),
        (RECIPE, "0", "--tensor-scale 0 is not a normal float32 above 0 (spec §14.6)"),
        (RECIPE, "-1", "--tensor-scale -1 is not a normal float32 above 0"),
        (RECIPE, "fp32:007fffff", "--tensor-scale fp32:007fffff is not a normal float32"),
        (RECIPE, "1e39", "--tensor-scale 1e39 is not a"),
        (RECIPE, "fp32:7f800000", "--tensor-scale fp32:7f800000 is not finite (spec §14.6)"),
        (RECIPE, "nan", "--tensor-scale 'nan' is not a finite decimal"),
        ("ue4m3-absmax-hbf16-b16", "0x1.01p0", "--tensor-scale 0x1.01p0 is not a bfloat16, as"),
        ("ue5m3-absmax-hp2-b16", "3", "--tensor-scale 3 is not a power of two, as"),
    ],
)
def test_refusals(cli: Cli, weights: np.ndarray, recipe: str, text: str, reason: str) -> None:
    """spec §14.6"""
    np.save("w.npy", weights)
    ended = cli("quantize", "w.npy", "-o", "q.npz", "--recipe", recipe, f"--tensor-scale={text}")
    assert ended.code == 2 and ended.message.startswith(reason)
