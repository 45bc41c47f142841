"""Stochastic rounding under tensor scales and powers of two: elements, and whole quantizers."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from emulator.errors import NotAvailableError
from emulator.formats import FORMATS
from emulator.layout import Words
from emulator.random_scaled_words import (
    expected_random_scaled,
    expected_random_scaled_by_reference,
    random_scaled_words,
)
from emulator.random_words import expected_random, expected_random_by_reference, random_words
from emulator.recipes import recipe
from emulator.scaled_stimulus import GIVEN
from rtl.quantizer_variant import QuantizerVariant
from rtl.random_scaled_shapes import RandomScaledShapes
from rtl.random_variant import RandomVariant
from rtl.select_variant import SelectVariant
from rtl.variants import quantizer, variant
from rtl.vote_variant import VoteVariant
from tests.rtl.scaled_rounding import check_scaled_elements
from tests.rtl.simulation import through

ONE = (0x3F800000,)
SEEDS = (0, 1, 0x1B1A1918131211100B0A090803020100, (1 << 128) - 1)


@pytest.mark.parametrize(
    ("selection", "x", "codes", "scales", "numbers"),
    [
        ("ue4m3-absmax-sr4-h", "bf16", (1, 5, 61, 126), GIVEN["h"], (0, 1, 7, 15)),
        ("ue5m3-absmax-sr3-h", "fp16", (0, 3, 121, 254), GIVEN["h"], (0, 5, 7)),
        ("ue4m3-absmax-sr13-h256", "bf16", (2, 75), GIVEN["h"], (0, 1, 4097, 8191)),
        ("ue5m3-absmax-sr8-hbf16", "bf16", (1, 85, 254), GIVEN["hbf16"], (0, 1, 200, 255)),
        ("ue4m3-absmax-sr4-hp2", "bf16", (1, 59, 126), GIVEN["hp2"], (0, 1, 8, 15)),
        ("ue5m3-absmax-sr1-hp2", "fp16", (1, 3, 117, 254), GIVEN["hp2"], (0, 1)),
        ("ue4m3-absmax-sr20-hp2", "fp16", (7, 70), GIVEN["hp2"], (1, (1 << 20) - 1)),
        ("e8m0-floor-sr4", "bf16", (0, 1, 2, 100, 254), ONE, (0, 1, 7, 15)),
        ("e8m0-even-sr8", "fp16", (0, 95, 103, 104, 127, 140, 150, 254), ONE, (0, 1, 255)),
        ("e8m0-ceil-sr1", "bf16", (0, 1, 2, 130, 254), ONE, (0, 1)),
        ("e8m0-floor-sr20", "fp16", (0, 110, 160, 170), ONE, (0, 1, (1 << 20) - 1)),
    ],
)
def test_elements_of_all_magnitudes(
    selection: str,
    x: str,
    codes: tuple[int, ...],
    scales: tuple[int, ...],
    numbers: tuple[int, ...],
    tmp_path: Path,
) -> None:
    """spec §19.2, §14.7, §9.3, §6.2"""
    assert check_scaled_elements(selection, x, codes, scales, numbers, tmp_path) > 300_000


def given(v: RandomVariant, count: int) -> Words:
    """Words near the scale format's range, with other tensor scales, numbers and seeds in each."""
    rng = random.Random(v.name)
    n, kind = v.recipe.block_size, v.recipe.tensor_scale
    top, spread = v.input.magnitude_mask, 3 << v.input.fraction_bits
    near = [rng.randrange(spread, top) for _ in range(count)]
    x = np.array([[a - rng.randrange(spread) for _ in range(n)] for a in near], np.uint32)
    numbers = np.array([rng.randrange(1 << 57) for _ in range(count)], np.uint64)
    seeds = [rng.choice(SEEDS) for _ in range(count)]
    if kind is None:
        return random_words(x, numbers, seeds, v.input)
    g = np.array([rng.choice(GIVEN[kind]) for _ in range(count)], np.uint32)
    return random_scaled_words(x, g, numbers, seeds, v.recipe, v.input)


