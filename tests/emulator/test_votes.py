"""Selection by votes: kernels against the reference, the clauses' lemma, laws, what it is worth."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from benchmarks.bench_rules import KINDS, gains
from emulator import golden, reference
from emulator.exhaustive import DTYPES
from emulator.formats import BF16, FP32
from emulator.recipes import VOTING_RULES, VOTING_SELECTIONS, recipe
from emulator.reference_votes import pop_vote, top_vote
from emulator.stimulus import stimulus
from emulator.tensor import dequantize, quantize
from tests.emulator.selecting import compare, compare_hard, pairs, step_blocks, tensor_scales
from tests.spec_examples import examples, floats

SIZES = (2, 4, 8, 16, 32)
SCALED = ("ue4m3-top3-h", "ue4m3-pop-pz-h256", "ue5m3-top2-hbf16", "ue5m3-pop-hp2")

# --- the kernels are the reference


@pytest.mark.parametrize(
    ("r", "fmt"),
    pairs(VOTING_SELECTIONS, SIZES)[::2] + pairs(SCALED, SIZES)[::3],
    ids=lambda value: value.name,
)
def test_blocks_of_every_kind(r: Any, fmt: Any) -> None:
    """spec §18.1 to §18.6: same codes and scales."""
    assert compare_hard(r, fmt, 30, seed=r.block_size).blocks >= 30
    for g in tensor_scales(r)[:2]:
        assert compare(r, FP32, step_blocks(r, 40, r.block_size, g), g).blocks == 40


@pytest.mark.parametrize("name", ["ue5m3-top3-b256", "ue4m3-pop-b128"])
def test_large_blocks(name: str) -> None:
    """spec §18.4, §18.6"""
    r = recipe(name)
    assert compare(r, FP32, step_blocks(r, 12, 3, 1.0), 1.0).blocks == 12


@pytest.mark.parametrize("name", ["ue4m3-pop-b16", "ue5m3-top3-b4", "ue4m3-top2-b2"])
def test_the_stimulus_of_votes(name: str) -> None:
    """spec §18.2 to §18.6: both choices occur, and often a neighbour changes the choice."""
    r = recipe(name)
    words = stimulus(f"votes-{r.scale.name}", r, BF16)
    spec = golden.expected(r, BF16, words)
    picked = golden.sample_rows(len(words), 250)
    assert (golden.expected_by_reference(r, BF16, words[picked]) == spec[picked]).all()
    six = golden.expected(recipe(name.replace(r.rule, "absmax")), BF16, words)
    other = (spec[:, -1] != six[:, -1]).reshape(-1, 3)
    assert len(other) > 1500 and 0.1 < other.mean() < 0.9
    assert (other.any(axis=1) & ~other.all(axis=1)).mean() > 0.1


EXAMPLES = [
    e for e in examples() if e.verb == "quantize" and e.clause.split(".")[0] in ("§18", "§19")
]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_examples_by_the_kernels(example: Any) -> None:
    """The blocks of spec §18 and of spec §19, most of which decide by one equality."""
    left, *options = example.left.split()
    fmt, bits = floats(left)
    x = np.array(bits, np.uint32 if fmt.width > 16 else np.uint16).view(DTYPES[fmt])
    seed = int(options[0].removeprefix("seed="), 16) if options else None
    q = quantize(x, example.subject, seed=seed)
    rows = [q.codes[i : i + q.recipe.block_size] for i in range(0, x.size, q.recipe.block_size)]
    codes = ["".join(f"{c:x}" for c in row) for row in rows]
    got = " | ".join(f"{s:02x} {row}" for s, row in zip(q.scales, codes, strict=True))
    assert got == example.right


# --- the clauses


def test_votes_are_those_of_the_tables() -> None:
    """spec §18.3, §18.5: at each step, and just below it."""
    tops = {9: 1, 10: 1, 14: -2, 15: -3, 16: -1, 17: 1, 18: 3, 19: 5, 20: 3}
    for quarters in range(40):
        y = Fraction(quarters, 4)
        assert top_vote(y) == tops.get(quarters, 0)
        assert top_vote(y + Fraction(1, 5)) == top_vote(y)
    pops = [pop_vote(Fraction(n, 8)) for n in range(0, 72)]
    assert Counter(pops) == {0: 3, -1: 13, 1: 8, -3: 8, 5: 40}
    assert pop_vote(Fraction(1, 4)) == 0 and pop_vote(Fraction(257, 1024)) == -1


def mean_difference(quarters: int) -> Fraction:
    """Mean of e6^2 - e4^2 over a quarter of y with s4 = 3/2 * s6, by the midpoints of 64 parts."""
    values = [Fraction(v) for v in (0, 0.5, 1, 1.5, 2, 3, 4, 6)]
    total = Fraction(0)
    for part in range(64):
        y = Fraction(quarters, 4) + Fraction(2 * part + 1, 512)
        six, four = (min((y - v * s) ** 2 for v in values) for s in (1, Fraction(3, 2)))
        total += six - four
    return total / 64


def test_votes_follow_the_errors() -> None:
    """spec §18.3: each vote is within 0.7 of 8 times the mean difference of the errors."""
    for quarters in range(24):
        assert abs(top_vote(Fraction(quarters, 4)) - 8 * mean_difference(quarters)) < 0.7


@pytest.mark.parametrize("name", ["ue4m3-pop-b2", "ue5m3-pop-b2", "ue4m3-pop-pz-b2"])
def test_amax_votes_five_wherever_votes_count(name: str) -> None:
    """The lemma of spec §18.6, at every bfloat16 amax with another candidate 4."""
    r = recipe(name)
    chosen = 0
    for bits in range(0, BF16.max_code + 1, 5):
        amax = BF16.value(bits)
        six, four = reference.candidate_codes(amax, r)
        s6, s4 = r.scale.value(six), r.scale.value(four)
        if four != six and s4 < 2 * s6:
            assert pop_vote(amax / s6) == 5
            chosen += 1
    assert chosen > 300


def test_a_doubled_scale_is_always_better() -> None:
    """spec §18.1: candidate 4 is never worse there when candidate 6 is zero."""
    x = np.array([[3, 1], [2.5, 2.5], [2.25, 0.5]], np.float32) * 2.0**-9
    for rule in VOTING_RULES:
        assert quantize(x, f"ue4m3-{rule}-b2").scales.tolist() == [[1], [1], [1]]


def test_a_nan_scale_and_saturation() -> None:
    """spec §6.1, §6.2, §8.2"""
    x = np.array([[np.nan, 1, 2, 3], [np.inf, 1, 448 * 5, -np.inf], [1e9, 1e8, 1, 0]], np.float32)
    for rule in VOTING_RULES:
        q = quantize(x, f"ue4m3-{rule}-b4")
        assert q.scales.ravel().tolist() == [0x7F, 0x7E, 0x7E]
        assert q.codes[1].tolist() == [7, 0, 6, 15]
        assert np.isnan(dequantize(q)[0]).all()


# --- what it is worth

WORTH = {
    "top2": ((70, 57, 36, 1), (89, 79, 56, 30), (65, 56, 43, -6)),
    "top3": ((84, 76, 63, 27), (90, 82, 64, 33), (74, 70, 62, 25)),
    "pop": ((60, 54, 47, 34), (85, 74, 54, 25), (48, 38, 27, 16)),
}
"""Percents of 4o6's gain over absmax that a rule keeps at least, by kind of numbers."""


@pytest.mark.parametrize("rule", VOTING_RULES)
def test_a_rule_keeps_most_of_the_gain_and_never_loses_much(rule: str) -> None:
    """Normal, normal with subnormal scales, and Student's t with 3 degrees, blocks 4 to 32."""
    for kind, least in zip(("normal", "small", "student3"), WORTH[rule], strict=True):
        assert kind in KINDS
        for block, percent in zip((4, 8, 16, 32), least, strict=True):
            found = gains(kind, block, (rule,), samples=1 << 18, seed=3)
            assert found[rule] > percent, (rule, kind, block, found)
