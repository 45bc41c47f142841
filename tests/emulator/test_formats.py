"""Formats as data: their tables, and what contradictory fields are told."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from emulator.errors import UnknownNameError
from emulator.formats import E2M1, E8M0, FORMATS, UE4M3, UE5M3, Format, format_named


def test_e2m1_values() -> None:
    """spec §2.2, as the OCP microscaling specification lists them."""
    magnitudes = [0, Fraction(1, 2), 1, Fraction(3, 2), 2, 3, 4, 6]
    assert [E2M1.value(c) for c in range(8)] == magnitudes
    assert [E2M1.value(c) for c in range(8, 16)] == [-m for m in magnitudes]
    assert E2M1.parts(8) == (1, 0, -1)


@pytest.mark.parametrize(
    ("fmt", "min_positive", "min_normal_code", "min_normal", "maximum"),
    [
        (UE4M3, Fraction(1, 2**9), 0x08, Fraction(1, 2**6), 448),  # spec §2.3
        (UE5M3, Fraction(1, 2**17), 0x08, Fraction(1, 2**14), 114688),  # spec §2.4
    ],
)
def test_scale_formats(
    fmt: Format, min_positive: Fraction, min_normal_code: int, min_normal: Fraction, maximum: int
) -> None:
    assert fmt.value(0) == 0
    assert fmt.min_positive == min_positive
    assert fmt.value(min_normal_code) == min_normal
    assert fmt.max == maximum
    assert [c for c in range(1 << fmt.width) if fmt.is_nan(c)] == [fmt.max_code + 1]


def test_e8m0_values() -> None:
    """spec §2.5."""
    assert [E8M0.value(c) for c in (0, 127, 254)] == [Fraction(1, 2**127), 1, 2**127]
    assert E8M0.is_nan(255) and not E8M0.is_inf(255)


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=lambda f: f.name)
def test_values_grow_with_the_code(fmt: Format) -> None:
    """spec §2.1: the order of codes is the order of values, which every comparison relies on."""
    step = max(1, fmt.max_code // 4096)
    codes = [*range(0, fmt.max_code, step), fmt.max_code]
    values = [fmt.value(c) for c in codes]
    assert values == sorted(set(values))


def test_a_format_of_two_code_bases_can_be_expressed() -> None:
    """UE5M3 with max 61440 (exponent 31 reserved), as two research code bases have it."""
    reserved = Format("ue5m3r", 5, 3, bias=15, max_code=0xF7, nan_code=0xFF, inf_code=0xF8)
    assert reserved.max == 61440


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"exponent_bits": 9}, "exponent_bits is 9, not 1 to 8"),
        ({"fraction_bits": 24}, "fraction_bits is 24, not 0 to 23"),
        ({"max_code": 0x100}, "max_code 0x100 is not a code of 8 magnitude bits"),
        ({"nan_code": 0x10}, "nan_code 0x10 is not above max_code"),
        ({"max_code": 0xF0, "inf_code": 0xF8}, "inf_code 0xf8 does not follow max_code"),
        ({"storage_bits": 7}, "storage_bits 7 < width 8"),
    ],
)
def test_contradictory_fields(fields: dict[str, int], message: str) -> None:
    good = {"exponent_bits": 5, "fraction_bits": 3, "bias": 15, "max_code": 0xFE}
    with pytest.raises(ValueError, match=message):
        Format("odd", **(good | fields))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": 5}, "name is 5, not a string"),
        ({"exponent_bits": 5.0}, "odd: exponent_bits is 5.0, not an integer"),
        ({"bias": "x"}, "odd: bias is 'x', not an integer"),
        ({"nan_code": "ff"}, "odd: nan_code is 'ff', not a code"),
        ({"has_zero": "no"}, "odd: has_zero is 'no', not a bool"),
    ],
)
def test_fields_of_a_wrong_type(fields: dict[str, Any], message: str) -> None:
    good = {"name": "odd", "exponent_bits": 5, "fraction_bits": 3, "bias": 15, "max_code": 0xFE}
    with pytest.raises(TypeError, match=message):
        Format(**(good | fields))


def test_codes_that_are_not_finite_have_no_value() -> None:
    with pytest.raises(ValueError, match="ue5m3: code 0xff is not finite"):
        UE5M3.value(0xFF)


def test_unknown_names_list_near_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown format 'ue5m4'; did you mean ue5m3"):
        format_named("ue5m4")
