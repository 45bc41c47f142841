"""The dequantizer as a subject: codes, scales and tensor scales, and the numbers they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cocotb_tests.subject import Subject
from emulator.formats import BF16, FP32, Format
from emulator.layout import Words
from emulator.scaled_tables import rounded_codes
from rtl.dequantizer_variant import DequantizerVariant

Ints = npt.NDArray[np.int64]

RANDOM_WORDS = 256
"""Words of the random stimulus unless more are asked for."""

SCALE_FORMATS = {"h": FP32, "h256": FP32, "hbf16": BF16}
"""Formats of the tensor scales that a word holds whole; of hp2 it holds the exponent field."""


def tensor_scale_parts(kind: str, g: Ints) -> tuple[Ints, Ints]:
    """``c`` and ``q`` of tensor scales as a word holds them (spec §21.6)."""
    if kind == "hp2":
        return np.ones_like(g), g - FP32.bias
    fmt = SCALE_FORMATS[kind]
    f = fmt.fraction_bits
    return (g & ((1 << f) - 1)) | 1 << f, (g >> f) - fmt.bias - f


def products(
    element: Format, scale: Format, output: Format, stored: Ints, factor: tuple[Ints, Ints] | None
) -> npt.NDArray[np.uint32]:
    """Numbers of all magnitude codes under scales and tensor scales, by the kernels' arithmetic.

    Args:
        stored: n stored scale codes.
        factor: ``c`` and ``q`` of n tensor scales, or None.

    Returns:
        Patterns of shape ``(n, magnitude codes)`` (spec §10, §14.7).
    """
    assert output.nan_code is not None
    known = [scale.parts(code)[1:] for code in range(scale.max_code + 1)]
    known += [(0, 0)] * (scale.magnitude_mask - scale.max_code)
    codes = stored & scale.magnitude_mask
    cs, qs = np.array(known, np.int64)[codes].T
    cg, qg = factor if factor is not None else (np.ones_like(cs), np.zeros_like(cs))
    columns = []
    for code in range(element.max_code + 1):
        _, c, q = element.parts(code)
        columns.append(rounded_codes(c * cs * cg, q + qs + qg, output))
    found = np.stack(columns, axis=1)
    found[codes > scale.max_code] = output.nan_code  # spec §10.2
    return found.astype(np.uint32)


class DequantizerSubject(Subject[DequantizerVariant]):
    """See `Subject`."""

    def names(self) -> list[str]:
        """All codes under all scales; with a tensor scale also products at both ends."""
        return ["codes", *(["ends"] if self._kind else [])]

    @property
    def _kind(self) -> str | None:
        return self.variant.recipe.tensor_scale

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Input words; see `names`."""
        rng = np.random.default_rng(seed)
        if name == "codes":
            return self._all_codes(rng)
        count = 2048 if name == "ends" else RANDOM_WORDS if words is None else words
        n = self.variant.recipe.block_size
        codes = rng.integers(0, 16, (count, n), np.int64)
        stored = rng.integers(0, 256, count, np.int64)
        fields = self._exponents(rng, count)
        if name == "ends":
            stored %= self.variant.recipe.scale.max_code + 1
            fields = self._end_exponents(rng, stored)
        return self._pack(codes, stored, self._given(rng, fields))

    def _all_codes(self, rng: np.random.Generator) -> Words:
        """Each element code in some lane under each stored scale code, tensor scales in turn."""
        n = self.variant.recipe.block_size
        starts = np.arange(0, 16, min(n, 16))
        stored = np.repeat(np.arange(256), starts.size)
        codes = (np.tile(starts, 256)[:, None] + np.arange(n) + stored[:, None]) % 16
        given = self._given(rng, self._exponents(rng, stored.size))
        if self._kind:
            assert given is not None
            plain = self._given(rng, np.full(stored.size, FP32.bias), 0)
            assert plain is not None
            codes, stored = np.tile(codes, (2, 1)), np.tile(stored, 2)
            given = np.concatenate([plain, given])
        return self._pack(codes, stored, given)

    @staticmethod
    def _exponents(rng: np.random.Generator, count: int) -> Ints:
        """Exponent fields of tensor scales: all normal ones."""
        return rng.integers(1, 255, count, np.int64)

    def _end_exponents(self, rng: np.random.Generator, stored: Ints) -> Ints:
        """Exponent fields that bring products near the output's smallest or largest numbers."""
        scale, output = self.variant.recipe.scale, self.variant.output
        low = 2 - output.bias - output.fraction_bits - 6
        high = output.bias
        wanted = np.where(
            rng.integers(0, 2, stored.size) == 0,
            rng.integers(low, low + output.fraction_bits + 10, stored.size),
            rng.integers(high - 4, high + 3, stored.size),
        )
        own = np.maximum(stored >> scale.fraction_bits, 1) - scale.bias
        return np.clip(wanted - own + FP32.bias, 1, 254)

    def _given(
        self, rng: np.random.Generator, fields: Ints, fraction: int | None = None
    ) -> Ints | None:
        """Tensor scales as a word holds them; fractions uniform, few bits, or that given."""
        if self._kind is None:
            return None
        if self._kind == "hp2":
            return fields
        f = SCALE_FORMATS[self._kind].fraction_bits
        if fraction is not None:
            return fields << f | fraction
        bits = rng.integers(0, 1 << f, fields.size, np.int64)
        coarse = bits & -(1 << (f - 3))  # exact ties
        fine = np.where(rng.integers(0, 4, fields.size) == 0, coarse, bits)
        return fields << f | fine

    def _pack(self, codes: Ints, stored: Ints, given: Ints | None) -> Words:
        parts: dict[str, npt.NDArray[Any]] = {
            "codes": codes.astype(np.uint8),
            "scale": stored.astype(np.uint8),
        }
        if given is not None:
            parts["g"] = given.astype(np.uint32)
        return self.variant.input_layout.pack(**parts)

    def expected(self, words: Words) -> Words:
        """Numbers of the exact products, rounded once (spec §21.7)."""
        v = self.variant
        parts = v.input_layout.unpack(words)
        codes = parts["codes"].astype(np.int64)
        stored = parts["scale"][:, 0].astype(np.int64)
        factor = None
        if v.recipe.tensor_scale:
            factor = tensor_scale_parts(v.recipe.tensor_scale, parts["g"][:, 0].astype(np.int64))
        element, output = v.recipe.element, v.output
        table = products(element, v.recipe.scale, output, stored, factor)
        numbers = np.take_along_axis(table, codes & element.magnitude_mask, axis=1)
        finite = (stored & v.recipe.scale.magnitude_mask) <= v.recipe.scale.max_code
        sign = np.where(finite[:, None] & ((codes & element.sign_mask) != 0), output.sign_mask, 0)
        return v.output_layout.pack(x=(numbers | sign).astype(np.uint32))
