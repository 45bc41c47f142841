"""The reference of dot products: against the examples, floats and a second wording of tc."""

from __future__ import annotations

import ast
import math
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from emulator import reference_dot
from emulator.accumulation import Accumulation, accumulation
from emulator.formats import FP32, Format
from emulator.recipes import recipe
from tests.emulator.dot_examples import parse
from tests.emulator.dot_operands import STYLES, blocks, by_reference, is_tie, operand
from tests.spec_examples import examples

ROOT = Path(__file__).parent.parent.parent
DOTS = [e for e in examples() if e.verb == "dot"]
LIMIT = Fraction(2) ** 128


def test_examples_show_every_accumulation() -> None:
    assert {parse(e).accumulation.kind for e in DOTS} == {"fp32", "exact", "tc"}
    assert any(parse(e).tensor_scales for e in DOTS)
    assert len(DOTS) > 20


def test_the_reference_and_the_kernels_are_independent() -> None:
    def names(module: str) -> str:
        tree = ast.parse((ROOT / "emulator" / f"{module}.py").read_text("utf-8"))
        found = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
        return " ".join(ast.unparse(n) for n in found)

    assert "numpy" not in names("reference_dot") and "kernels" not in names("reference_dot")
    assert "formats" not in names("dot_kernels")
    for module in ("dot", "dot_plan", "dot_kernels"):
        assert "reference" not in names(module), module


def neighbours() -> list[Fraction]:
    """Values around float32 numbers, midpoints and the ends of the range."""
    rng = np.random.Generator(np.random.PCG64(2))
    patterns = rng.integers(0, 0x7F7FFFFF, 200).tolist()
    patterns += [0, 1, 2, 3, 0x7FFFFF, 0x800000, 0x7F7FFFFE]
    found = []
    for p in patterns:
        low, high = FP32.value(p), FP32.value(p + 1)
        middle = (low + high) / 2
        tiny = (high - low) / (1 << 80)
        found += [low, low + tiny, middle - tiny, middle, middle + tiny, high - tiny]
    half = LIMIT - Fraction(2) ** 103
    found += [half - 1, half, LIMIT - 1, LIMIT, LIMIT * 5]
    return found + [-x for x in found]


def test_nearest_and_truncated() -> None:
    """spec §16.4, §16.10: by search in the ordered patterns."""
    for x in neighbours():
        below = reference_dot.truncated(x) & 0x7FFFFFFF
        sign = (1 << 31) if x < 0 else 0
        assert reference_dot.truncated(x) == sign | below
        magnitude = abs(x)
        if magnitude >= LIMIT:
            assert below == 0x7F800000
        else:
            above = FP32.value(below + 1) if below < 0x7F7FFFFF else LIMIT
            assert FP32.value(below) <= magnitude < above
            to_low, to_high = magnitude - FP32.value(below), above - magnitude
            up = to_high < to_low or (to_high == to_low and below % 2)
            assert reference_dot.nearest(x) == sign | (below + 1 if up else below)


def test_products_are_ieee() -> None:
    """spec §16.11: against NumPy's float32 multiplication."""
    rng = np.random.Generator(np.random.PCG64(3))
    x = rng.integers(0, 1 << 32, (2, 4000), np.uint64).astype(np.uint32)
    special = np.array([0, 1 << 31, 1, 0x7F800000, 0xFF800000, 0x7F7FFFFF, 0x00800000], np.uint32)
    grid = np.array(np.meshgrid(special, special)).reshape(2, -1)
    x = np.hstack([x, grid, (x & np.uint32(0x8FFFFFFF)) | np.uint32(0x20000000)])
    with np.errstate(all="ignore"):
        got = x[0].view(np.float32) * x[1].view(np.float32)
    outside = np.where(np.isnan(got), np.uint32(0x7FC00000), got.view(np.uint32)).tolist()
    assert [reference_dot._times(*p) for p in zip(*x.tolist(), strict=True)] == outside


