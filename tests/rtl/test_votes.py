"""Quantizers that choose by votes: units over their whole input spaces, and whole ones."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cocotb_tests.exhaustive import steps
from emulator.formats import BF16, FORMATS
from emulator.recipes import recipe
from rtl.leading import Leading
from rtl.shapes import Shapes
from rtl.variants import quantizer
from rtl.verilog import convert
from rtl.vote_shapes import VoteShapes
from rtl.vote_variant import VOTERS, VoteVariant
from rtl.votes import Choice
from tests.rtl.gates import netlist
from tests.rtl.simulation import through
from tests.rtl.test_quantizer import pack, required
from tests.rtl.voting import (
    OneVote,
    TwoScales,
    all_candidates,
    candidate,
    patterns_near,
    values_of,
    votes,
)
from tests.spec_examples import Example, examples, floats

NAMES = {
    f"{scale}-{rule}{pz}-b{1 << k}"
    for scale in ("ue4m3", "ue5m3")
    for rule in VOTERS
    for pz in ("", "-pz")
    for k in range(1, 6)
}
EXAMPLES = [e for e in examples() if e.verb == "quantize" and e.subject in NAMES]


def shapes(selection: str, x: str = "bf16", block: int = 16) -> VoteShapes:
    return VoteShapes.of_votes(VoteVariant(recipe(f"{selection}-b{block}"), FORMATS[x]))


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_example(example: Example) -> None:
    """Every `quantize` example of these rules."""
    x, bits = floats(example.left)
    r = recipe(example.subject)
    n = r.block_size
    bits += [0] * (-len(bits) % n)
    s, codes = example.right.split()
    want = pack([int(c, 16) for c in codes.ljust(n, "0")] + [int(s[1], 16), int(s[0], 16)], 4)
    assert through(VoteVariant(r, x, "o"), [pack(bits, x.width)]) == [want]


def test_there_are_examples() -> None:
    assert {e.clause for e in EXAMPLES} == {f"§18.{k}" for k in range(1, 7)}


@pytest.mark.parametrize(
    ("name", "pauses"),
    [
        ("quantizer-ue4m3-top2-b2-bf16", 0.3),
        ("quantizer-ue4m3-top3-b2-bf16-cutt", 0.0),
        ("quantizer-ue5m3-top3-pz-b8-fp16-cutiasvto", 0.0),
        ("quantizer-ue5m3-top2-b4-fp32-cutst", 0.4),
        ("quantizer-ue4m3-pop-b8-fp32-cutio", 0.3),
        ("quantizer-ue5m3-pop-pz-b4-fp16", 0.3),
    ],
)
def test_random_blocks(name: str, pauses: float) -> None:
    """Any pauses, any cut: the same words in the same order (spec §12.2, §12.3, §18)."""
    v = quantizer(name)
    rng = random.Random(name)
    top, n = v.input.magnitude_mask, v.recipe.block_size
    blocks = []
    for _ in range(60):
        near = rng.randrange(top)
        spread = 3 << v.input.fraction_bits
        blocks.append([max(0, near - rng.randrange(spread)) for _ in range(n)])
    words = [pack(block, v.input.width) for block in blocks]
    assert through(v, words, pauses=pauses) == required(v, blocks)


@pytest.mark.parametrize(
    ("lanes", "count"), [(2, 2), (4, 1), (4, 2), (4, 3), (8, 3), (16, 2), (32, 3)]
)
def test_leading(lanes: int, count: int, tmp_path: Path) -> None:
    """The largest keys in their order, equal ones one by one (spec §7.1, §18.4)."""
    unit = Leading(Shapes.of(recipe("ue5m3-absmax-b16"), BF16), lanes, count)
    gates = netlist(convert(unit, "leading"), "leading", tmp_path)
    rng = np.random.default_rng(lanes)
    keys = rng.integers(0, [[3], [9], [1 << 13]] * 10_000, (30_000, lanes), dtype=np.uint64)
    found = gates.run(**{f"keys_{i}": keys[:, i] for i in range(lanes)})
    want = np.sort(keys, axis=1)[:, ::-1]
    for k in range(count):
        assert (found[f"leading_{k}"] == want[:, k]).all()


def check_votes(selection: str, x_name: str, folder: Path) -> int:
    """Votes of all magnitudes (see `patterns_near`) beside all scales, in the mapped gates.

    A magnitude of 16 times s6 or more occurs only in blocks where votes do not count.
    """
    s, x = shapes(selection, x_name), FORMATS[x_name]
    gates = netlist(convert(OneVote(s), "one_vote"), "one_vote", folder)
    patterns = patterns_near(x)
    values = values_of(patterns, x)
    compared = 0
    for code in range(1, s.scale.max_code + 1):
        s6 = s.scale.value(code)
        below = values < float(16 * s6)
        six = np.full(int(below.sum()), code, np.uint64)
        found = gates.run(x=patterns[below], six=six)["vote"].astype(np.int64)
        want = votes(values[below], s6, top="top" in selection)
        assert ((found ^ 8) - 8 == want).all(), (selection, x_name, code)
        compared += len(want)
    return compared


@pytest.mark.parametrize(
    ("selection", "x"),
    [("ue4m3-top2", "bf16"), ("ue5m3-top2", "fp16"), ("ue4m3-pop", "bf16"), ("ue5m3-pop", "fp16")],
)
def test_votes_of_all_magnitudes_beside_all_scales(selection: str, x: str, tmp_path: Path) -> None:
    """spec §18.3, §18.5"""
    assert check_votes(selection, x, tmp_path) > 2_000_000


@pytest.mark.parametrize(
    ("selection", "x"), [("ue4m3-top3", "bf16"), ("ue5m3-top2-pz", "fp16"), ("ue5m3-pop", "bf16")]
)
def test_candidates_of_all_amaxes(selection: str, x: str, tmp_path: Path) -> None:
    """With keys as wide as the votes need them (spec §8, §15.1)."""
    r, fmt = recipe(f"{selection}-b4"), FORMATS[x]
    gates = netlist(convert(TwoScales(shapes(selection, x)), "two_scales"), "two_scales", tmp_path)
    patterns = patterns_near(fmt)
    found = gates.run(x=patterns)
    for port, divisor in (("six", 6), ("four", 4)):
        segments = steps(lambda p, d=divisor: candidate(fmt.value(p), d, r), 0, fmt.max_code)
        firsts, codes = (np.array(column) for column in zip(*segments, strict=True))
        want = codes[np.searchsorted(firsts, patterns.astype(np.int64), side="right") - 1]
        assert (found[port] == want).all(), (port, patterns[found[port] != want][:3])


@pytest.mark.parametrize("scale", ["ue4m3", "ue5m3"])
@pytest.mark.parametrize(("rule", "block"), [("pop", 16), ("top3", 32), ("top2", 8), ("top2", 2)])
def test_choice(scale: str, rule: str, block: int, tmp_path: Path) -> None:
    """All pairs of candidates with all sums of votes (spec §18.1, §18.2, §18.4, §18.6)."""
    r = recipe(f"{scale}-{rule}-b{block}")
    s = shapes(f"{scale}-{rule}", block=block)
    gates = netlist(convert(Choice(s, block), "choice"), "choice", tmp_path)
    width = s.sum_bits(block)
    lanes, least = {"top2": (1, -3), "top3": (2, -3), "pop": (block, -3)}[rule]
    sums = range(lanes * least, lanes * 5 + 1)
    assert -(1 << (width - 1)) <= sums[0] and sums[-1] < 1 << (width - 1)
    pairs = sorted({*all_candidates(r), *all_candidates(recipe(f"{scale}-{rule}-pz-b{block}"))})
    cases = [(six, four, total) for six, four in pairs for total in sums]
    six, four, total = (np.array(column, np.int64) for column in zip(*cases, strict=True))
    found = gates.run(
        six=six.astype(np.uint64),
        four=four.astype(np.uint64),
        votes=(total & ((1 << width) - 1)).astype(np.uint64),
    )["scale"]

    def chosen(six: int, four: int, total: int) -> int:
        s6, s4 = r.scale.value(six), r.scale.value(four)
        if s4 >= 2 * s6:
            return four
        b = 2 if six < 8 and s4 != s6 * Fraction(3, 2) else 0
        wins = b + total > 5 if rule == "pop" else 8 * (b + total) > block
        return four if wins else six

    assert (found == [chosen(*case) for case in cases]).all()
    assert len({pair for pair in pairs if r.scale.value(pair[1]) >= 2 * r.scale.value(pair[0])}) > 2


def test_widths() -> None:
    """Keys hold what a quarter of the scale's last bit says, three binades above it."""
    assert [shapes("ue5m3-top2", x).key_fraction_bits for x in ("bf16", "fp16", "fp32")] == [
        7,
        9,
        9,
    ]
    assert shapes("ue5m3-pop", "fp32").key_fraction_bits == 7
    assert [shapes("ue4m3-top3", block=n).voters for n in (2, 4)] == [1, 2]
