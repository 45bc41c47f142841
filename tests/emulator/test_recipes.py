"""The name grammar, in both directions, and the combinations that make no sense."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.blocks import BlockFormat
from emulator.errors import NotAvailableError, UnknownNameError
from emulator.formats import FORMATS
from emulator.recipes import (
    ALIASES,
    E8M0_RULES,
    ERROR_BITS,
    ERROR_BITS_RULES,
    FLOAT_RULES,
    TABLE_RULE,
    Recipe,
    recipe,
    recipe_names,
)

ELEMENTS = [f.name for f in FORMATS.values() if f.signed]


@st.composite
def names(draw: st.DrawFn) -> str:
    """Canonical recipe names that make sense, in the order of the grammar."""
    scale = draw(st.sampled_from(["ue4m3", "ue5m3", "e8m0"]))
    rule = draw(st.sampled_from(E8M0_RULES if scale == "e8m0" else FLOAT_RULES))
    element = draw(st.sampled_from(["", *(f"{e}." for e in ELEMENTS if e != "e2m1")]))
    parts = [element + scale, rule]
    if rule in ERROR_BITS_RULES and draw(st.booleans()):
        parts.append(f"e{draw(st.sampled_from(ERROR_BITS))}")
    if draw(st.booleans()):
        parts.append(f"sr{draw(st.integers(1, 32))}")
    if scale != "e8m0":
        parts += draw(st.sampled_from([[], ["pz"]]))
        kinds = ["h", "hbf16", "hp2"] + (["h256"] if scale == "ue4m3" else [])
        kinds = ["hp2"] if rule == TABLE_RULE else kinds
        parts += draw(st.sampled_from([[], *([k] for k in kinds)]))
    return "-".join([*parts, f"b{2 ** draw(st.integers(1, 8))}"])


@given(names())
def test_every_sensible_name_is_printed_back(name: str) -> None:
    assert recipe(name).name == name
    assert recipe(recipe(name).name) == recipe(name)


def test_available_recipes_are_those_that_are_listed() -> None:
    for name in recipe_names():
        if name in ALIASES:
            assert recipe(name) == recipe(ALIASES[name])
        else:
            assert recipe(name).unavailable is None


@pytest.mark.parametrize("size", [2, 64, 128, 256])
def test_any_power_of_two(size: int) -> None:
    """spec §5.3."""
    assert recipe(f"ue5m3-absmax-b{size}").block_size == size


def test_later_recipes_parse_but_do_not_compute() -> None:
    with pytest.raises(NotAvailableError, match="is not available yet"):
        recipe("e2m3.e8m0-floor-b32").require_available()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ue5m3-absmax-b12", "ue5m3-absmax-b12: block size 12 is not a power of two"),
        ("ue5m3-absmax-b016", "unknown recipe 'ue5m3-absmax-b016'"),
        ("e8m0-absmax-b32", "rule 'absmax' does not fit scale format e8m0, which holds powers"),
        ("ue5m3-floor-b32", "rule 'floor' does not fit scale format ue5m3, which has a fraction"),
        ("e8m0-floor-pz-b32", "pz has no meaning for e8m0"),
        ("e8m0-floor-h-b32", "e8m0 reaches every float32 binade and takes no tensor scale"),
        ("ue5m3-absmax-h256-b16", "h256 is defined for ue4m3 scales only"),
        ("ue5m3-absmax-e6-b16", "-e<bits> goes with 4o6, 3c, 6c, not with 'absmax'"),
        ("ue5m3-absmax-sr0-b16", "-sr0 is not a width from 1 to 32"),
        ("ue5m3-absmax-sr33-b16", "-sr33 is not a width from 1 to 32"),
        ("ue5m3-4o6-e4-b16", "-e4 is not a width from 5 to 16 .fewer bits choose worse"),
        ("ue5m3-4o6-e17-b16", "-e17 is not a width from 5 to 16"),
        ("ue5m3-4o6t-e6-b16", "-e<bits> goes with 4o6, 3c, 6c, not with '4o6t'"),
        ("ue4m3-4o6t-h-b16", "4o6t goes with no tensor scale but hp2, as only powers of two"),
        ("ue4m3-4o6t-h256-b16", "4o6t goes with no tensor scale but hp2"),
        ("ue5m3.ue5m3-absmax-b16", "element format ue5m3 has no sign"),
        ("e4m3-absmax-b16", "scale format e4m3 is not an unsigned format"),
    ],
)
def test_combinations_without_sense(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe(name)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("ue5m3-absmx-b16", "did you mean absmax"),
        ("ue5m3_absmax_b16", "did you mean ue5m3-absmax-b16"),
        ("ue5m4-absmax-b16", "no scale format 'ue5m4'; did you mean ue5m3-absmax-b16"),
        ("ue5m3-absmax", "did you mean ue5m3-absmax-b"),
        ("mxfp5", "did you mean mxfp4"),
    ],
)
def test_unknown_names_list_near_ones(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=near):
        recipe(name)


def test_a_name_stands_for_one_format() -> None:
    """A format of one's own may not pass for a known one in a recipe's name."""
    reserved = replace(FORMATS["ue5m3"], max_code=0xF7)
    with pytest.raises(ValueError, match="another format than the known ue5m3 has its name"):
        Recipe(BlockFormat(FORMATS["e2m1"], reserved, 16), "absmax")
    own = replace(reserved, name="ue5m3r")
    assert Recipe(BlockFormat(FORMATS["e2m1"], own, 16), "absmax").name == "ue5m3r-absmax-b16"


def test_a_name_is_a_string() -> None:
    with pytest.raises(TypeError, match="a recipe name is a string, not int"):
        recipe(16)  # pyright: ignore[reportArgumentType]
