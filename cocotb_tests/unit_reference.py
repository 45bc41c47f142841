"""The words of units by the reference alone, a second path beside the subjects' own.

`REFERENCES` has a line per subject; where it has none, vectors of the unit name no word that the
reference confirmed (spec §11.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from cocotb_tests.codec_subject import DecodeSubject, EncodeSubject
from cocotb_tests.dequantizer_subject import DequantizerSubject
from cocotb_tests.dot_subject import DotSubject
from cocotb_tests.peer_subject import PeerSubject
from cocotb_tests.quantizer_subject import QuantizerSubject
from cocotb_tests.random_quantizer_subject import RandomQuantizerSubject
from cocotb_tests.random_scaled_subject import RandomScaledSubject
from cocotb_tests.scaled_quantizer_subject import ScaledQuantizerSubject
from cocotb_tests.subject import Subject, emitting
from cocotb_tests.tensor_subject import TensorSubject
from emulator import reference, reference_dot, reference_peers
from emulator.accumulation import accumulation, exact_bits, unit_exponent
from emulator.blocks import BlockFormat
from emulator.dot_layout import DotWords
from emulator.encoding import decode
from emulator.formats import BF16, E2M1, FP32
from emulator.golden import expected_by_reference
from emulator.layout import Words
from emulator.random_scaled_words import expected_random_scaled_by_reference
from emulator.random_words import expected_random_by_reference
from emulator.recipes import Recipe
from emulator.scaled_words import carried, expected_scaled_by_reference
from rtl.codec_variant import DecodeVariant, EncodeVariant
from rtl.dequantizer_variant import DequantizerVariant
from rtl.dot_variant import DotVariant
from rtl.peer_variant import PeerVariant
from rtl.quantizer_variant import QuantizerVariant
from rtl.random_variant import RandomVariant
from rtl.tensor_variant import TensorAmaxVariant, TensorScaleVariant, TensorVariant

By = Callable[[Any, Words], Words]
"""Output words of a variant for input words."""


def _quantizer(v: QuantizerVariant, words: Words) -> Words:
    return expected_by_reference(v.recipe, v.input, words)


def _scaled_quantizer(v: QuantizerVariant, words: Words) -> Words:
    return expected_scaled_by_reference(v.recipe, v.input, words)


def _random_quantizer(v: RandomVariant, words: Words) -> Words:
    return expected_random_by_reference(v.recipe, v.input, words)


def _random_scaled(v: RandomVariant, words: Words) -> Words:
    return expected_random_scaled_by_reference(v.recipe, v.input, words)


def _encode(v: EncodeVariant, words: Words) -> Words:
    overflow = "ieee" if v.ieee else "saturate"
    bits = v.input_layout.unpack(words)["x"]
    codes = [[reference.encode(int(b), v.number, v.fmt, overflow, "zero") for b in r] for r in bits]
    return v.output_layout.pack(codes=np.array(codes, v.output_layout.field("codes").dtype))


def _decode(v: DecodeVariant, words: Words) -> Words:
    """By the kernels and one rounding of a float32, which holds every value of these formats.

    The subject's own words are the reference's already.
    """
    codes = v.input_layout.unpack(words)["codes"]
    single = decode(codes, v.fmt)
    if v.number is FP32:
        return v.output_layout.pack(x=single.view(np.uint32))
    if v.number is BF16:
        pattern = single.view(np.uint32)
        halves = pattern + np.uint32(0x7FFF) + (pattern >> 16 & np.uint32(1))
        found = np.where(np.isnan(single), pattern, halves) >> np.uint32(16)
        return v.output_layout.pack(x=found.astype(np.uint16))
    with np.errstate(all="ignore"):
        return v.output_layout.pack(x=single.astype(np.float16).view(np.uint16))


def _dequantizer(v: DequantizerVariant, words: Words) -> Words:
    parts = v.input_layout.unpack(words)
    kind = v.recipe.tensor_scale
    rows = []
    for k in range(len(words)):
        g = reference.ONE
        if kind is not None:
            field = int(parts["g"][k, 0])
            g = Fraction(2) ** (field - FP32.bias) if kind == "hp2" else _float(kind, field)
        codes = parts["codes"][k].tolist()
        scale = int(parts["scale"][k, 0])
        rows.append(reference.dequantize_block(scale, codes, v.recipe, v.output, g))
    return v.output_layout.pack(x=np.array(rows, v.output_layout.field("x").dtype))


def _float(kind: str, pattern: int) -> Fraction:
    return (BF16 if kind == "hbf16" else FP32).value(pattern)


def _dot(v: DotVariant, words: Words) -> Words:
    """One by one (spec §22.3, §22.6, §22.7, §22.10)."""
    y, flags = [], []
    for a, b, scales in _operands(v.words, words):
        chosen = v.words.accumulation or accumulation("fp32")
        over = v.words.exact and _overflows(v.words, a, b)
        bits = reference_dot.dot(a, b, v.stored, v.stored, chosen, scales)
        y.append(reference_dot.NAN if over else bits)
        flags.append(over)
    parts: dict[str, Any] = {"y": np.array(y, np.uint32)}
    if v.words.exact:
        parts["overflow"] = np.array(flags, np.uint8)
    return v.output_layout.pack(**parts)


Block = tuple[int, list[int]]


def _operands(
    words: DotWords, stream: Words
) -> Iterator[tuple[list[Block], list[Block], list[int]]]:
    """Blocks of both operands of each dot product of a stream, and its tensor scales, which come
    as the tops of float32 patterns (spec §22.6, §22.11)."""
    parts = words.operands.unpack(stream)
    lower = {32: 0, 16: 16, 8: 23}
    n = words.stored.block_size
    a: list[Block] = []
    b: list[Block] = []
    for k in range(len(stream)):
        for x, blocks in (("a", a), ("b", b)):
            for j in range(words.blocks):
                codes = parts[f"{x}_codes"][k, j * n : (j + 1) * n].tolist()
                blocks.append((int(parts[f"{x}_scales"][k, j]), codes))
        if words.accumulation is None or parts["last"][k, 0]:
            scales = words.tensor_scales
            yield a, b, [int(parts[name][k, 0]) << lower[bits] for name, bits, _ in scales]
            a, b = [], []


def _overflows(words: DotWords, a: list[Block], b: list[Block]) -> bool:
    """Whether a sum of the first blocks leaves the accumulator, no scale being NaN (spec §22.7)."""
    stored, element, scale = words.stored, words.stored.element, words.stored.scale
    if any(scale.is_nan(s) for s, _ in (*a, *b)):
        return False
    unit = Fraction(2) ** unit_exponent(stored, stored)
    limit = unit * 2 ** (exact_bits(stored, stored, words.exact_blocks) - 1)
    total = Fraction(0)
    for (s, x), (t, y) in zip(a, b, strict=True):
        inner = sum((element.value(p) * element.value(q) for p, q in zip(x, y, strict=True)))
        total += inner * scale.value(s) * scale.value(t)
        if not -limit <= total < limit:
            return True
    return False


def _tensor(v: TensorVariant, words: Words) -> Words:
    parts = v.input_layout.unpack(words)
    if isinstance(v, TensorAmaxVariant):
        return _tensor_amax(v, parts)
    assert isinstance(v, TensorScaleVariant)
    r = Recipe(BlockFormat(E2M1, v.scale, 2, v.kind), "absmax")
    scales = [reference.tensor_scale([int(a)], v.elements, r) for a in parts["amax"][:, 0]]
    patterns = [reference.round_magnitude(g, FP32) for g in scales]
    field = carried(np.array(patterns, np.uint32), v.kind)
    return v.output_layout.pack(g=field.astype(v.output_layout.field("g").dtype))


def _tensor_amax(v: TensorAmaxVariant, parts: dict[str, Any]) -> Words:
    """The largest value of each tensor, by values (spec §23.3)."""
    x, largest = v.elements, 0
    found = []
    for row, last in zip(parts["x"], parts["last"][:, 0], strict=True):
        finite = [int(bits) & x.magnitude_mask for bits in row if x.is_finite(int(bits))]
        largest = max([largest, *finite], key=x.value)
        if last:
            found.append(largest)
            largest = 0
    return v.output_layout.pack(amax=np.array(found, v.output_layout.field("amax").dtype))


def _peer(v: PeerVariant, words: Words) -> Words:
    """Block by block (spec §25)."""
    parts = v.input_layout.unpack(words)
    found = []
    for k, row in enumerate(parts["x"].tolist()):
        if v.datapath.tensor:
            s = FP32.value(int(parts["multiplier"][k, 0]))
            found.append(reference_peers.te(row, v.input, s))
        else:
            found.append(reference_peers.torchao(row, v.input))
    codes = np.array([c for _, c in found], np.uint8).reshape(-1, v.block_size)
    return v.output_layout.pack(codes=codes, scale=np.array([s for s, _ in found], np.uint8))


REFERENCES: dict[type[Subject[Any]], By] = {
    QuantizerSubject: _quantizer,
    RandomQuantizerSubject: _random_quantizer,
    RandomScaledSubject: _random_scaled,
    ScaledQuantizerSubject: _scaled_quantizer,
    EncodeSubject: _encode,
    DecodeSubject: _decode,
    DequantizerSubject: _dequantizer,
    DotSubject: _dot,
    TensorSubject: _tensor,
    PeerSubject: _peer,
}
"""How the words of each subject come about a second time."""


def by_reference(about: Subject[Any], words: Words) -> Words | None:
    """Output words of a unit by the reference, or None where it has no second path."""
    for kind in type(about).__mro__:
        if found := REFERENCES.get(kind):
            return found(about.variant, words)
    return None


def confirmed(about: Subject[Any], words: Words, spec: Words, most: int) -> tuple[int, int | None]:
    """Compare some required words with those of the reference.

    Args:
        about: the unit.
        words: its input words.
        spec: the words required for them.
        most: about so many output words, spread over all where each word stands alone, else the
            first.

    Returns:
        How many words were compared, and the first row of ``spec`` that differs, or None.
    """
    calls = emitting(about.variant, words)
    if about.variant.last_bit is None:
        rows = np.unique(np.linspace(0, len(words) - 1, min(most, len(words))).astype(np.int64))
        given = words[rows]
    else:
        rows = np.arange(min(most, int(calls.sum())))
        end = int(np.flatnonzero(calls)[rows[-1]]) + 1 if len(rows) else 0
        given = words[:end]
    found = by_reference(about, given)
    if found is None:
        return 0, None
    wrong = np.flatnonzero((found != spec[rows]).any(axis=1))
    return len(rows), int(rows[wrong[0]]) if len(wrong) else None
