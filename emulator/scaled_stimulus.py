"""Named deterministic words that carry a tensor scale (spec §23.1). They know no answers.

The directed blocks of `emulator.directed` lie at the points where a decision changes; here these
points are multiplied by each of a few tensor scales. ``random`` draws from many.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from emulator.directed import THRESHOLDS, Block, Directed, around, floor_pattern
from emulator.errors import UnknownNameError, near
from emulator.formats import FP32, Format
from emulator.layout import Words, scaled_input_layout
from emulator.recipes import Recipe
from emulator.scaled_words import kind_of, scaled_words

GIVEN = {
    # One; few bits, so that ties are common; 24 bits; the smallest ones; a large one.
    "h": (0x3F800000, 0x40200000, 0x3B123457, 0x00800000, 0x00C00001, 0x02FFFFFF, 0x7EFEDCBA),
    "hbf16": (0x3F800000, 0x40200000, 0x3B0D0000, 0x00800000, 0x00C10000, 0x02FF0000, 0x7EFE0000),
    "hp2": (0x3F800000, 0x35800000, 0x00800000, 0x01800000, 0x03000000, 0x7E800000, 0x7F000000),
}
"""Tensor scales of the directed stimuli, as float32 patterns."""
GIVEN["h256"] = GIVEN["h"]

RANDOM_SCALES = 48
"""Distinct tensor scales among the random words of one seed."""
RANDOM_BLOCKS = 256


class ScaledDirected(Directed):
    """The blocks of `Directed` with every point multiplied by a tensor scale."""

    def __init__(self, recipe: Recipe, x_format: Format, seed: int, g: Fraction) -> None:
        super().__init__(recipe, x_format, seed)
        self.values = [value * g for value in self.values]

    def extremes(self) -> Iterator[Block]:
        """Amax beyond both ends of the scale's range, and infinite, with elements at thresholds."""
        largest = self.values[-1]
        positive = next(v for v in self.values if v > 0)
        top = [largest * n for n in (6, 7, 8, 12, 64, 4096)] + [self.x.max]
        bottom = [positive * t / 4 for t in range(1, 32)] + [self.x.min_positive]
        for amaxes, scale in ((top, largest), (bottom, positive)):
            points = [p for t in THRESHOLDS for p in around(t * scale, self.x)]
            for x in amaxes:
                amax = floor_pattern(x, self.x)
                yield from self._blocks(amax, [min(p, amax) for p in points])
        for pattern in around(3 * positive, self.x):
            yield self._block(pattern, [])
        assert self.x.inf_code is not None
        points = [p for t in THRESHOLDS for p in around(t * largest, self.x)]
        yield from self._blocks(self.x.inf_code, points)

    def elements(self) -> Iterator[Block]:
        """For some scale codes, each element threshold and its neighbours (spec §9)."""
        codes = self.values
        self.values = [v for c, v in enumerate(codes) if c < 12 or c % 7 == 0 or c > len(codes) - 4]
        yield from super().elements()
        self.values = codes


_MAKE = {
    "zeros": ScaledDirected.zeros,
    "specials": ScaledDirected.specials,
    "subnormals": ScaledDirected.subnormals,
    "scales": ScaledDirected.scales,
    "elements": ScaledDirected.elements,
    "extremes": ScaledDirected.extremes,
}


def scaled_stimulus_names() -> list[str]:
    """All names that `scaled_stimulus` knows."""
    return [*_MAKE, "random"]


def scaled_stimulus(
    name: str, recipe: Recipe, x_format: Format, *, blocks: int | None = None, seed: int = 0
) -> Words:
    """Input words of a named stimulus for a recipe with a tensor scale.

    Args:
        name: one of `scaled_stimulus_names`.
        recipe: gives block size, scale format and kind of tensor scale.
        x_format: FP16, BF16 or FP32.
        blocks: number of words, for "random" only; 256 if None.
        seed: a whole number from 0.

    Returns:
        uint8 array of shape ``(n, nbytes)`` of `scaled_input_layout`.

    Raises:
        UnknownNameError: for a name that does not exist.
        ValueError: for ``blocks`` with a stimulus of fixed size, or blocks or seed below 0.
    """
    if name not in scaled_stimulus_names():
        known = scaled_stimulus_names()
        raise UnknownNameError(
            f"unknown stimulus {name!r}{near(name, known)} (known: {', '.join(known)})"
        )
    if seed < 0 or (blocks is not None and blocks < 0):
        raise ValueError(f"seed {seed} or blocks {blocks} is below 0")
    if name == "random":
        return _random(recipe, x_format, RANDOM_BLOCKS if blocks is None else blocks, seed)
    if blocks is not None:
        raise ValueError(f"stimulus {name!r} has a fixed number of blocks; only 'random' has not")
    rows: list[Block] = []
    scales: list[int] = []
    for g in GIVEN[kind_of(recipe)]:
        more = list(_MAKE[name](ScaledDirected(recipe, x_format, seed, FP32.value(g))))
        rows += more
        scales += [g] * len(more)
    layout = scaled_input_layout(x_format, recipe.block_size, kind_of(recipe))
    lanes = np.array(rows, layout.field("x").dtype)
    return scaled_words(lanes, np.array(scales, np.uint32), recipe, x_format)


