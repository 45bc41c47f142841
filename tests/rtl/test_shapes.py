"""Widths of the datapath follow from the field widths of the formats."""

from __future__ import annotations

from fractions import Fraction

import pytest

from emulator.formats import BF16, E8M0, FORMATS, FP16, FP32, UE4M3, UE5M3, Format
from rtl.shapes import Shapes, floor_log2

UE4M4 = Format("ue4m4", 4, 4, bias=7, max_code=0xFE, nan_code=0xFF)
UE5M2 = Format("ue5m2", 5, 2, bias=15, max_code=0x7E, nan_code=0x7F, storage_bits=8)
UE6M1 = Format("ue6m1", 6, 1, bias=31, max_code=0x7E, nan_code=0x7F, storage_bits=8)
UE6M2 = Format("ue6m2", 6, 2, bias=31, max_code=0xFE, nan_code=0xFF)
SCALES = (UE4M3, UE5M3, E8M0, UE4M4, UE5M2, UE6M1, UE6M2)
INPUTS = (BF16, FP16, FP32)


def shapes(x: Format, scale: Format) -> Shapes:
    return Shapes(x, scale, "absmax" if scale.has_zero else "floor")


@pytest.mark.parametrize(
    ("x", "scale", "exponent_bits", "base", "normalised", "implied"),
    [
        (BF16, UE4M3, 5, 112, False, True),
        (FP32, UE4M3, 5, 112, False, True),
        (BF16, UE5M3, 6, 96, False, True),
        (FP16, UE4M3, 5, 0, False, True),
        (FP16, UE5M3, 6, -32, True, False),
        (BF16, E8M0, 8, 0, False, False),
        (FP16, E8M0, 6, -32, True, False),
    ],
    ids=lambda v: getattr(v, "name", None),
)
def test_windows(
    x: Format, scale: Format, exponent_bits: int, base: int, normalised: bool, implied: bool
) -> None:
    s = shapes(x, scale)
    assert (s.exponent_bits, s.base) == (exponent_bits, base)
    assert (s.normalised, s.infinity_implied) == (normalised, implied)


@pytest.mark.parametrize("x", INPUTS, ids=lambda f: f.name)
@pytest.mark.parametrize("scale", SCALES, ids=lambda f: f.name)
def test_ends_of_the_window_mean_what_they_stand_for(x: Format, scale: Format) -> None:
    """Lane exponent 0 is below a quarter of every scale, and what saturates there is code 7."""
    s = shapes(x, scale)
    smallest = scale.value(1 if scale.has_zero else 0)
    if s.raw:
        # Three leading zeros in a subnormal's fraction are a quarter of the smallest scale or less,
        # and a subnormal amax gives the smallest scale (spec §9.1, §8.7).
        assert Fraction(2) ** (1 - x.bias - 3) <= smallest / 4
        assert Fraction(2) ** (1 - x.bias) <= 4 * smallest
        assert (s.base, s.exponent_bits) == (0, x.exponent_bits)
        return
    low, high = (origin - s.base for origin in s.origin_range)
    assert 0 <= low <= high < s.infinity_exponent
    if not s.normalised:
        # Exponent field 0 and all that the window takes for it is at most smallest / 4 (spec §9.1).
        below = Fraction(2) ** (max(s.base, 0) + 1 - x.bias)
        assert below <= smallest / 4
        if s.exponent_bits < x.exponent_bits:
            assert high + 7 <= s.infinity_exponent - 1
    else:
        assert x.value(x.max_code) < Fraction(2) ** (s.infinity_exponent + s.base - x.bias)
        # All that a scale can still tell from zero is normalised (spec §4.2).
        tiny = Fraction(2) ** (-s.leading_zeros + 1 - x.bias)
        assert tiny <= smallest / 4 or s.leading_zeros == x.fraction_bits


def test_lanes_keep_seven_times_the_significand() -> None:
    assert {f.name: shapes(FP32, f).fraction_bits for f in SCALES} == {
        "ue4m3": 6,
        "ue5m3": 6,
        "e8m0": 3,
        "ue4m4": 7,
        "ue5m2": 5,
        "ue6m1": 4,
        "ue6m2": 5,
    }


@pytest.mark.parametrize("scale", ["ue4m3", "ue5m3"])
def test_key_patterns_follow_the_fields(scale: str) -> None:
    """6 * 2^-8 as an amax key: exponent -6, fraction 1/2."""
    s = shapes(FP32, FORMATS[scale])
    field = -6 + 127 - s.base
    assert s.key_pattern(Fraction(6, 256), False) == (field << 7) + 64
    assert s.key_pattern(Fraction(6, 256), True) == (field << 7) + 65


def test_floor_log2() -> None:
    for e in range(-30, 31):
        power = Fraction(2) ** e
        assert floor_log2(power) == e
        assert floor_log2(power * Fraction(1023, 1024)) == e - 1
        assert floor_log2(power * Fraction(2047, 1024)) == e
