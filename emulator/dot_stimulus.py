"""Streams of dot products worth trying: operands that reach the corners of spec §16 and §22.

Nothing here knows an answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.dot_layout import DotWords
from emulator.formats import Format
from emulator.layout import Words

Parts = dict[str, npt.NDArray[Any]]

STYLES = ("any", "near", "small", "large", "ties", "subnormal", "sparse", "nan", "cancel")
"""Styles of random operands, as named stimuli and mixed in ``"random"``."""

STYLE_WORDS = 400
PART_WORDS = 500
"""Words of one style and one length of dot products, in random streams."""

G = (0x3F800000, 0x3DCCCCCD, 0, 1, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x7F800000, 0x2F800001)
"""Tensor scales worth trying: ordinary, zero, subnormal, largest, infinity."""

LEAST_FIELD, TOP_FIELD = 1, 254
"""Exponent fields that tensor scales can have (spec §14.6)."""

MEETING = (102, 103, 104, 105, 118, 119, 127, 128, 254, 380, 381, 382, 383)
"""Sums of two such fields at which the product of two tensor scales ceases to be a float32, is
subnormal, near one, or infinite."""

SIGNIFICANDS = (0, 1, 0x35, 0x40, 0x7F)
"""Fraction bits of bfloat16 numbers whose products lie at the ends of a binade, and others."""


def stimulus_names(words: DotWords) -> list[str]:
    """Names of the streams, ``"random"`` left out."""
    names = ["products", "scales", *STYLES]
    return names if words.accumulation is not None else [n for n in names if n != "cancel"]


def stimulus(words: DotWords, name: str, *, count: int | None = None, seed: int = 0) -> Words:
    """A stream of operand words that ends with the end of a dot product.

    Args:
        words: what the words say.
        name: one of `stimulus_names`, or ``"random"``.
        count: number of words, of ``"random"`` only.
        seed: of the random parts.

    Raises:
        ValueError: if the name is unknown.
    """
    rng = np.random.Generator(np.random.PCG64([seed, *name.encode()]))
    if name == "products":
        parts = _products(words)
    elif name == "scales":
        special = special_codes(words.stored.scale)
        parts = scale_pairs(words, np.repeat(special, len(special)), np.tile(special, len(special)))
    elif name == "random":
        parts = _mixed(words, count or PART_WORDS, rng)
    elif name in stimulus_names(words):
        parts = _join([_styled(words, name, STYLE_WORDS // 4, mean, rng) for mean in (1, 2, 5, 20)])
    else:
        raise ValueError(f"unknown stimulus {name!r}")
    return _pack(words, parts, rng)


def special_codes(fmt: Format) -> npt.NDArray[np.uint8]:
    """Scale codes at the ends of a format's range, around 1, and NaN."""
    middle = fmt.bias << fmt.fraction_bits
    top = fmt.max_code
    codes = [0, 1, 2, 7, 8, 9, middle - 1, middle, middle + 1, top - 1, top]
    codes += [fmt.nan_code] if fmt.nan_code is not None else []
    return np.array(sorted(set(codes)), np.uint8)


def scale_pairs(words: DotWords, a: Any, b: Any) -> Parts:
    """One word per pair of scale codes, each a dot product of its own, elements at random."""
    rng = np.random.Generator(np.random.PCG64(7))
    parts = _elements(words, len(a), rng)
    for x, codes in (("a", a), ("b", b)):
        parts[f"{x}_scales"] = np.repeat(np.asarray(codes, np.uint8)[:, None], words.blocks, axis=1)
    parts["last"] = np.ones(len(a), np.uint8)
    return parts


def _pack(words: DotWords, parts: Parts, rng: Any) -> Words:
    """Words of parts, with tensor scales in each word, which count in the last ones only."""
    n = len(parts["a_scales"])
    if words.tensor_scale == "h":
        odd = rng.integers(0, 1 << 31, n)
        near = (rng.integers(100, 140, n) << 23) | rng.integers(0, 1 << 23, n)
        finite = np.where(odd >= 0x7F800000, near, odd)
        choice = rng.integers(0, 4, n)
        g = np.where(choice == 0, rng.choice(G, n), np.where(choice == 1, finite, near))
        parts["g"] = g.astype(np.uint32)
    elif words.tensor_scale is not None:
        a, b = _fields(n, rng)
        for name, field in (("a_g", a), ("b_g", b)):
            fraction = np.where(
                rng.integers(0, 3, n) == 0, rng.choice(SIGNIFICANDS, n), rng.integers(0, 128, n)
            )
            bf16 = (field << 7) | fraction
            parts[name] = (field if words.tensor_scale == "hp2" else bf16).astype(np.uint16)
    chosen = {f.name: parts[f.name] for f in words.operands.fields}
    return words.operands.pack(**chosen)