def _random(recipe: Recipe, x_format: Format, blocks: int, seed: int) -> Words:
    """Words from raw PCG64 bits: a pool of tensor scales, and four kinds of blocks in turn.

    Uniform patterns; products of the tensor scale and numbers about the scale format's range, with
    all fraction bits, with few (many ties), and with few and nearly equal exponents.
    """
    kind, size = kind_of(recipe), recipe.block_size
    generator = np.random.PCG64(seed)
    pool = generator.random_raw(RANDOM_SCALES)
    top = np.uint64(254)
    # A third of the tensor scales lie at either end of their range, half of them have few bits.
    choice = np.arange(RANDOM_SCALES) % 6
    exponent = (pool >> np.uint64(40)) % top
    exponent = np.where(choice == 0, exponent % np.uint64(12), exponent)
    exponent = np.where(choice == 1, top - np.uint64(1) - exponent % np.uint64(12), exponent)
    exponent = np.where(choice > 3, np.uint64(100) + exponent % np.uint64(50), exponent)
    fraction = pool & np.uint64((1 << 23) - 1)
    few = np.uint64(((1 << 23) - 1) ^ ((1 << 20) - 1))
    fraction = np.where(np.arange(RANDOM_SCALES) % 2 == 0, fraction, fraction & few)
    if kind == "hbf16":
        fraction &= np.uint64(0x7F0000)
    if kind == "hp2":
        fraction &= np.uint64(0)
    scales = (((exponent + np.uint64(1)) << np.uint64(23)) | fraction).astype(np.uint32)

    raw = generator.random_raw(blocks * (size + 1)).reshape(blocks, size + 1)
    g = scales[(raw[:, 0] % np.uint64(RANDOM_SCALES)).astype(np.int64)]
    style = (np.arange(blocks) % 4)[:, None]
    bits = raw[:, 1:]
    scale = recipe.scale
    low = scale.min_quantum
    span = (scale.max_code >> scale.fraction_bits) - scale.bias + 5 - low
    at = low + ((raw[:, :1] >> np.uint64(32)) % np.uint64(span + 1)).astype(np.int64)
    drop = np.where(style == 3, 0, (bits & np.uint64(7)).astype(np.int64))
    significand = np.where(
        style == 1,
        (np.uint64(1 << 23) | (bits >> np.uint64(8)) & np.uint64((1 << 23) - 1)) * 2.0**-23,
        (np.uint64(8) | (bits >> np.uint64(8)) & np.uint64(7)) * 2.0**-3,
    )
    with np.errstate(all="ignore"):
        value = np.ldexp(significand, at - drop) * g.view(np.float32).astype(np.float64)[:, None]
        near_scale = _patterns(value, x_format)
    sign = (bits >> np.uint64(63)) << np.uint64(x_format.magnitude_bits)
    uniform = bits >> np.uint64(64 - x_format.width)
    dtype = scaled_input_layout(x_format, size, kind).field("x").dtype
    lanes = np.where(style == 0, uniform, near_scale.astype(np.uint64) | sign).astype(dtype)
    return scaled_words(lanes, g, recipe, x_format)


def _patterns(value: np.ndarray, x_format: Format) -> np.ndarray:
    """Finite patterns near positive doubles: which neighbour does not matter to a stimulus."""
    exponent = np.floor(np.log2(np.maximum(value, 1e-300)))
    exponent = np.clip(exponent, 1 - x_format.bias, x_format.bias)
    steps = np.floor(np.ldexp(value, (x_format.fraction_bits - exponent).astype(np.int64)))
    one = float(1 << x_format.fraction_bits)
    base = (exponent + x_format.bias - 1) * one
    return np.clip(base + np.minimum(steps, 2 * one - 1), 0, x_format.max_code).astype(np.int64)
