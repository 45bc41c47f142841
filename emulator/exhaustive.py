"""Whole input spaces, walked by a second path that shares no table with the kernels.

The second path knows the values of a format's codes and the order of floats, nothing else: an
encoder is monotone, so it is given by the pattern at which each code begins. Each beginning is
found by bisection over float patterns with exact fractions; between two of them the expected
code stands still. Every runner takes a range, so that its caller can resume, returns how many
codes it compared, and raises MismatchError at the first difference.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from emulator import reference
from emulator.errors import MismatchError
from emulator.formats import BF16, FP16, FP32, Format
from emulator.recipes import Recipe
from emulator.tensor import dequantize, encode, quantize

INFINITY = 0x7F800000
ALL_PATTERNS = 1 << 32
MAGNITUDES = 1 << 31
CHUNK = 1 << 18

DTYPES: dict[Format, Any] = {
    FP32: np.float32,
    BF16: ml_dtypes.bfloat16,
    FP16: np.float16,
}


@dataclass(frozen=True)
class Walk:
    """A monotone function of float32 magnitude patterns: ``code[i]`` holds from ``begin[i]``."""

    begin: npt.NDArray[np.int64]
    code: npt.NDArray[np.uint32]

    def expected(self, start: int, stop: int, out: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Write the codes of the patterns from start to stop (excluded) to the front of out."""
        first = int(np.searchsorted(self.begin, start, side="right")) - 1
        last = int(np.searchsorted(self.begin, stop, side="left"))
        edges = [start, *self.begin[first + 1 : last].tolist(), stop]
        for code, a, b in zip(self.code[first:last], edges, edges[1:], strict=False):
            out[a - start : b - start] = code
        return out[: stop - start]


def _walk(beginnings: Sequence[tuple[int, int]], start: int = 0) -> Walk:
    """Make a walk of ``(pattern, code)`` by rising pattern; before the first, code ``start``."""
    at = {0: start}
    at.update(beginnings)
    return Walk(np.array(list(at), np.int64), np.array(list(at.values()), np.uint32))


def _first(reached: Callable[[Fraction], bool]) -> int:
    """Return the first float32 magnitude pattern that a rising predicate holds for."""
    return bisect_left(range(INFINITY), True, key=lambda p: reached(FP32.value(p)))


def _rounding(fmt: Format, factor: Fraction, below: Fraction | None = None) -> list[int]:
    """Patterns from which x / factor rounds to code 1, 2, ...; ties to the even code.

    Args:
        fmt: the format rounded to.
        factor: a positive number.
        below: leave out beginnings at or above this number.
    """
    result: list[int] = []
    for code in range(1, fmt.max_code + 1):
        middle = (fmt.value(code - 1) + fmt.value(code)) / 2 * factor
        if below is not None and middle >= below:
            break
        if code % 2:
            result.append(_first(lambda x, m=middle: x > m))
        else:
            result.append(_first(lambda x, m=middle: x >= m))
    return result


@lru_cache(maxsize=512)
def encode_walk(fmt: Format) -> Walk:
    """Return the saturating encoder of magnitudes, infinity and NaN included (spec §3)."""
    steps = [(p, code) for code, p in enumerate(_rounding(fmt, Fraction(1)), 1)]
    return _walk([*steps, (INFINITY, fmt.max_code), (INFINITY + 1, fmt.nan_code or 0)])


@lru_cache(maxsize=512)
def scale_walk(recipe: Recipe) -> Walk:
    """Return the scale code over the amax of a block (spec §8), infinity and NaN included."""
    scale = recipe.scale
    two = Fraction(2)
    if recipe.rule == "absmax":
        beginnings = _rounding(scale, Fraction(6))
    else:
        reached: Callable[[Fraction, int], bool] = {
            "floor": lambda x, k: x / 4 >= two ** (k - 127),
            "ceil": lambda x, k: x / 6 > two ** (k - 1 - 127),
            "even": lambda x, k: x >= Fraction(7, 2) * two ** (k - 127),
        }[recipe.rule]
        beginnings = [_first(lambda x, k=k: reached(x, k)) for k in range(1, scale.max_code + 1)]
    steps = [(p, code) for code, p in enumerate(beginnings, 1) if p < INFINITY]
    assert scale.nan_code is not None
    steps += [(INFINITY, scale.max_code), (INFINITY + 1, scale.nan_code)]
    if not recipe.prevent_zero:
        return _walk(steps)
    return _walk([(p, max(code, 1)) for p, code in steps], start=1)


