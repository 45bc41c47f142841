"""Blocks that are hard to choose a scale for, and their comparison with the reference."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from emulator import reference, reference_width
from emulator.errors import MismatchError
from emulator.exhaustive import DTYPES, random_blocks
from emulator.formats import FORMATS, FP32, Format
from emulator.layout import input_layout
from emulator.recipes import CHOOSING_RULES, TABLE_RULE, Recipe, recipe
from emulator.stimulus import stimulus
from emulator.tensor import dequantize, quantize

GIVEN = {
    # One; 20 significant bits, where exact ties are left to integers; 24 bits; lowest; a high one.
    "h": (1.0, (2**19 + 21) * 2.0**-23, (2**23 + 4711) * 2.0**-21, 2.0**-126, 1.5 * 2.0**90),
    "h256": (3.0, (2**19 + 7) * 2.0**-30, (2**23 + 815) * 2.0**-30),
    "hbf16": (1.0, 141 * 2.0**-9, 255 * 2.0**-40),
    "hp2": (1.0, 2.0**-20, 2.0**33),
}
"""Tensor scales that the comparisons give to recipes, by kind."""


VOTE_STEPS = (1, 8, 9, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 24)
"""Quarters of s6 * g at which a vote changes, and amax's own."""

SEED = 0x0123456789ABCDEF_FEDCBA9876543210
"""Seed of recipes with stochastic rounding."""


@dataclass
class Compared:
    """How many blocks agreed; how many of these had equal errors under two different codes."""

    blocks: int = 0
    ties: int = 0

    def __add__(self, other: Compared) -> Compared:
        return Compared(self.blocks + other.blocks, self.ties + other.ties)


def tensor_scales(r: Recipe) -> tuple[float, ...]:
    """Tensor scales to try with a recipe; 1 if it has none."""
    return GIVEN[r.tensor_scale] if r.tensor_scale is not None else (1.0,)


def hard_blocks(r: Recipe, fmt: Format, count: int, seed: int, g: float) -> Any:
    """``count`` blocks, five kinds in turn, as an array of floats of shape (count, block size).

    Raw bits, NaN and infinity included; lanes within a few binades of each other, as
    `random_blocks` has them; small multiples of g, which meet ties of elements, scales and
    errors; the same in the range of subnormal scales; the same about the largest scale.
    """
    size = r.block_size
    near = random_blocks(fmt, size, count, seed).astype(np.uint32 if fmt.width > 16 else np.uint16)
    raw = near.view(DTYPES[fmt])
    random = np.random.Generator(np.random.PCG64(seed))
    with np.errstate(all="ignore"):
        moved = (raw.astype(np.float64) * g).astype(DTYPES[fmt])
        top = random.integers(1, 25, (count, 1))
        lanes = np.where(
            random.random((count, size)) < 0.3, top, random.integers(0, 25, near.shape)
        )
        lanes = np.minimum(lanes, np.where(random.random((count, 1)) < 0.5, top, 24))
        sign = random.choice([-1.0, 1.0], near.shape)
        first = r.scale.min_quantum
        last = (r.scale.max_code >> r.scale.fraction_bits) - r.scale.bias
        at = {2: (first, last), 3: (first - 1, first + 3), 4: (last - 1, last + 2)}
        kind = (np.arange(count) % 5)[:, None]
        exponent = np.zeros((count, 1))
        for k, (low, high) in at.items():
            exponent = np.where(kind == k, random.integers(low, high + 1, (count, 1)), exponent)
        small = (np.ldexp(sign * lanes / 4, exponent.astype(int)) * g).astype(DTYPES[fmt])
    return np.where(kind == 0, raw, np.where(kind == 1, moved, small))


def step_blocks(r: Recipe, count: int, seed: int, g: float) -> Any:
    """Blocks of which most lanes stand at or beside a step of the votes under candidate 6."""
    rng = np.random.Generator(np.random.PCG64(seed))
    codes = np.concatenate((np.arange(1, 9), np.arange(9, 25), [0x40, 0x47, r.scale.max_code]))
    s = np.array([float(r.scale.value(int(c))) for c in rng.choice(codes, count)])[:, None] * g
    lanes = rng.choice(VOTE_STEPS, (count, r.block_size)) * s / 4
    lanes[:, 0] = (s * rng.choice([5.75, 6, 6, 6.25], (count, 1)))[:, 0]
    x = np.minimum(lanes, lanes[:, :1]).astype(np.float32)
    beside = rng.integers(-1, 2, x.shape).astype(np.int32)
    beside[:, 0] = 0
    x = (x.view(np.int32) + beside).view(np.float32)
    x[rng.random(x.shape) < 0.2] = 0
    return rng.permuted(x * rng.choice(np.array([-1, 1], np.float32), x.shape), axis=1)


