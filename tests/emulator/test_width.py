"""Selection with limited width: kernels against the reference, lemmas, and what it retains."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from compare.quality import tensor_error
from emulator import reference, reference_width
from emulator.formats import BF16, FORMATS, FP16, FP32
from emulator.recipes import ERROR_BITS, LIMITED_SELECTIONS, Recipe, recipe
from emulator.tensor import quantize
from emulator.width_tables import APART, LANES, row_index, width_tables
from tests.emulator.selecting import Compared, compare, compare_choices, compare_hard, pairs

SIZES = (2, 4, 8, 16, 32)
SCALED = ("ue4m3-4o6-e5-h", "ue4m3-3c-e6-pz-h256", "ue5m3-6c-e7-hbf16", "ue5m3-4o6t-pz-hp2")

# --- the kernels are the reference


@pytest.mark.parametrize(
    ("r", "fmt"),
    pairs(LIMITED_SELECTIONS, SIZES)[::3] + pairs(SCALED, SIZES)[::3],
    ids=lambda value: value.name,
)
def test_blocks_of_every_kind(r: Any, fmt: Any) -> None:
    """spec §17.1, §17.2, §17.3, §17.4, §17.5, §17.6, §17.7: same codes and scales."""
    assert compare_hard(r, fmt, 40, seed=r.block_size, count_ties=False).blocks >= 40


@pytest.mark.parametrize("bits", ERROR_BITS)
def test_every_width(bits: int) -> None:
    """spec §17.1, §17.3: sums of 32 and of 64 bits alike."""
    name = ("ue5m3-3c", "ue4m3-4o6", "ue4m3-6c")[bits % 3]
    for size, scaled in ((256, ""), (4, "-h"), (2, "-hp2")):
        r = recipe(f"{name}-e{bits}{scaled}-b{size}")
        assert compare_hard(r, FP32, 10, seed=bits, count_ties=False).blocks >= 10


@pytest.mark.parametrize("name", ["ue4m3-4o6t-b2", "ue5m3-4o6t-pz-b2", "ue5m3-6c-e6-b2"])
def test_many_amax(name: str) -> None:
    """spec §17.4, §17.7: magnitudes of bfloat16 and half of each, beside themselves."""
    patterns = np.arange(0, BF16.max_code, 31).astype(np.uint16)
    other = np.maximum(patterns, 0x90) - 0x70
    x = np.stack([patterns, np.minimum(patterns, other)], axis=1).view(np.uint16)
    got = compare(recipe(name), BF16, x.view("V2").view(_bfloat16()), 1.0, count_ties=False)
    assert got.blocks == len(patterns)


def _bfloat16() -> Any:
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)


def test_ties_are_met() -> None:
    """spec §17.4, §17.7: equal errors of different scales, and sums of table values of 0."""
    found = Compared()
    for name, fmt in (("ue5m3-4o6-e6-b8", BF16), ("ue4m3-6c-e7-b4", FP32), ("ue4m3-4o6t-b4", FP16)):
        found += compare_choices(recipe(name), fmt, 90)
    for name in ("ue4m3-4o6-e6-b2", "ue4m3-4o6t-b4", "ue5m3-3c-e5-b2"):
        found += compare_hard(recipe(name), FP32, 100, seed=9)
    print(f"{found.ties} ties in {found.blocks} blocks")
    assert found.ties >= 30


def test_saturated_blocks_have_no_choice() -> None:
    """spec §17.4, §17.7: about the amax beyond which a candidate is clamped, and far above."""
    for name in ("ue4m3-3c-e6-b4", "ue5m3-6c-e5-b4", "ue4m3-4o6t-b4", "ue5m3-4o6t-hp2-b4"):
        r = recipe(name)
        # The middle between the largest scale and what would follow it.
        middle = r.scale.max + Fraction(2) ** (r.scale.parts(r.scale.max_code)[2] - 1)
        top = float(middle) * (4 if "t" in name else 6)
        for amax in (top, float(np.nextafter(np.float32(top), np.float32(np.inf))), top * 1e20):
            x = np.full((2, 4), amax * 0.79, np.float32)
            x[:, 1] = amax
            x[1] *= -1
            assert compare(r, FP32, x, 1.0, count_ties=False).blocks == 2


# --- the lemmas


def breakpoints(r: Recipe, divisors: tuple[int, ...]) -> list[Fraction]:
    """Every amax at which a candidate's code or the exponent changes, and one between each two."""
    fmt = r.scale
    values = [fmt.value(code) for code in range(fmt.max_code + 1)]
    middles = [(a + b) / 2 for a, b in pairwise(values)]
    points = {d * m for m in middles for d in divisors}
    powers = {Fraction(2) ** k for k in range(fmt.min_quantum - 2, 24)}
    edges = sorted(points | powers)
    return [x for a, b in pairwise(edges) for x in (a, (a + b) / 2)]


@pytest.mark.parametrize("name", ["ue4m3-6c-e5-b4", "ue5m3-6c-e5-pz-b4"])
def test_scales_are_integers_without_rounding(name: str) -> None:
    """Lemmas 2 and 3 of spec §17.3, with g = 1: nothing rounded, at least 8, a multiple."""
    r = recipe(name)
    seen = set()
    for amax in breakpoints(r, (6, 4)):
        if reference_width.exceeds(amax, 6, r, reference.ONE):
            continue
        for code in reference.candidate_codes(amax, r):
            exact = 4 * r.scale.value(code) / reference_width.seen([amax], 5)[1]
            assert exact.denominator == 1
            assert exact == 0 or exact >= 8
            seen.add(exact)
    assert len(seen) > 20


