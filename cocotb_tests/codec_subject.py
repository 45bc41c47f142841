"""The codecs as subjects: floats at which a code changes, all codes, and what they become."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache

import ml_dtypes
import numpy as np
import numpy.typing as npt

from cocotb_tests.subject import Subject
from emulator import reference
from emulator.directed import around
from emulator.encoding import encode
from emulator.formats import Format
from emulator.layout import Words
from rtl.codec_variant import CodecVariant, DecodeVariant, EncodeVariant

DTYPES = {"fp32": np.float32, "fp16": np.float16, "bf16": ml_dtypes.bfloat16}
POINTS = 1 << 9
"""About so many codes of a format stand for all where it has more."""

RANDOM_WORDS = 256
"""Words of the random stimulus unless more are asked for."""


@lru_cache(maxsize=8)
def decoded(fmt: Format, output: Format) -> npt.NDArray[np.uint32]:
    """Patterns of all stored codes, by the reference (spec §21.4)."""
    codes = range(1 << fmt.storage_bits)
    return np.array([reference.decode(code, fmt, output) for code in codes], np.uint32)


def steps(fmt: Format, number: Format) -> list[int]:
    """Patterns at and beside each value of a format and each midpoint of two, of both signs."""
    codes = range(0, fmt.max_code, max(1, fmt.max_code // POINTS))
    found: set[int] = set()
    for code in [*codes, fmt.max_code - 1]:
        low, high = fmt.value(code), fmt.value(code + 1)
        for x in (low, (low + high) / 2, high):
            found.update(around(x, number))
    top, quantum = fmt.max, fmt.max - fmt.value(fmt.max_code - 1)
    bottom = fmt.value(0) or fmt.value(1)
    edges = [top + quantum * n / 2 for n in (1, 2, 3)] + [bottom * Fraction(n, 8) for n in (1, 4)]
    for x in edges:
        found.update(around(x, number))
    return [p | sign for p in sorted(found) for sign in (0, number.sign_mask)]


def specials(number: Format) -> list[int]:
    """Zeros, subnormals, largest numbers, infinities and NaN of both signs."""
    assert number.inf_code is not None
    inf, top, f = number.inf_code, number.magnitude_mask, number.fraction_bits
    some = [0, inf - 1, inf, inf + 1, number.nan_code or 0, top, (1 << f) - 1]
    some += [1 << k for k in range(f + 1)] + [(3 << k) >> 1 for k in range(f + 1)]
    return [p | sign for p in some for sign in (0, number.sign_mask)]


class CodecSubject(Subject[CodecVariant]):
    """See `Subject`."""

    def _words(self, values: Iterable[int] | npt.NDArray[np.uint32]) -> Words:
        """Values one after the other in the lanes of words, zeros at the end."""
        (field,) = self.variant.input_layout.fields
        flat = np.array(values if isinstance(values, np.ndarray) else list(values), np.uint32)
        lanes = np.zeros(-(-flat.size // field.count) * field.count, np.uint32)
        lanes[: flat.size] = flat
        return self.variant.input_layout.pack(**{field.name: lanes.reshape(-1, field.count)})

    def _random(self, words: int | None, seed: int) -> Words:
        """Uniform bits."""
        (field,) = self.variant.input_layout.fields
        n = RANDOM_WORDS if words is None else words
        bits = np.random.default_rng(seed).integers(0, 1 << field.width, (n, field.count), np.int64)
        return self.variant.input_layout.pack(**{field.name: bits.astype(np.uint32)})


class EncodeSubject(CodecSubject):
    """See `Subject`."""

    variant: EncodeVariant

    def names(self) -> list[str]:
        """Directed ones, and every value of a 16-bit input."""
        return ["specials", "steps", *(["sweep"] if self.variant.number.width == 16 else [])]

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Numbers at which codes change; half of the random ones within the format's range."""
        v = self.variant
        if name == "specials":
            return self._words(specials(v.number))
        if name == "steps":
            return self._words(steps(v.fmt, v.number))
        if name == "sweep":
            return self._words(range(1 << v.number.width))
        bits = self._random(words, seed)
        low, high = (around(x, v.number)[0] for x in (v.fmt.min_positive / 4, v.fmt.max * 2))
        rng = np.random.default_rng(seed + 1)
        (field,) = v.input_layout.fields
        within = rng.integers(low, high + 1, (len(bits), field.count), np.int64).astype(np.uint32)
        within |= rng.integers(0, 2, within.shape).astype(np.uint32) << (field.width - 1)
        near = self.variant.input_layout.pack(**{field.name: within})
        return np.where(rng.integers(0, 2, (len(bits), 1)) == 0, bits, near).astype(np.uint8)

    def expected(self, words: Words) -> Words:
        """Codes by the kernels (spec §21.2, §21.3)."""
        v = self.variant
        bits = v.input_layout.unpack(words)["x"]
        overflow = "ieee" if v.ieee else "saturate"
        codes = encode(bits.view(DTYPES[v.number.name]), v.fmt, overflow=overflow, nan="zero")
        return v.output_layout.pack(codes=codes)


class DecodeSubject(CodecSubject):
    """See `Subject`."""

    variant: DecodeVariant

    def names(self) -> list[str]:
        """All codes."""
        return ["codes"]

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """All stored codes in turn, or random ones."""
        if name == "codes":
            return self._words(range(1 << self.variant.fmt.storage_bits))
        return self._random(words, seed)

    def expected(self, words: Words) -> Words:
        """Numbers by the reference (spec §21.4)."""
        v = self.variant
        codes = v.input_layout.unpack(words)["codes"]
        return v.output_layout.pack(x=decoded(v.fmt, v.number)[codes])