@pytest.mark.parametrize(
    ("name", "pauses"),
    [
        ("quantizer-ue4m3-absmax-sr4-h-b2-bf16", 0.3),
        ("quantizer-ue5m3-absmax-sr8-pz-hbf16-b4-fp16-r9-cutiato", 0.0),
        ("quantizer-ue5m3-absmax-sr9-h-b2-fp32-cutt", 0.3),
        ("quantizer-ue4m3-absmax-sr3-hp2-b4-fp32-r3", 0.3),
        ("quantizer-e8m0-even-sr32-b4-fp16-r9", 0.3),
    ],
)
def test_random_words(name: str, pauses: float) -> None:
    """Any pauses, any cut, other tensor scales and seeds in each word (spec §26.2, §26.4, §12)."""
    v = quantizer(name)
    assert isinstance(v, RandomVariant)
    words = given(v, 12)
    if v.recipe.tensor_scale is None:
        spec = expected_random_by_reference(v.recipe, v.input, words)
        assert (expected_random(v.recipe, v.input, words) == spec).all()
    else:
        spec = expected_random_scaled_by_reference(v.recipe, v.input, words)
        assert (expected_random_scaled(v.recipe, v.input, words) == spec).all()
    sent = [int.from_bytes(word.tobytes(), "little") for word in words]
    want = [int.from_bytes(word.tobytes(), "little") for word in spec]
    assert through(v, sent, pauses=pauses) == want


@pytest.mark.parametrize(("kind", "bits"), [("h", 32), ("h256", 32), ("hbf16", 16), ("hp2", 8)])
def test_names(kind: str, bits: int) -> None:
    """Words grow by the tensor scale; interval and latency follow from rounds (spec §26.3)."""
    for rounds, cuts in ((1, "o"), (27, "ao"), (3, "iato")):
        for x in ("bf16", "fp16", "fp32"):
            r = recipe(f"ue4m3-absmax-sr5-pz-{kind}-b8")
            v = RandomVariant(r, FORMATS[x], cuts, rounds)
            assert variant(v.name) == v and v.module.isidentifier()
            assert (v.interval, v.latency) == (27 // rounds, 27 // rounds + len(cuts))
            assert v.ports["i_payload"] == ("input", 8 * FORMATS[x].width + bits + 57 + 128)
            assert f"block number at bit {8 * FORMATS[x].width + bits}" in v.meanings["i_payload"]


@pytest.mark.parametrize("rule", ["floor", "ceil", "even"])
def test_names_of_powers_of_two(rule: str) -> None:
    """The words are those without a tensor scale (spec §26.1)."""
    v = variant(f"quantizer-e8m0-{rule}-sr4-b8-bf16-r3")
    assert isinstance(v, RandomVariant) and variant(v.name) == v
    assert v.ports["i_payload"] == ("input", 8 * 16 + 57 + 128)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("quantizer-ue5m3-search-sr4-b16-bf16", r"hardware for rule 'search' is not available"),
        ("quantizer-ue4m3-search-sr4-h-b16-bf16", r"hardware for rule 'search' is not available"),
        ("quantizer-e8m0-fc-sr4-b64-bf16", r"64 exceeds the 32 lanes"),
    ],
)
def test_rules_without_gates_are_named(name: str, message: str) -> None:
    with pytest.raises(NotAvailableError, match=message):
        variant(name)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (
            RandomVariant,
            "ue5m3-4o6-sr4-b16",
            r"rule '4o6' is none of absmax, .*RandomSelect",
        ),
        (SelectVariant, "ue5m3-4o6-sr4-b16", r"rounds at random: a RandomSelectVariant"),
        (SelectVariant, "ue5m3-4o6-e6-b16", r"limited width: a LimitedVariant"),
        (VoteVariant, "ue5m3-top2-sr4-b16", r"rounds at random: a RandomSelectVariant"),
    ],
)
def test_the_variant_names_the_rule(kind: type[QuantizerVariant], name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(recipe(name), FORMATS["bf16"])


@pytest.mark.parametrize(
    ("selection", "x", "product", "number"),
    [
        ("ue4m3-absmax-sr4-h", "bf16", 27, 14),
        ("ue5m3-absmax-sr4-h", "fp32", 27, 30),
        ("ue4m3-absmax-sr4-hbf16", "bf16", 11, 14),
        ("ue4m3-absmax-sr4-hp2", "bf16", 3, 10),
        ("e8m0-even-sr4", "bf16", 0, 7),
    ],
)
def test_widths(selection: str, x: str, product: int, number: int) -> None:
    """B, and min(f, B) + k + 3 bits of a number (spec §26.4)."""
    s = RandomScaledShapes.of_recipe(recipe(f"{selection}-b16"), FORMATS[x])
    assert (s.product_bits, s.number_bits) == (product, number)