@pytest.mark.parametrize("name", ["ue4m3-absmax-b16", "ue5m3-absmax-b4"])
def test_fp32_is_a_loop_of_floats(name: str) -> None:
    """spec §16.2, §16.4: these products are exact in float32, so NumPy's additions are the rule."""
    rng = np.random.Generator(np.random.PCG64(4))
    r = recipe(name)
    for style in STYLES[:-1]:
        a, b = (operand(r, 20, 5 * r.block_size, style, rng) for _ in range(2))
        for row in range(20):
            total = np.float32(0)
            for (sa, xa), (sb, xb) in zip(blocks(a, row), blocks(b, row), strict=True):
                inner = sum(
                    r.element.value(x) * r.element.value(y) for x, y in zip(xa, xb, strict=True)
                )
                exact = inner * r.scale.value(sa) * r.scale.value(sb)
                assert Fraction(float(np.float32(float(exact)))) == exact
                total += np.float32(float(exact))
            assert by_reference(a, row, b, row, "fp32") == int(total.view(np.uint32))


def float_parts(x: float, subnormal: int) -> tuple[float, int]:
    """Significand in [1, 2) and exponent; below the exponent of subnormals not normalised."""
    if x == 0:
        return 0.0, subnormal
    exponent = max(math.frexp(x)[1] - 1, subnormal)
    return math.ldexp(x, -exponent), exponent


def tensor_core_in_doubles(
    a: list[reference_dot.Block], b: list[reference_dot.Block], scale: Format, rule: Accumulation
) -> float:
    """A second wording of spec §16.7 to §16.10, in float64, which is wide enough for F <= 35."""
    elements = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    value = [*elements, *(-x for x in elements)]
    least = 1 - scale.bias
    groups = []
    for (sa, xa), (sb, xb) in zip(a, b, strict=True):
        (fa, ea), (fb, eb) = (float_parts(float(scale.value(s)), least) for s in (sa, sb))
        for g in range(0, len(xa), 16):
            pairs = zip(xa[g : g + 16], xb[g : g + 16], strict=True)
            groups.append((sum(value[x] * value[y] for x, y in pairs) * fa * fb, ea + eb))
    assert rule.step is not None and rule.fraction_bits is not None
    c, width = 0.0, rule.step // 16
    for at in range(0, len(groups), width):
        terms = [*groups[at : at + width], float_parts(c, -126)]
        if not rule.zeros:
            terms = [(x, e if x else -126) for x, e in terms]
        m = max(e for _, e in terms)
        shift = rule.fraction_bits
        total = sum(math.trunc(math.ldexp(x, e - m + shift)) for x, e in terms)
        significand, e = float_parts(math.ldexp(float(total), m - shift), -126)
        c = math.ldexp(math.trunc(significand * 2**23) / 2**23, e)
    return c


@pytest.mark.parametrize("rule", ["tc35", "tc35-zeros", "tc25-k32", "tc8-k16-zeros", "tc23-k128"])
@pytest.mark.parametrize("name", ["ue4m3-absmax-b16", "ue5m3-absmax-b32"])
def test_tensor_core_against_a_second_wording(name: str, rule: str) -> None:
    """spec §16.7, §16.8, §16.9, §16.10"""
    rng = np.random.Generator(np.random.PCG64(5))
    r, chosen = recipe(name), accumulation(rule)
    for style in STYLES[:-1]:
        a, b = (operand(r, 4, 150, style, rng) for _ in range(2))
        for row in range(4):
            outside = tensor_core_in_doubles(blocks(a, row), blocks(b, row), r.scale, chosen)
            [bits] = struct.unpack("<I", struct.pack("<f", outside))
            assert by_reference(a, row, b, row, rule) == bits


def test_is_tie() -> None:
    assert is_tie(Fraction((1 << 24) + 1)) and is_tie(Fraction((1 << 24) + 1, 1 << 60))
    assert not is_tie(Fraction(1 << 24)) and not is_tie(Fraction((1 << 25) + 1))


def test_refusals() -> None:
    """spec §16.1, §16.7"""
    b16, b2 = (recipe(f"ue5m3-absmax-b{n}").block_format for n in (16, 2))
    fp32 = accumulation("fp32")
    with pytest.raises(ValueError, match=r"block sizes or element formats differ \(spec §16\.1\)"):
        reference_dot.dot([], [], b16, b2, fp32)
    with pytest.raises(ValueError, match=r"lengths differ \(spec §16\.1\)"):
        reference_dot.dot([(0, [1])], [(0, [1, 2])], b2, b2, fp32)
    with pytest.raises(ValueError, match=r"tc35 needs blocks of at least 16 \(spec §16\.7\)"):
        reference_dot.dot([(0, [1])], [(0, [1])], b2, b2, accumulation("tc35"))