def _fields(n: int, rng: Any) -> tuple[Any, Any]:
    """Exponent fields of two tensor scales: any, near one, or with a sum out of `MEETING`."""
    a, b = rng.integers(LEAST_FIELD, TOP_FIELD + 1, (2, n))
    near = rng.integers(100, 150, (2, n))
    total = rng.choice(MEETING, n)
    low, high = np.maximum(total - TOP_FIELD, LEAST_FIELD), np.minimum(total - 1, TOP_FIELD)
    met = rng.integers(low, high + 1)
    choice = rng.integers(0, 4, n)
    return (
        np.where(choice == 0, a, np.where(choice == 1, met, near[0])),
        np.where(choice == 0, b, np.where(choice == 1, total - met, near[1])),
    )


def _join(parts: list[Parts]) -> Parts:
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def _elements(words: DotWords, n: int, rng: Any) -> Parts:
    """Random element codes."""
    lanes = words.stored.block_size * words.blocks
    return {f"{x}_codes": rng.integers(0, 16, (n, lanes)).astype(np.uint8) for x in "ab"}


def _products(words: DotWords) -> Parts:
    """All pairs of element codes: in one lane, the others 0, and in all lanes at once."""
    lanes = words.stored.block_size * words.blocks
    pairs = np.arange(256)
    everywhere = (pairs[:, None] + 17 * np.arange(lanes)) % 256
    alone = np.zeros((256, lanes), np.int64)
    alone[pairs, (pairs + pairs // 16) % lanes] = pairs
    codes = np.concatenate([everywhere, alone])
    one = words.stored.scale.bias << words.stored.scale.fraction_bits
    scales = np.full((512, words.blocks), one, np.uint8)
    return {
        "a_codes": (codes >> 4).astype(np.uint8),
        "b_codes": (codes & 15).astype(np.uint8),
        "a_scales": scales,
        "b_scales": scales,
        "last": np.ones(512, np.uint8),
    }


def _scales(fmt: Format, style: str, shape: tuple[int, ...], rng: Any) -> Any:
    """Random scale codes; only the style "nan" holds NaN."""
    top = fmt.max_code
    one = fmt.bias << fmt.fraction_bits
    low, high = {
        "near": (one - 12, one + 12),
        "cancel": (one - 12, one + 12),
        "small": (0, 9),
        "large": (top - 9, top),
        # E8M0: exponents whose sums lie around -149, where float32 ends
        "subnormal": (0, 16) if fmt.has_zero else (40, 70),
    }.get(style, (0, top))
    codes: Any = rng.integers(low, high + 1, shape)
    if style == "large":
        codes = np.where(rng.integers(0, 3, shape) == 0, codes, top)
    if style == "ties":  # powers of two, 2**24 apart where two of them meet
        step = 1 << fmt.fraction_bits
        start = max(fmt.bias - 6, 1) << fmt.fraction_bits
        codes = start + step * rng.choice([0, 0, 1, 11, 12, 12], shape)
        codes = np.minimum(codes, top)
    if style == "sparse":
        codes = np.where(rng.integers(0, 3, shape) == 0, codes, rng.integers(0, 2, shape))
    if style == "nan" and fmt.nan_code is not None:
        codes = np.where(rng.integers(0, 40, shape) == 0, fmt.nan_code, codes)
    return codes.astype(np.uint8)


def _styled(words: DotWords, style: str, n: int, mean: float, rng: Any) -> Parts:
    """Some words of a style, in dot products of ``mean`` words on average."""
    fmt = words.stored.scale
    parts = _elements(words, n, rng)
    for x in "ab":
        codes = parts[f"{x}_codes"]
        if style == "ties":
            parts[f"{x}_codes"] = rng.choice([0, 0, 0, 0, 1, 2, 9, 10], codes.shape)
        elif style == "sparse":
            parts[f"{x}_codes"] = np.where(rng.integers(0, 8, codes.shape) == 0, codes, codes & 8)
        elif style == "large" and n > 8:  # blocks of the largest sums, of either sign
            parts[f"{x}_codes"][: n // 2] = 7 | rng.choice([0, 8], (n // 2, 1))
        parts[f"{x}_scales"] = _scales(fmt, style, (n, words.blocks), rng)
    last = rng.random(n) < 1 / mean
    if style == "cancel":  # the second half of a product takes back the first, in another order
        half = max(round(mean / 2), 1)
        whole = 2 * half + 1
        loops = n // whole
        for name, part in parts.items():
            view = part[: loops * whole].reshape(loops, whole, -1)
            flip = np.uint8(8 if name == "b_codes" else 0)
            view[:, half : 2 * half] = view[:, :half][:, ::-1] ^ flip
        last = np.arange(n) % whole == whole - 1
    last[-1:] = True
    return {k: v.astype(np.uint8) for k, v in parts.items()} | {"last": last.astype(np.uint8)}


def _mixed(words: DotWords, count: int, rng: Any) -> Parts:
    """Words of all styles, in dot products of 1 to some hundred words."""
    parts = []
    left = count
    while left:
        n = min(left, PART_WORDS)
        style = STYLES[int(rng.integers(len(STYLES)))]
        mean = float(rng.choice([1, 2, 4, 8, 40]))
        parts.append(_styled(words, style, n, mean, rng))
        left -= n
    return _join(parts)
