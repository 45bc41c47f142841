"""Words with a tensor scale: kernels against the reference, stimuli, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from emulator.errors import UnknownNameError
from emulator.formats import FORMATS
from emulator.layout import scaled_input_layout
from emulator.recipes import recipe
from emulator.scaled_stimulus import GIVEN, scaled_stimulus, scaled_stimulus_names
from emulator.scaled_words import (
    carried,
    expected_scaled,
    expected_scaled_by_reference,
    float32_patterns,
    kind_of,
)


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("ue4m3-absmax-h-b4", "bf16"),
        ("ue5m3-absmax-pz-h-b2", "fp32"),
        ("ue4m3-absmax-hbf16-b4", "fp16"),
        ("ue5m3-absmax-hp2-b4", "bf16"),
    ],
)
def test_kernels_agree_with_the_reference(name: str, x: str) -> None:
    """spec §14.7, §23.2: some words of every stimulus."""
    r, fmt = recipe(name), FORMATS[x]
    compared = 0
    for stimulus in scaled_stimulus_names():
        words = scaled_stimulus(stimulus, r, fmt)
        words = words[:: max(1, len(words) // 40)]
        fast, exact = (f(r, fmt, words) for f in (expected_scaled, expected_scaled_by_reference))
        assert np.array_equal(fast, exact), stimulus
        compared += len(words)
    assert compared > 200


@pytest.mark.parametrize("kind", GIVEN)
def test_patterns_round_trip(kind: str) -> None:
    """spec §23.1, and all are tensor scales that the kind can express (spec §14.6)."""
    patterns = np.array(GIVEN[kind], np.uint32)
    assert np.array_equal(float32_patterns(carried(patterns, kind), kind), patterns)


@pytest.mark.parametrize("kind", ["h", "hbf16", "hp2"])
def test_random_words_have_valid_tensor_scales(kind: str) -> None:
    """From the smallest to the largest, and the same words again for the same seed (spec §14.6)."""
    r, fmt = recipe(f"ue4m3-absmax-{kind}-b8"), FORMATS["bf16"]
    words = scaled_stimulus("random", r, fmt, blocks=3000, seed=3)
    assert np.array_equal(words, scaled_stimulus("random", r, fmt, blocks=3000, seed=3))
    field = scaled_input_layout(fmt, 8, kind_of(r)).unpack(words)["g"]
    g = float32_patterns(field, kind).view(np.float32)
    assert g.min() >= 2.0**-126 and g.max() < np.inf
    assert g.min() < 2.0**-114 and g.max() > 2.0**114
    assert len(np.unique(g)) > 30
    codes = expected_scaled(r, fmt, words)
    scales = np.unique(codes[:, -1])
    assert len(scales) > 100  # blocks reach most scale codes


@pytest.mark.parametrize(
    ("name", "blocks", "error"),
    [("sweep", None, UnknownNameError), ("zeros", 3, ValueError), ("random", -1, ValueError)],
)
def test_refused(name: str, blocks: int | None, error: type[Exception]) -> None:
    with pytest.raises(error):
        scaled_stimulus(name, recipe("ue4m3-absmax-h-b4"), FORMATS["bf16"], blocks=blocks)
