"""Streams of dot products: the words by the kernels against the reference (spec §22)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emulator import reference_dot
from emulator.accumulation import accumulation
from emulator.blocks import BlockFormat
from emulator.dot_layout import DotWords
from emulator.dot_stimulus import STYLES, special_codes, stimulus, stimulus_names
from emulator.dot_stream import expected
from emulator.formats import E2M1, FORMATS
from emulator.layout import Words


def words_of(
    scale: str, n: int, name: str, blocks: int, g: str | None, exact: int = 9999
) -> DotWords:
    chosen = None if name == "block" else accumulation(name)
    return DotWords(BlockFormat(E2M1, FORMATS[scale], n), chosen, blocks, g, exact)


def given(words: DotWords, parts: dict[str, Any], k: int) -> list[int]:
    """Float32 patterns of the tensor scales of the k-th word (spec §22.6, §22.11)."""
    lower = {None: 0, "h": 0, "hbf16": 16, "hp2": 23}[words.tensor_scale]
    return [int(parts[name][k, 0]) << lower for name in ("g", "a_g", "b_g") if name in parts]


def by_reference(words: DotWords, stream: Words, most: int) -> list[int]:
    """The float32 patterns of the first dot products, one by one (spec §22.3, §22.6, §22.12)."""
    parts = words.operands.unpack(stream)
    n = words.stored.block_size
    found: list[int] = []
    operands: tuple[list[Any], list[Any]] = ([], [])
    for k in range(len(stream)):
        for x, blocks in zip("ab", operands, strict=True):
            for j in range(words.blocks):
                codes = parts[f"{x}_codes"][k, j * n : (j + 1) * n].tolist()
                blocks.append((int(parts[f"{x}_scales"][k, j]), codes))
        if words.accumulation is not None and not parts["last"][k, 0]:
            continue
        g = given(words, parts, k)
        chosen = words.accumulation or accumulation("fp32")
        found.append(reference_dot.dot(*operands, words.stored, words.stored, chosen, g))
        operands = ([], [])
        if len(found) == most:
            break
    return found


@pytest.mark.parametrize(
    "words",
    [
        words_of("ue5m3", 4, "block", 1, None),
        words_of("e8m0", 2, "block", 1, None),
        words_of("ue4m3", 4, "fp32", 2, "h"),
        words_of("ue4m3", 4, "fp32", 1, "hp2"),
        words_of("ue4m3", 4, "fp32", 1, "hbf16"),
        words_of("e8m0", 4, "fp32", 1, None),
        words_of("ue5m3", 8, "exact", 1, "h"),
        words_of("ue5m3", 8, "exact", 1, "hp2"),
        words_of("ue5m3", 16, "tc35-k32", 2, None),
        words_of("ue4m3", 16, "tc8-k16-zeros", 1, "hbf16"),
    ],
    ids=lambda w: f"{w.stored.scale.name}-{w.accumulation}-{w.blocks}-{w.tensor_scale}",
)
def test_results(words: DotWords) -> None:
    compared = 0
    for name in [*stimulus_names(words), "random"]:
        stream = stimulus(words, name, count=60 if name == "random" else None, seed=5)
        want = by_reference(words, stream, 25)
        fields = words.results.unpack(expected(words, stream))
        assert fields["y"][:25, 0].tolist() == want, name
        compared += len(want)
    assert compared > 150


def test_names_and_codes() -> None:
    words = words_of("ue5m3", 4, "block", 1, None)
    assert set(stimulus_names(words)) == {"products", "scales", *STYLES} - {"cancel"}
    assert special_codes(FORMATS["e8m0"]).tolist()[-2:] == [0xFE, 0xFF]
    assert 0x38 in special_codes(FORMATS["ue4m3"])
    with pytest.raises(ValueError, match="unknown stimulus 'none'"):
        stimulus(words, "none")


def test_nothing_comes_of_an_open_sum() -> None:
    """spec §22.3."""
    words = words_of("ue5m3", 4, "exact", 1, None)
    stream = stimulus(words, "near")
    parts: Any = words.operands.unpack(stream)
    parts["last"] = np.zeros_like(parts["last"])
    assert expected(words, words.operands.pack(**parts)).shape == (0, words.results.nbytes)


@pytest.mark.parametrize("kind", ["hbf16", "hp2"])
def test_tensor_scales_obey_their_rule(kind: str) -> None:
    """spec §14.6; and products of all kinds are among them (spec §22.12)."""
    words = words_of("ue4m3", 4, "fp32", 1, kind)
    parts = words.operands.unpack(stimulus(words, "random", count=4000))
    width = {"hbf16": 16, "hp2": 8}[kind]
    both = [parts[name][:, 0].astype(np.int64) for name in ("a_g", "b_g")]
    fields = [x >> (width - 8 - (kind == "hbf16")) for x in both]
    assert all(((x >= 1) & (x <= 254)).all() for x in fields)
    total = fields[0] + fields[1]
    assert (total < 104).any() and (total == 104).any() and (total == 119).any()
    assert (total == 381).any() and (total >= 382).any()