def ties(magnitudes: list[Fraction], r: Recipe, g: Fraction) -> bool:
    """Whether the smallest error belongs to two codes that make different numbers of a lane."""
    codes = list(dict.fromkeys(reference.candidate_codes(max(magnitudes), r, g)))
    errors = (
        width_errors(magnitudes, codes, r, g)
        if r.limited
        else {c: reference.squared_error(magnitudes, c, r, g) for c in codes}
    )
    best = [c for c in codes if errors[c] == min(errors.values())]
    made = set()
    for code in best:
        bits = [reference.round_magnitude(m, FP32) for m in magnitudes]
        s = r.scale.value(code) * g
        lanes = [reference._element(b, FP32, s, r.element) for b in bits]
        made.add(tuple(r.element.value(lane) * s for lane in lanes))
    return len(made) > 1


def width_errors(magnitudes: list[Fraction], codes: list[int], r: Recipe, g: Fraction) -> Any:
    """What a rule of limited width compares, by scale code (spec §17.3, §17.7)."""
    if max(magnitudes) == 0 or len(codes) == 1:
        return dict.fromkeys(codes, 0)
    if r.rule == TABLE_RULE:
        six, four = codes
        return {six: reference_width.table_sum(magnitudes, six, four, r, g), four: 0}
    lanes, unit = reference_width.seen(magnitudes, r.error_bits or 0)
    return {c: reference_width.integer_error(lanes, unit, c, r, g) for c in codes}


def compare(r: Recipe, fmt: Format, x: Any, g: float, count_ties: bool = True) -> Compared:
    """Compare `quantize` and `dequantize` with the reference on rows of whole blocks.

    Raises:
        MismatchError: at the first block that differs.
    """
    word = np.uint32 if fmt.width > 16 else np.uint16
    seed = None if r.sr_bits is None else SEED
    q = quantize(x, r, threads=1, tensor_scale=None if r.tensor_scale is None else g, seed=seed)
    y = dequantize(q, DTYPES[fmt], threads=1).view(word)
    exact = Fraction(g)
    result = Compared()
    for i, bits in enumerate(x.view(word).tolist()):
        scale, codes = reference.quantize_block(bits, fmt, r, exact, seed, i)
        if (scale, codes) != (int(q.scales[i, 0]), q.codes[i].tolist()):
            raise MismatchError(
                f"{r.name} g={g.hex()}: block {fmt.name}:{','.join(f'{b:x}' for b in bits)} gives "
                f"{int(q.scales[i, 0]):02x} {q.codes[i].tobytes().hex()[1::2]}, reference "
                f"{scale:02x} {bytes(codes).hex()[1::2]}"
            )
        decoded = reference.dequantize_block(scale, codes, r, fmt, exact) if i % 16 == 0 else None
        if decoded not in (None, y[i].tolist()):
            raise MismatchError(f"{r.name} g={g.hex()}: {scale:02x} {codes} decodes differently")
        result.blocks += 1
        finite = all(fmt.is_finite(b) for b in bits)
        if count_ties and i % 5 > 1 and finite and r.rule in CHOOSING_RULES and r.rule != "search":
            result.ties += ties([abs(fmt.value(b)) for b in bits], r, exact)
    return result


def compare_hard(
    r: Recipe, fmt: Format, count: int, seed: int, count_ties: bool = True
) -> Compared:
    """Compare on ``count`` hard blocks, divided over the tensor scales to try with the recipe."""
    total = Compared()
    scales = tensor_scales(r)
    for number, g in enumerate(scales):
        share = count * (number + 1) // len(scales) - count * number // len(scales)
        x = hard_blocks(r, fmt, share, seed + 100 * number, g)
        total += compare(r, fmt, x, g, count_ties)
    return total


def compare_choices(r: Recipe, fmt: Format, limit: int) -> Compared:
    """Compare on the stimulus of equal errors, up to ``limit`` blocks evenly taken from it."""
    words = stimulus(f"choices-{r.scale.name}", r, fmt)
    words = words[:: -(-len(words) // limit)]
    x = input_layout(fmt, r.block_size).unpack(words)["x"].view(DTYPES[fmt])
    return compare(r, fmt, x, 1.0)


def pairs(selections: tuple[str, ...], blocks: tuple[int, ...]) -> list[tuple[Recipe, Format]]:
    """Recipes and inputs in which each selection meets each block size, inputs taking turns."""
    inputs = [FORMATS[name] for name in ("fp32", "bf16", "fp16")]
    found = [
        (recipe(f"{s}-b{b}"), inputs[(i + j) % 3])
        for i, s in enumerate(selections)
        for j, b in enumerate(blocks)
    ]
    met = Counter((r.block_size, fmt.name) for r, fmt in found)
    assert len(met) == len(blocks) * len(inputs)
    return found
