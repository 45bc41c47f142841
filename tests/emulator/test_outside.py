"""Encoding and decoding against ml_dtypes, NumPy and gfloat: equal but for a list of classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import gfloat
import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from emulator.formats import FORMATS, UE5M3
from emulator.tensor import decode, encode

INF = 0x7F800000
Bits = npt.NDArray[np.uint32]

OUTSIDE: dict[str, Any] = {
    "e2m1": ml_dtypes.float4_e2m1fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e8m0": ml_dtypes.float8_e8m0fnu,
    "bf16": ml_dtypes.bfloat16,
    "fp16": np.float16,
}


@dataclass(frozen=True)
class Difference:
    """A class of inputs that an outside library encodes otherwise, on purpose or not."""

    fmt: str
    what: str
    member: Callable[[Bits], npt.NDArray[np.bool_]]
    theirs: int | None
    """Their magnitude code, with the sign of x if the format has one; None for any NaN."""
    overflow: tuple[str, ...] = ("saturate",)


def _magnitude(x: Bits) -> Bits:
    return x & np.uint32(0x7FFFFFFF)


def _from(pattern: int) -> Callable[[Bits], npt.NDArray[np.bool_]]:
    """Magnitudes from a pattern up to infinity."""
    return lambda x: (_magnitude(x) >= pattern) & (_magnitude(x) <= INF)


def _positive_nan(x: Bits) -> npt.NDArray[np.bool_]:
    return (x > INF) & (x < 1 << 31)


def _tie_above_even(x: Bits) -> npt.NDArray[np.bool_]:
    """1.5 * 2**k where 2**k has an even code."""
    return (x & np.uint32(0x80FFFFFF) == 0x400000) & (x >= 0x800000) & (x < 0x7F400000)


LISTED = (
    Difference("e2m1", "NaN becomes -0", _positive_nan, 0x8),
    Difference("e2m3", "NaN becomes -0", _positive_nan, 0x20),
    Difference("e3m2", "NaN becomes -0", _positive_nan, 0x20),
    Difference("e4m3", "overflow becomes NaN", _from(0x43E80001), 0x7F),
    Difference("e5m2", "overflow becomes Inf", _from(0x47700000), 0x7C),
    Difference("bf16", "overflow becomes Inf", _from(0x7F7F8000), 0x7F80),
    Difference("fp16", "overflow becomes Inf", _from(0x477FF000), 0x7C00),
    Difference(
        "fp16", "NaN keeps its payload", lambda x: _magnitude(x) > INF, None, ("saturate", "ieee")
    ),
    Difference("e8m0", "0 becomes NaN", lambda x: x == 0, 0xFF),
    Difference("e8m0", "negative becomes NaN", lambda x: (x >> 31 == 1) & (x <= 0xFF800000), 0xFF),
    Difference("e8m0", "overflow becomes NaN", lambda x: (x >= 0x7F400000) & (x <= INF), 0xFF),
    Difference("e8m0", "ties go up", _tie_above_even, -1),
    Difference("e8m0", "above 2**-127 goes up", lambda x: (x > 0x400000) & (x <= 0x600000), 1),
)
"""All differences. The -1 stands for: one code above ours."""


@lru_cache(maxsize=1)
def inputs() -> Bits:
    """All of bfloat16 and float16, and 2**24 float32 patterns spread evenly."""
    halves = np.arange(1 << 16, dtype=np.uint16)
    spread = np.arange(0, 1 << 32, 255, dtype=np.uint64).astype(np.uint32)
    assert spread.size >= 1 << 24
    edges = [0x43E80001, 0x43E80000, 0x476FFFFF, 0x477FEFFF, 0x477FF000, 0x7F7F7FFF, 0x7F800001]
    edges += [0x400000, 0x400001, 0x5FFFFF, 0x600000, 0x600001, 0x7F400000, 0x7F3FFFFF]
    return np.concatenate(
        [
            halves.astype(np.uint32) << np.uint32(16),
            halves.view(np.float16).astype(np.float32).view(np.uint32),
            spread,
            np.array(edges, np.uint32),
        ]
    )


def words(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array.view(np.uint16 if array.dtype.itemsize == 2 else np.uint8)


def test_the_list_has_its_size() -> None:
    """A new difference has to be understood and listed; see also `test_encode`."""
    assert len(LISTED) == 13


CASES = [(name, "saturate") for name in OUTSIDE]
CASES += [(name, "ieee") for name in OUTSIDE if FORMATS[name].inf_code is not None]


@pytest.mark.parametrize(("name", "overflow"), CASES)
def test_encode(name: str, overflow: str) -> None:
    """spec §3.1 to §3.7, §2.7: identical outside the listed classes, as stated inside them."""
    x, fmt = inputs(), FORMATS[name]
    with np.errstate(over="ignore", invalid="ignore"):
        theirs = words(x.view(np.float32).astype(OUTSIDE[name]))
    ours = encode(x.view(np.float32), fmt, overflow=overflow, nan="zero")
    same = np.ones(x.size, np.bool_)
    for listed in LISTED:
        if listed.fmt != name or overflow not in listed.overflow:
            continue
        inside = listed.member(x)
        same[inside] = False
        got, mine = theirs[inside], ours[inside]
        assert (got != mine).any(), f"{listed.what} does not occur"
        if listed.theirs is None:
            assert fmt.inf_code is not None
            assert ((got & fmt.magnitude_mask) > fmt.inf_code).all(), listed.what
            assert ((mine & fmt.magnitude_mask) == fmt.nan_code).all(), listed.what
            continue
        stated = (
            mine + 1 if listed.theirs < 0 else listed.theirs | (x[inside] >> 31) * fmt.sign_mask
        )
        assert (got == stated).all(), listed.what
        assert (got != mine).all(), f"{listed.what}: the class is too wide"
    wrong = np.flatnonzero(same & (ours != theirs))
    assert not wrong.size, (f"{x[wrong[0]]:08x}", ours[wrong[0]], theirs[wrong[0]], wrong.size)
    assert same.sum() > x.size // 3


@pytest.mark.parametrize("name", OUTSIDE)
def test_decode(name: str) -> None:
    """spec §2.1, §2.2, §2.5, §2.7: all codes; NaN at the same codes with the same sign."""
    fmt = FORMATS[name]
    codes = np.arange(1 << fmt.width, dtype=np.uint16 if fmt.width > 8 else np.uint8)
    theirs = codes.view(OUTSIDE[name]).astype(np.float32)
    ours = decode(codes, fmt)
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    number = ~np.isnan(ours)
    assert np.array_equal(ours.view(np.uint32)[number], theirs.view(np.uint32)[number])


GFLOAT_UE5M3 = gfloat.FormatInfo(
    name="ue5m3",
    k=8,
    precision=4,
    bias=15,
    is_signed=False,
    domain=gfloat.Domain.Finite,
    has_nz=False,
    num_high_nans=1,
    has_subnormals=True,
    is_twos_complement=False,
)


def against_gfloat(step: int) -> int:
    """Compare every ``step``-th pattern from 0 to Inf, and the NaNs above; return how many."""
    compared, chunk = 0, 1 << 20
    fi = GFLOAT_UE5M3
    for start in range(0, 1 << 31, chunk * step):
        stop = min(start + chunk * step, 1 << 31)
        x = np.arange(start, stop, step, dtype=np.uint64).astype(np.uint32).view(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = gfloat.round_ndarray(fi, x, gfloat.RoundMode.TiesToEven, sat=True)
            theirs = gfloat.encode_ndarray(fi, rounded)
        ours = encode(x, UE5M3)
        wrong = np.flatnonzero(ours != theirs)
        assert not wrong.size, (f"{x.view(np.uint32)[wrong[0]]:08x}", ours[wrong[0]])
        compared += x.size
    return compared


def test_ue5m3_against_gfloat() -> None:
    """spec §2.4, §3.1, §3.2: 2**20 magnitudes with its saturating encoder."""
    assert against_gfloat(2047) > 1 << 20


def test_ue5m3_steps_against_gfloat() -> None:
    """spec §3.1: each of the 255 midpoints and +-2 patterns around it."""
    values = decode(np.arange(255, dtype=np.uint8), UE5M3)
    middles = ((values[1:] + values[:-1]) / np.float32(2)).view(np.uint32)
    x = (middles[:, None] + np.arange(-2, 3)).astype(np.uint32).reshape(-1).view(np.float32)
    rounded = gfloat.round_ndarray(GFLOAT_UE5M3, x, gfloat.RoundMode.TiesToEven, sat=True)
    assert np.array_equal(encode(x, UE5M3), gfloat.encode_ndarray(GFLOAT_UE5M3, rounded))


@pytest.mark.exhaustive
def test_ue5m3_against_gfloat_in_full() -> None:
    """2**26 magnitudes and more."""
    assert against_gfloat(31) > 1 << 26


def test_ue5m3_decode_against_gfloat() -> None:
    """spec §2.4: all codes."""
    codes = np.arange(256, dtype=np.uint8)
    theirs = gfloat.decode_ndarray(GFLOAT_UE5M3, codes)
    assert np.array_equal(decode(codes, UE5M3), theirs.astype(np.float32), equal_nan=True)
