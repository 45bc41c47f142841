"""The units that make a tensor scale, as subjects: words by `emulator.tensor_scale` (spec §23)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cocotb_tests.subject import Subject
from emulator.blocks import BlockFormat
from emulator.formats import E2M1
from emulator.layout import Words
from emulator.recipes import Recipe
from emulator.scaled_words import carried
from emulator.tensor_scale import scale_of, tensor_amax
from rtl.tensor_variant import TensorAmaxVariant, TensorScaleVariant, TensorVariant


class TensorSubject(Subject[TensorVariant]):
    """See `Subject`."""

    def names(self) -> list[str]:
        """All stimuli but the random one."""
        amax = isinstance(self.variant, TensorAmaxVariant)
        return ["specials", "lengths"] if amax else ["ends", "ties"]

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Streams of short and long tensors, or amaxes about the points where results change."""
        random = np.random.Generator(np.random.PCG64(seed))
        count = 256 if words is None else words
        if isinstance(self.variant, TensorAmaxVariant):
            return _tensors(self.variant, name, count, random)
        assert isinstance(self.variant, TensorScaleVariant)
        return _amaxes(self.variant, name, count, random)

    def expected(self, words: Words) -> Words:
        """Words by the emulator, one per tensor."""
        v = self.variant
        if isinstance(v, TensorAmaxVariant):
            return _largest(v, words)
        assert isinstance(v, TensorScaleVariant)
        recipe = Recipe(BlockFormat(E2M1, v.scale, 16, v.kind), "absmax")
        given = v.input_layout.unpack(words)["amax"][:, 0]
        found = {int(a): scale_of(v.elements.parts(int(a))[1:], recipe) for a in np.unique(given)}
        g = np.array([found[int(a)] for a in given], np.float32).view(np.uint32)
        field = v.output_layout.field("g")
        return v.output_layout.pack(g=carried(g, v.kind).astype(field.dtype).reshape(-1, 1))


def _tensors(v: TensorAmaxVariant, name: str, count: int, random: np.random.Generator) -> Words:
    """Words of tensors: NaN, infinity and zeros among numbers; of one word and of many."""
    layout, x = v.input_layout, v.elements
    count = {"specials": 400, "lengths": 600}.get(name, count)
    dtype = layout.field("x").dtype
    lanes = random.integers(0, 1 << x.width, (count, v.lanes)).astype(dtype)
    # Most of the words are small, so that the largest number may stand anywhere in a tensor.
    small = random.integers(0, 1 << (x.width - 3), lanes.shape).astype(dtype)
    lanes = np.where(random.random((count, 1)) < 0.8, small, lanes)
    if name == "specials":
        assert x.inf_code is not None
        special = np.array([x.inf_code, x.inf_code + 1, x.magnitude_mask, 0, 1, x.max_code], dtype)
        which = special[random.integers(0, len(special), lanes.shape)]
        lanes = np.where(random.random(lanes.shape) < 0.6, which, lanes)
        lanes[::7] = x.magnitude_mask  # no number at all
    sign = (random.integers(0, 2, lanes.shape) << x.magnitude_bits).astype(dtype)
    every = {"specials": 0.5, "lengths": 0.05}.get(name, 0.3)
    last = (random.random((count, 1)) < every).astype(np.uint8)
    last[-1:] = 1
    return layout.pack(x=np.bitwise_xor(lanes, sign).astype(dtype), last=last)


def _largest(v: TensorAmaxVariant, words: Words) -> Words:
    """The amax of each tensor of a stream; a tensor without its last word gives nothing."""
    parts = v.input_layout.unpack(words)
    ends = np.flatnonzero(parts["last"][:, 0]) + 1
    found = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        c, q = tensor_amax(np.ascontiguousarray(parts["x"][start:end]), v.elements, 1)
        found.append(_pattern(c, q, v))
    dtype = v.output_layout.field("amax").dtype
    return v.output_layout.pack(amax=np.array(found, dtype).reshape(-1, 1))


def _pattern(c: int, q: int, v: TensorAmaxVariant) -> int:
    """The pattern of a finite magnitude ``c * 2**q`` that came from one."""
    x = v.elements
    if c >> x.fraction_bits:
        return ((q - x.min_quantum + 1) << x.fraction_bits) + (c - (1 << x.fraction_bits))
    return c


def _beside(numbers: npt.NDArray[np.int64], f: int) -> npt.NDArray[np.int64]:
    """Fraction fields of numbers of at most f + 1 bits, and their neighbours."""
    bits = np.frexp(numbers.astype(np.float64))[1]
    fractions = (numbers << (f + 1 - bits)) - (1 << f)
    return np.unique((fractions[:, None] + np.array([-1, 0, 1])).reshape(-1))


def _amaxes(v: TensorScaleVariant, name: str, count: int, random: np.random.Generator) -> Words:
    """Tensor amaxes: the ends of the range, and products of the divisor, which divide evenly."""
    x, f = v.elements, v.elements.fraction_bits
    if name == "ends":
        near = np.arange(40)
        edges = [0, 1 << f, 2 << f, x.max_code - 39, *(n << f for n in range(5, 24))]
        patterns = np.concatenate([near + max(0, e - 20) for e in edges])
    elif name == "ties":
        d, _ = v.divisor
        at = _beside(np.arange(d, 1 << (f + 1), d), f)[:200]
        if v.steps and v.g_bits + 1 + d.bit_length() <= f + 1:
            # Halfway between neighbouring g, which a narrower amax never is.
            halves = d * np.arange((1 << v.g_bits) + 1, 2 << v.g_bits, 2)
            at = np.concatenate([at, _beside(halves, f)])
        fields = random.integers(1, (1 << x.exponent_bits) - 2, len(at))
        patterns = (fields << f) + at
    else:
        patterns = random.integers(0, x.max_code + 1, count)
    patterns = np.clip(patterns, 0, x.max_code)
    dtype = v.input_layout.field("amax").dtype
    return v.input_layout.pack(amax=patterns.astype(dtype).reshape(-1, 1))
