"""Named deterministic inputs worth trying. They know no answers.

Names that depend on the scale format or rule carry it, so that recipes can share files:
``zeros``, ``specials``, ``subnormals``, ``scales-ue5m3``, ``elements-ue5m3``,
``extremes-ue5m3``, ``choices-ue5m3`` (equal squared errors, for recipes that compare them),
``votes-ue5m3`` (lanes at which a vote changes, for recipes that count them),
``spread-ue5m3`` and ``equal-ue5m3`` (few blocks within reach of the scale format, for recipes with
a tensor scale above all), ``sweep`` (every value of a 16-bit input format in some lane) and
``random``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emulator.directed import Directed
from emulator.errors import UnknownNameError, near
from emulator.formats import Format
from emulator.in_range import in_range, in_range_names
from emulator.layout import Words, input_layout
from emulator.recipes import CHOOSING_RULES, VOTING_RULES, Recipe

RANDOM_BLOCKS = 256
"""Blocks of the random stimulus unless more are asked for."""

_PLAIN: dict[str, Callable[[Directed], object]] = {
    "zeros": Directed.zeros,
    "specials": Directed.specials,
    "subnormals": Directed.subnormals,
}
_PER_SCALE: dict[str, Callable[[Directed], object]] = {
    "scales": Directed.scales,
    "elements": Directed.elements,
    "extremes": Directed.extremes,
    "choices": Directed.choices,
    "votes": Directed.votes,
}
_ONLY_FOR = {"choices": CHOOSING_RULES, "votes": VOTING_RULES}
"""Rules whose recipes have a stimulus that others have not."""


def directed_names(recipe: Recipe) -> list[str]:
    """Names of the directed stimuli of a recipe."""
    per_scale = [n for n in _PER_SCALE if recipe.rule in _ONLY_FOR.get(n, (recipe.rule,))]
    return [*_PLAIN, *(f"{name}-{recipe.scale.name}" for name in per_scale)]


def stimulus_names(recipe: Recipe, x_format: Format) -> list[str]:
    """All names that `stimulus` knows for a recipe and an input format."""
    sweep = ["sweep"] if x_format.width <= 16 else []
    return [*directed_names(recipe), *in_range_names(recipe), *sweep, "random"]


def stimulus(
    name: str, recipe: Recipe, x_format: Format, *, blocks: int | None = None, seed: int = 0
) -> Words:
    """Input words of a named stimulus (spec §11.1).

    Args:
        name: one of `stimulus_names`.
        recipe: gives block size, scale format and rule.
        x_format: FP16, BF16 or FP32.
        blocks: number of words, for "random" only; 256 if None.
        seed: a whole number from 0; "sweep" does not depend on it.

    Returns:
        uint8 array of shape ``(n, nbytes)``, least significant byte first.

    Raises:
        UnknownNameError: for a name that does not exist.
        ValueError: for ``blocks`` with a stimulus of fixed size, or blocks or seed below 0.
    """
    if name not in stimulus_names(recipe, x_format):
        known = stimulus_names(recipe, x_format)
        raise UnknownNameError(
            f"unknown stimulus {name!r}{near(name, known)} (known: {', '.join(known)})"
        )
    if seed < 0:
        raise ValueError(f"seed {seed} is below 0")
    layout = input_layout(x_format, recipe.block_size)
    if name == "random":
        x = _random(recipe, x_format, RANDOM_BLOCKS if blocks is None else blocks, seed)
        return layout.pack(x=x)
    if blocks is not None:
        raise ValueError(f"stimulus {name!r} has a fixed number of blocks; only 'random' has not")
    if name == "sweep":
        return layout.pack(x=_sweep(recipe.block_size, x_format))
    if name in in_range_names(recipe):
        blocks_made: object = in_range(name, recipe, x_format, seed)
    else:
        make = _PLAIN.get(name) or _PER_SCALE[name.rsplit("-", 1)[0]]
        blocks_made = list(make(Directed(recipe, x_format, seed)))  # pyright: ignore[reportArgumentType, reportCallIssue]
    return layout.pack(x=np.array(blocks_made, layout.fields[0].dtype))


def _sweep(size: int, x_format: Format) -> np.ndarray:
    """Every pattern of a 16-bit format in some lane.

    The lanes of a block are spread evenly over four binades, so that all element codes occur.
    NaN and infinity get blocks of their own: among numbers they would hide them.
    """
    finite = np.arange(x_format.max_code + 1, dtype=np.uint16)
    span = max(size, 4 << x_format.fraction_bits)
    rows = []
    for start in range(0, len(finite), span):
        part = finite[start : start + span]
        if short := -len(part) % size:
            part = np.concatenate([part, finite[:short]])
        rows.append(part.reshape(size, -1).T)
    magnitudes = np.concatenate(rows)
    signs = np.uint16(x_format.sign_mask) * (np.arange(size, dtype=np.uint16) & 1)
    one = x_format.bias << x_format.fraction_bits
    special = np.arange(x_format.max_code + 1, x_format.magnitude_mask + 1, dtype=np.uint16)
    special = np.concatenate([special, special | np.uint16(x_format.sign_mask)])
    amid = np.full((len(special), size), one, np.uint16)
    amid[np.arange(len(special)), np.arange(len(special)) % size] = special
    return np.concatenate([magnitudes | signs, magnitudes | (signs ^ x_format.sign_mask), amid])


def _random(recipe: Recipe, x_format: Format, blocks: int, seed: int) -> np.ndarray:
    """Blocks from raw PCG64 bits, four kinds in turn.

    Uniform patterns; exponents within eight binades of a common one within reach of the scale
    format; the same with at most three fraction bits (many ties); and the same with equal
    exponents (few distinct codes, many lanes at amax).
    """
    if blocks < 0:
        raise ValueError(f"blocks {blocks} is below 0")
    size, f = recipe.block_size, x_format.fraction_bits
    raw = np.random.PCG64(seed).random_raw(blocks * (size + 1)).reshape(blocks, size + 1)
    bits = raw[:, 1:].astype(np.uint64)
    kind = (np.arange(blocks) % 4)[:, None]
    uniform = bits >> np.uint64(64 - x_format.width)

    # The scale's range times 6, in exponent fields of the input, with two binades at both ends.
    scale = recipe.scale
    reach = [scale.min_quantum, (scale.max_code >> scale.fraction_bits) - scale.bias + 5]
    top_field = (1 << x_format.exponent_bits) - 2
    low, high = (min(max(e + x_format.bias, 0), top_field) for e in reach)
    base = low + ((raw[:, :1] >> np.uint64(32)) % np.uint64(high - low + 1)).astype(np.int64)
    drop = np.where(kind == 3, 0, (bits & np.uint64(7)).astype(np.int64))
    field = np.maximum(base - drop, 0).astype(np.uint64)
    fraction = (bits >> np.uint64(8)) & np.uint64((1 << f) - 1)
    coarse = fraction & np.uint64(((1 << f) - 1) ^ ((1 << max(0, f - 3)) - 1))
    fraction = np.where(kind == 2, coarse, fraction)
    sign = (bits >> np.uint64(63)) << np.uint64(x_format.magnitude_bits)
    near_base = sign | (field << np.uint64(f)) | fraction
    dtype = input_layout(x_format, size).fields[0].dtype
    return np.where(kind == 0, uniform, near_base).astype(dtype)
