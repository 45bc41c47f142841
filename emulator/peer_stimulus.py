"""Named deterministic blocks for quantizers of peers (spec §25). They know no answers.

The directed ones lie where a decision of the exact quotient changes, within a few units in the last
place: there, and in practice only there, a quotient and a product with a rounded reciprocal part.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.arguments import INPUTS
from emulator.errors import UnknownNameError, near
from emulator.formats import UE4M3, Format
from emulator.peer_words import LEAST_MULTIPLIER, MOST_MULTIPLIER, Patterns, by_tensor

Numbers = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MIDPOINTS = np.array([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0])
"""Where element codes change (spec §9)."""

DIRECTED = {"zeros": 64, "specials": 300, "elements": 3000, "scales": 2000, "ends": 3000}
"""Directed stimuli and how many blocks each has."""

RANDOM_BLOCKS = 256

_DTYPES = {fmt: dtype for dtype, fmt in INPUTS.items()}
_SCALES = np.array([float(UE4M3.value(code)) for code in range(UE4M3.max_code + 1)])


def patterns_near(values: Numbers, x_format: Format) -> Integers:
    """Patterns of the numbers of a format that are nearest to magnitudes, the largest for more."""
    rounded = np.minimum(values, float(x_format.max)).astype(_DTYPES[x_format])
    return rounded.view(np.dtype(f"u{x_format.width // 8}")).astype(np.int64)


def peer_stimulus_names() -> list[str]:
    """All names that `peer_stimulus` knows."""
    return [*DIRECTED, "random"]


def peer_stimulus(
    name: str, peer: str, x_format: Format, block: int, *, blocks: int | None = None, seed: int = 0
) -> tuple[Patterns, Patterns | None]:
    """Lanes, and multipliers if the peer takes them.

    Args:
        name: one of `peer_stimulus_names`.
        peer: name of the peer.
        x_format: FP16, BF16 or FP32.
        block: lanes per block.
        blocks: number of blocks, for "random" only; `RANDOM_BLOCKS` if None.
        seed: a whole number from 0.

    Returns:
        Patterns of shape ``(n, block)`` and float32 patterns of shape ``(n,)`` or None.

    Raises:
        UnknownNameError: for a name that does not exist.
        ValueError: for ``blocks`` with a stimulus of fixed size, or blocks or seed below 0.
    """
    if name not in peer_stimulus_names():
        known = peer_stimulus_names()
        raise UnknownNameError(
            f"unknown stimulus {name!r}{near(name, known)} (known: {', '.join(known)})"
        )
    if seed < 0 or (blocks is not None and blocks < 0):
        raise ValueError(f"seed {seed} or blocks {blocks} is below 0")
    if name in DIRECTED and blocks is not None:
        raise ValueError(f"stimulus {name!r} has a fixed number of blocks; only 'random' has not")
    count = DIRECTED.get(name, RANDOM_BLOCKS if blocks is None else blocks)
    chosen = peer_stimulus_names().index(name)
    maker = _Maker(x_format, block, count, by_tensor(peer), [seed, chosen])
    x, s = getattr(maker, name)()
    sign = maker.rng.integers(0, 2, x.shape) << x_format.magnitude_bits
    dtype = np.dtype(f"u{x_format.width // 8}")
    lanes = (np.clip(x, 0, x_format.magnitude_mask) | sign).astype(dtype)
    return lanes, s.astype(np.uint32) if maker.tensor else None


class _Maker:
    """Magnitudes, as patterns, and multipliers of one stimulus."""

    def __init__(
        self, x_format: Format, block: int, count: int, tensor: bool, seed: list[int]
    ) -> None:
        self.x, self.block, self.count, self.tensor = x_format, block, count, tensor
        self.rng = np.random.Generator(np.random.PCG64(seed))

    def zeros(self) -> tuple[Any, Any]:
        """Nothing but zeros of both signs, or one smallest number among them."""
        x = np.zeros((self.count, self.block), np.int64)
        x[::2, 0] = 1
        return x, self._multipliers()

    def specials(self) -> tuple[Any, Any]:
        """Infinity and NaN among numbers, zeros and the largest and smallest numbers."""
        x, s = self.random()
        assert self.x.inf_code is not None
        pool = np.array([self.x.inf_code, self.x.inf_code + 1, self.x.magnitude_mask, 0, 1])
        pool = np.append(pool, [self.x.max_code, 1 << self.x.fraction_bits])
        chosen = pool[self.rng.integers(0, len(pool), x.shape)]
        return np.where(self.rng.random(x.shape) < 0.4, chosen, x), s

    def elements(self) -> tuple[Any, Any]:
        """Lanes at midpoints of elements, times the scale that their block gets."""
        scale = self._scales()
        t = MIDPOINTS[self.rng.integers(0, len(MIDPOINTS), (self.count, self.block))]
        s = self._multiplier_for(t[:, -1:] * scale)
        x = self._near(t * scale / s, spread=1)
        # Lanes whose midpoints are powers of two apart hit them as the last lane does.
        amax = 6 * scale[:, 0] / s[:, 0] * self.rng.uniform(0.97, 1.03, self.count)
        x[:, 0] = patterns_near(amax, self.x)
        return x, self._patterns(s)

    def scales(self) -> tuple[Any, Any]:
        """Amax at the midpoints of scale codes, and other lanes below it."""
        code = self.rng.integers(0, UE4M3.max_code, (self.count, 1))
        middle = (_SCALES[code] + _SCALES[code + 1]) / 2
        s = self._multiplier_for(6 * middle)
        part = self.rng.random((self.count, self.block))
        x = self._near(6 * middle / s * part, spread=0)
        x[:, 0] = self._near(6 * middle / s, spread=2)[:, 0]
        return np.minimum(x, x[:, :1]), self._patterns(s)

    def ends(self) -> tuple[Any, Any]:
        """Multipliers and numbers at both ends of their ranges."""
        near_end = self.rng.integers(0, 40, self.count)
        ends = np.array([LEAST_MULTIPLIER, 126 + 127 << 23, 127 + 127 << 23, 125 + 127 << 23])
        ends = np.append(ends, [MOST_MULTIPLIER - 39, 120 + 127 << 23, -100 + 127 << 23])
        s = ends[self.rng.integers(0, len(ends), self.count)] + near_end
        wide = self.rng.random(self.count) < 0.4
        s = np.where(wide, s + (self.rng.integers(0, 1 << 23, self.count)), s)
        s = np.clip(s, LEAST_MULTIPLIER, MOST_MULTIPLIER)
        value = s.astype(np.uint32).view(np.float32).astype(np.float64)[:, None]
        if not self.tensor:
            value = np.ones_like(value)
        small = self.rng.integers(0, 1 << self.x.fraction_bits, (self.count, self.block))
        small >>= self.rng.integers(0, self.x.fraction_bits, small.shape)
        # Numbers about what scale and elements distinguish; others are the smallest ones.
        x = self._near(np.exp2(self.rng.uniform(-14, 12, small.shape)) / value, spread=0)
        x = np.where(self.rng.random(x.shape) < 0.3, small, x)
        return np.where(self.rng.random((self.count, 1)) < 0.2, small, x), s

    def random(self) -> tuple[Any, Any]:
        """Four kinds in turn: uniform patterns; numbers of all bits, of few bits; nearly equal."""
        s = self._multipliers()
        value = s.astype(np.uint32).view(np.float32).astype(np.float64)[:, None]
        if not self.tensor:
            value = np.ones_like(value)
        style = (np.arange(self.count) % 4)[:, None]
        shape = (self.count, self.block)
        level = self.rng.integers(-9, 12, (self.count, 1))
        drop = np.where(style == 3, 0, self.rng.integers(0, 8, shape))
        significand = self.rng.uniform(1, 2, shape)
        few = (8 + self.rng.integers(0, 8, shape)) / 8
        numbers = np.exp2(level - drop) * np.where(style == 1, significand, few)
        power = np.exp2(np.rint(np.log2(value)))
        x = patterns_near(numbers / np.where(style == 1, value, power), self.x)
        uniform = self.rng.integers(0, 1 << self.x.magnitude_bits, shape)
        return np.where(style == 0, uniform, x), s

    def _scales(self) -> Numbers:
        """A scale above zero for each block; for a peer without a multiplier also below normal."""
        return _SCALES[self.rng.integers(1, UE4M3.max_code + 1, (self.count, 1))]

    def _multipliers(self) -> Integers:
        """Multipliers of any exponent, one in four with few bits."""
        s = self.rng.integers(LEAST_MULTIPLIER, MOST_MULTIPLIER + 1, self.count)
        return np.where(np.arange(self.count) % 4 == 3, s & ~((1 << 20) - 1) | 1 << 23, s).clip(
            LEAST_MULTIPLIER, MOST_MULTIPLIER
        )

    def _multiplier_for(self, wanted: Numbers) -> Numbers:
        """A multiplier that brings some number of the input format to what is wanted, or 1."""
        if not self.tensor:
            return np.ones_like(wanted)
        bias, f = self.x.bias, self.x.fraction_bits
        exponent = self.rng.integers(max(1 - bias, -100), min(bias, 100), wanted.shape)
        number = (1 + self.rng.integers(0, 1 << f, wanted.shape) * 2.0**-f) * np.exp2(exponent)
        s = (wanted / number).astype(np.float32).view(np.uint32).astype(np.int64)
        s += self.rng.integers(-1, 2, s.shape)
        return (
            s.clip(LEAST_MULTIPLIER, MOST_MULTIPLIER)
            .astype(np.uint32)
            .view(np.float32)
            .astype(np.float64)
        )

    def _near(self, value: Numbers, spread: int) -> Integers:
        """Patterns of the numbers nearest to values, or up to ``spread`` of them beside."""
        value = np.broadcast_to(value, (self.count, self.block))
        found = patterns_near(value, self.x)
        return found + self.rng.integers(-spread, spread + 1, found.shape)

    def _patterns(self, s: Numbers) -> Integers:
        return s[:, 0].astype(np.float32).view(np.uint32).astype(np.int64)
