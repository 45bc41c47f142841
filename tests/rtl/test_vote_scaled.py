"""Quantizers that vote under a tensor scale: votes in gates, whole ones, and what finds faults."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cocotb_tests.subjects import subject
from emulator.formats import FORMATS, UE4M3, UE5M3, Format
from emulator.recipes import recipe
from emulator.scaled_stimulus import GIVEN
from emulator.scaled_words import expected_scaled_by_reference
from rtl.variants import quantizer
from rtl.vote_scaled_shapes import VOTE_STEPS
from rtl.vote_variant import VoteVariant
from tests.rtl.scaled_vote_mutants import caught_by
from tests.rtl.scaled_voting import check_scaled_votes, scaled_shapes, tensor_scales
from tests.rtl.simulation import through
from tests.rtl.test_scaled import integers


@pytest.mark.parametrize(
    ("selection", "x", "codes"),
    [
        ("ue4m3-top2-h", "bf16", (1, 7, 61)),
        ("ue5m3-pop-h", "fp16", (3, 120)),
        ("ue4m3-top3-hp2", "fp32", (1, 7, 59, 126)),
        ("ue5m3-pop-hbf16", "fp32", (1, 85, 254)),
    ],
)
def test_votes_of_magnitudes_beside_products(
    selection: str, x: str, codes: tuple[int, ...], tmp_path: Path
) -> None:
    """All magnitudes of 16 bits, some of float32 and those around each step (spec §18.3, §18.5)."""
    s = scaled_shapes(selection, x)
    scales = [*GIVEN[s.kind], *tensor_scales(s.kind, 2, seed=len(selection))]
    compared = check_scaled_votes(selection, x, codes, scales, tmp_path)
    assert compared > (100_000 if x == "bf16" else 20_000)


@pytest.mark.parametrize(
    "name",
    ["quantizer-ue5m3-pop-pz-hbf16-b2-fp16-cutisto", "quantizer-ue4m3-top3-hp2-b4-bf16-cutt"],
)
def test_words_of_all_kinds(name: str) -> None:
    """Each word under its own tensor scale, with pauses, by the reference (spec §18, §23.2)."""
    v = quantizer(name)
    about = subject(v)
    rng = np.random.default_rng(len(name))
    words = [about.stimulus("random", words=8, seed=2)]
    for stimulus in ("votes", "clamped", "specials"):
        found = about.stimulus(stimulus)
        words.append(found[rng.integers(0, len(found), 4)])
    given = np.concatenate(words)
    want = integers(expected_scaled_by_reference(v.recipe, v.input, given))
    assert through(v, integers(given), pauses=0.3) == want


@pytest.mark.parametrize("name", ["reached-short-top", "quarter-votes"])
def test_directed_words_catch(name: str, tmp_path: Path) -> None:
    """A fault in the votes is found by their own words alone; the others are exhaustive's."""
    assert caught_by(name, tmp_path, ("votes",)) == ["votes"]


@pytest.mark.parametrize("scale", [UE4M3, UE5M3], ids=lambda f: f.name)
def test_three_bits_tell_the_binades_of_a_lane(scale: Format) -> None:
    """Where candidates differ, amax / g is rounded to s6: it is at most 9 * s6 (spec §8.1).

    The quotient of two significands is above 1/2, so that 9 is below 2**4 times it.
    """
    values = [scale.value(code) for code in range(1, scale.max_code + 1)]
    assert max(3 * (a + b) / a for a, b in pairwise(values)) == 9


def test_widths() -> None:
    """Multiples are cut to a lane's bits; a power of two as tensor scale adds none."""
    assert VOTE_STEPS == (9, 11, 14, 15, 16, 17, 18, 19, 20, 21)
    top, pop = scaled_shapes("ue4m3-top3-h"), scaled_shapes("ue4m3-pop-h")
    assert top.multiples == (1, 5, 7, 9, 11, 15, 17, 19, 21) and pop.multiples == (1, 3)
    assert [top.width(k) for k in (1, 9, 21)] == [27, 31, 32]
    assert [top.thresholds[f"n{k}"].width for k in top.multiples] == [7] * 9
    power = scaled_shapes("ue5m3-top2-hp2", "fp32")
    assert [power.width(k) for k in (1, 5, 21)] == [3, 6, 8]
    assert not any(power.cut(k) for k in power.multiples)
    wide = scaled_shapes("ue5m3-pop-h", "fp32")
    assert (wide.cut(1), wide.cut(3)) == (4, 6)


@pytest.mark.parametrize("kind", ["h", "h256", "hbf16", "hp2"])
@pytest.mark.parametrize("cuts", ["avo", "i", "iasvto"])
def test_names(kind: str, cuts: str) -> None:
    v = VoteVariant(recipe(f"ue4m3-pop-pz-{kind}-b8"), FORMATS["fp16"], cuts)
    assert quantizer(v.name) == v and ("-cut" in v.name) == (cuts != "avo")
    assert v.latency == len(cuts)  # spec §12.5