@lru_cache(maxsize=512)
def element_walk(recipe: Recipe, scale_code: int) -> Walk:
    """Return the element magnitude code over |x| for one finite scale code (spec §9)."""
    value = recipe.scale.value(scale_code)
    if value == 0:
        return _walk([])
    return _walk([(p, c) for c, p in enumerate(_rounding(recipe.element, value), 1)])


def _chunks(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    for at in range(start, stop, size):
        yield at, min(at + size, stop)


def _require_equal(got: npt.NDArray[Any], expected: npt.NDArray[Any], start: int, what: str) -> int:
    if not np.array_equal(got, expected):
        at = int(np.flatnonzero(got != expected)[0])
        raise MismatchError(
            f"{what}: fp32:{start + at:08x} gives {int(got[at]):x}, expected {int(expected[at]):x}"
        )
    return got.size


def encode_space(fmt: Format, start: int = 0, stop: int = ALL_PATTERNS) -> int:
    """Compare `encode` with the second path on all float32 patterns from start to stop.

    NaN becomes 0 where the format has none (spec §3.4).
    """
    walk = encode_walk(fmt)
    count = np.arange(CHUNK, dtype=np.uint32)
    patterns = np.empty_like(count)
    codes = encode(count[:1].view(np.float32), fmt)  # for its dtype
    codes, wanted = np.empty(CHUNK, codes.dtype), np.empty(CHUNK, codes.dtype)
    compared = 0
    for half in (0, MAGNITUDES):  # the positive one, then the negative one
        for a, b in _chunks(max(start, half), min(stop, half + MAGNITUDES), CHUNK):
            x = np.add(count[: b - a], np.uint32(a), out=patterns[: b - a])
            got = encode(x.view(np.float32), fmt, nan="zero", threads=1, out=codes[: b - a])
            expected = walk.expected(a - half, b - half, wanted)
            if half:
                numbers = expected[: max(INFINITY + 1 + half - a, 0)]
                if not fmt.signed:
                    numbers[:] = 0  # spec §3.6
                elif fmt.nan_code is None:
                    numbers |= codes.dtype.type(fmt.sign_mask)
                else:
                    expected |= codes.dtype.type(fmt.sign_mask)  # spec §3.5: of NaN too
            compared += _require_equal(got, expected, a, f"encode {fmt.name}")
    return compared


def scale_space(recipe: Recipe, start: int = 0, stop: int = MAGNITUDES) -> int:
    """Compare the scale codes of `quantize` with the second path, for amax patterns in the range.

    Each block holds the amax in one lane, and zeros; lanes and signs take turns.
    """
    walk, block = scale_walk(recipe), recipe.block_size
    compared = 0
    for a, b in _chunks(start, stop, CHUNK // block):
        x = np.zeros((b - a, block), np.uint32)
        patterns = np.arange(a, b, dtype=np.uint32)
        lanes = patterns % np.uint32(block)
        signs = (patterns // np.uint32(block) & np.uint32(1)) << np.uint32(31)
        x[np.arange(b - a), lanes] = patterns | signs
        got = quantize(x.view(np.float32), recipe, threads=1).scales[:, 0]
        expected = walk.expected(a, b, np.empty(b - a, np.uint8))
        compared += _require_equal(got, expected, a, f"scale {recipe.name}")
    return compared


def element_space(recipe: Recipe, scale_code: int, start: int = 0, stop: int = MAGNITUDES) -> int:
    """Compare element codes of `quantize` with the second path, for one scale code.

    The amax in lane 0 is the largest finite one that gives the scale code; the other lanes hold
    the magnitudes of the range that do not exceed it, with both signs in turn. Returns 0 if no
    amax gives the scale code.
    """
    scales = scale_walk(recipe)
    found = np.flatnonzero(scales.code == scale_code)
    if not found.size:
        return 0
    index = int(found[0])
    amax = min(int(scales.begin[index + 1]), INFINITY) - 1
    walk = element_walk(recipe, scale_code)
    lanes = recipe.block_size - 1
    compared = 0
    for a, b in _chunks(start, min(stop, amax + 1), CHUNK // recipe.block_size * lanes):
        patterns = np.arange(a, b, dtype=np.uint32)
        signs = (patterns & np.uint32(1)) << np.uint32(31)
        x = np.zeros((-(-(b - a) // lanes), recipe.block_size), np.uint32)
        x[:, 0] = amax
        rest = np.zeros(len(x) * lanes, np.uint32)
        rest[: b - a] = patterns | signs
        x[:, 1:] = rest.reshape(-1, lanes)
        q = quantize(x.view(np.float32), recipe, threads=1)
        if (q.scales != scale_code).any():
            raise MismatchError(f"{recipe.name}: amax fp32:{amax:08x} gives another scale code")
        got = q.codes[:, 1:].reshape(-1)[: b - a]
        expected = walk.expected(a, b, np.empty(b - a, np.uint8))
        expected |= (signs >> np.uint32(28)).astype(np.uint8)
        what = f"element {recipe.name} scale {scale_code:02x}"
        compared += _require_equal(got, expected, a, what)
    return compared


def random_blocks(fmt: Format, block: int, count: int, seed: int) -> npt.NDArray[np.uint32]:
    """Return ``count`` random blocks of float patterns, as uint32 of shape (count, block).

    A quarter are raw bits, NaN and infinity included. In the others the lanes lie within a few
    binades of each other, with some of the low fraction bits cleared, so that all element codes
    and many ties occur; two in three of these lie within 20 binades of 1, where scales of few
    exponent bits do not saturate.
    """
    bits = np.random.Generator(np.random.PCG64(seed))
    f = fmt.fraction_bits
    raw = bits.integers(0, 1 << fmt.width, (count, block), np.uint64).astype(np.uint32)
    largest = (1 << fmt.exponent_bits) - 2
    top = bits.integers(0, largest + 1, (count, 1), np.int64)
    central = bits.integers(fmt.bias - 20, fmt.bias + 21, (count, 1), np.int64)
    kind = np.arange(count)[:, None] % 4
    top = np.where(kind == 1, top, np.clip(central, 0, largest))
    field = np.maximum(top - bits.integers(0, 6, (count, block), np.int64), 0).astype(np.uint32)
    cleared = bits.integers(0, f + 1, (count, 1), np.int64)
    keep = (((1 << f) - 1) >> cleared << cleared).astype(np.uint32)
    near = (raw & np.uint32(fmt.sign_mask)) | (field << np.uint32(f)) | (raw & keep)
    return np.where(kind == 0, raw, near)


def reference_blocks(recipe: Recipe, fmt: Format, count: int, seed: int) -> int:
    """Compare `quantize` and `dequantize` with the reference on random blocks; return how many."""
    blocks = random_blocks(fmt, recipe.block_size, count, seed)
    word = np.uint32 if fmt.width > 16 else np.uint16
    q = quantize(blocks.astype(word).view(DTYPES[fmt]), recipe, threads=1)
    y = dequantize(q, DTYPES[fmt], threads=1).view(word)
    for i, bits in enumerate(blocks.tolist()):
        scale, codes = reference.quantize_block(bits, fmt, recipe)
        if (scale, codes) != (int(q.scales[i, 0]), q.codes[i].tolist()):
            raise MismatchError(
                f"{recipe.name}: block {fmt.name}:{','.join(f'{b:x}' for b in bits)} gives "
                f"{int(q.scales[i, 0]):02x} {q.codes[i].tobytes().hex()[1::2]}, reference "
                f"{scale:02x} {bytes(codes).hex()[1::2]}"
            )
        if i % 16 == 0 and reference.dequantize_block(scale, codes, recipe, fmt) != y[i].tolist():
            raise MismatchError(f"{recipe.name}: block {scale:02x} {codes} decodes differently")
    return count
