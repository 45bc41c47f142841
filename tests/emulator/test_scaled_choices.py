"""Words where a choice under a tensor scale changes: what they hold, and what both sides say."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from emulator import reference
from emulator.errors import UnknownNameError
from emulator.formats import FORMATS, FP32, Format
from emulator.layout import Words, output_layout, scaled_input_layout
from emulator.recipes import Recipe, recipe
from emulator.scaled_choices import choice_names, choice_stimulus
from emulator.scaled_words import (
    expected_scaled,
    expected_scaled_by_reference,
    float32_patterns,
    kind_of,
)


def blocks(r: Recipe, fmt: Format, words: Words) -> list[tuple[list[Fraction], Fraction]]:
    """Magnitudes and tensor scale of each word."""
    parts = scaled_input_layout(fmt, r.block_size, kind_of(r)).unpack(words)
    g = float32_patterns(parts["g"][:, 0], kind_of(r))
    return [
        ([abs(fmt.value(int(b))) for b in row], FP32.value(int(scale)))
        for row, scale in zip(parts["x"], g, strict=True)
    ]


def errors(x: Sequence[Fraction], g: Fraction, r: Recipe) -> dict[int, Fraction]:
    """Each candidate's error, by its code (spec §15.2)."""
    codes = reference.candidate_codes(max(x), r, g)
    return {code: reference.squared_error(x, code, r, g) for code in codes}


@pytest.mark.parametrize(
    ("name", "x"),
    [("ue4m3-4o6-pz-h-b4", "bf16"), ("ue5m3-6c-hbf16-b2", "fp16"), ("ue4m3-3c-hp2-b4", "fp32")],
)
def test_kernels_agree_with_the_reference(name: str, x: str) -> None:
    """spec §14.7, §15: some words of every stimulus."""
    r, fmt = recipe(name), FORMATS[x]
    compared = 0
    for stimulus in choice_names():
        words = choice_stimulus(stimulus, r, fmt)
        words = words[:: max(1, len(words) // 40)]
        fast, exact = (f(r, fmt, words) for f in (expected_scaled, expected_scaled_by_reference))
        assert np.array_equal(fast, exact), stimulus
        compared += len(words)
    assert compared > 150


def test_equal_errors_are_equal() -> None:
    """spec §15.3: one in three, the others are one ulp beside."""
    r, fmt = recipe("ue4m3-4o6-h-b4"), FORMATS["bf16"]
    words = choice_stimulus("equal", r, fmt)[::7]
    ties = 0
    for x, g in blocks(r, fmt, words):
        found = errors(x, g, r)
        ties += len(found) == 2 and len(set(found.values())) == 1
    assert ties > len(words) // 5


def test_ties_are_closer_than_the_tensor_scale_is_fine() -> None:
    """Both sides of the tie occur, and errors that differ by less than 2^-20 of the largest."""
    r, fmt = recipe("ue4m3-3c-h-b2"), FORMATS["bf16"]
    words = choice_stimulus("ties", r, fmt)
    near, signs = 0, set()
    for x, g in blocks(r, fmt, words):
        first, *others = errors(x, g, r).values()
        close = [first - e for e in others if 0 < abs(first - e) < max(x) ** 2 / (1 << 20)]
        near += bool(close)
        signs |= {difference > 0 for difference in close}
    assert near > len(words) // 4 and len(signs) == 2


@pytest.mark.parametrize(("rule", "x"), [("3c", "bf16"), ("6c", "fp16")])
def test_clamped_scales_lose_to_the_one_below(rule: str, x: str) -> None:
    """spec §8.2, §15.3: the largest scale and the one before it both win."""
    r, fmt = recipe(f"ue4m3-{rule}-h-b4"), FORMATS[x]
    words = choice_stimulus("clamped", r, fmt)
    scales = output_layout(r.block_format).unpack(expected_scaled(r, fmt, words))["scale"]
    top = r.scale.max_code
    assert min((scales == top).sum(), (scales == top - 1).sum()) > len(words) // 80


def test_refused() -> None:
    r = recipe("ue4m3-4o6-h-b4")
    with pytest.raises(UnknownNameError, match=r"unknown stimulus 'tie'.*did you mean ties"):
        choice_stimulus("tie", r, FORMATS["bf16"])
    with pytest.raises(ValueError, match="seed -1 is below 0"):
        choice_stimulus("ties", r, FORMATS["bf16"], seed=-1)