@pytest.mark.parametrize("bits", [6, 9])
def test_lanes_that_are_not_seen_do_not_vote(bits: int) -> None:
    """Lemma 3 of spec §17.3, with tensor scales of every significand: S is 0 or at least 8."""
    r = recipe(f"ue4m3-6c-e{bits}-h-b4")
    least = 1 << 40
    for g in (Fraction(n, 32) for n in range(32, 64, 3)):
        for point in breakpoints(r, (6,))[:400]:
            amax = point * g * Fraction(1023, 1024)
            if reference_width.exceeds(amax, 6, r, g):
                continue
            unit = reference_width.seen([amax], bits)[1]
            for code in reference.candidate_codes(amax, r, g):
                if code:
                    least = min(least, reference_width.scale_seen(code, unit, r, g))
    assert 8 << (bits - 6) <= least < 16 << (bits - 6)


def test_many_lanes_below_the_unit_count_nothing() -> None:
    """spec §17.3 with b = 5 and a g that is no power of two: they would turn the choice."""
    r = recipe("ue4m3-4o6-e5-h-b256")
    x = np.full((1, 256), 0.5, np.float32)
    x[0, :31] = 2.5
    x[0, 9] = 16
    x *= 2.0**-9
    g = 1.796875
    assert compare(r, FP32, x, g).blocks == 1
    assert quantize(x, r, tensor_scale=g).scales.tolist() == [[2]]


def test_there_are_27_tables() -> None:
    """Lemma 1 of spec §17.6; and the kernels' rows are those of the reference."""
    for scale in ("ue4m3", "ue5m3"):
        for pz, normal, count in (("", 18, 27), ("-pz", 18, 26)):
            r = recipe(f"{scale}-4o6t{pz}-b4")
            stored = width_tables(r.block_format, "4o6", bool(pz), 1.0, True)
            found: dict[tuple[Any, ...], bool] = {}
            for amax in breakpoints(r, (6, 4)):
                six, four = reference.candidate_codes(amax, r)
                if six == four or reference_width.exceeds(amax, 4, r, reference.ONE):
                    continue
                unit = reference_width.seen([amax], 5)[1]
                s6, s4 = r.scale.value(six), r.scale.value(four)
                table = reference_width.table_values(s6 / unit, s4 / unit, r.element)
                found[table] = found.get(table, False) or six >= 8
                above = reference.floor_log2(amax) - reference.floor_log2(s4)
                assert four - six < APART
                row = stored.rows[row_index(six, four, above)]
                want = [table[reference_width.cell(x)] for x in range(LANES)]
                assert stored.values[row : row + LANES].tolist() == want
            assert len(found) == count
            assert sum(found.values()) == normal


# --- what is retained of the gain


def samples(kind: str, count: int) -> Any:
    """Numbers of four kinds; every 32 of the first, third and fourth share a magnitude."""
    rng = np.random.Generator(np.random.PCG64(11))
    spread = 2.0 ** rng.uniform(0, 1, (count // 32, 1))
    if kind == "subnormal scales":
        return (rng.standard_normal((count // 32, 32)) * 0.013).astype(np.float32)
    draw = {
        "normal": lambda shape: rng.standard_normal(shape),
        "laplace": lambda shape: rng.laplace(size=shape),
        "student": lambda shape: rng.standard_t(3, size=shape),
    }[kind]
    return (draw((count // 32, 32)) * spread).astype(np.float32)


RETAINED = {
    "normal": {"4o6-e5": 84, "4o6-e6": 95, "4o6t": 80},
    "subnormal scales": {"4o6-e5": 80, "4o6-e6": 95, "4o6t": 75},
    "laplace": {"4o6-e5": 65, "4o6-e6": 90, "4o6t": 60},
    "student": {"4o6-e5": 35, "4o6-e6": 80, "4o6t": 35},
}
"""Per cent of what 4o6 gains over absmax that is left at least, at blocks of 4 to 32."""


@pytest.mark.parametrize("kind", RETAINED)
def test_no_rule_is_worse_than_absmax(kind: str) -> None:
    """spec §17.3, §17.6: heavy tails included."""
    x = samples(kind, 1 << 17)
    for block in (4, 8, 16, 32):
        names = ("absmax", "4o6", *RETAINED[kind])
        errors = {
            n: tensor_error(recipe(f"ue4m3-{n}-pz-b{block}"), FP32, x).relative for n in names
        }
        gain = errors["absmax"] - errors["4o6"]
        assert gain > 0
        for name, least in RETAINED[kind].items():
            retained = 100 * (errors["absmax"] - errors[name]) / gain
            assert retained >= least, (kind, block, name, retained)


def test_wide_selections_are_nearly_exact() -> None:
    """spec §17.3: with 16 bits the error is that of the exact choice within 0.01 %."""
    x = samples("normal", 1 << 17)
    for rule in ("4o6", "3c", "6c"):
        exact, wide = (
            tensor_error(recipe(f"ue5m3-{rule}{e}-b16"), FP32, x).error for e in ("", "-e16")
        )
        assert exact <= wide <= exact * 1.0001


def test_inputs_of_sixteen_bits() -> None:
    """spec §17.1, §4.1: the same numbers as bfloat16, float16 and float32 give the same codes."""
    rng = np.random.Generator(np.random.PCG64(3))
    x = np.rint(rng.standard_normal((50, 8)) * 60).astype(np.float32) / 16
    for name in ("ue4m3-3c-e6-b8", "ue4m3-4o6t-b8"):
        for fmt in (FORMATS["fp16"], BF16):
            given = x.astype({"fp16": np.float16, "bf16": _bfloat16()}[fmt.name])
            assert (given.astype(np.float32) == x).all()
            assert compare(recipe(name), fmt, given, 1.0, count_ties=False).blocks == 50
