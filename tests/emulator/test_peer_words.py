"""Words of quantizers of peers: exact numbers against the peers' float32, and what vectors tell."""

from __future__ import annotations

from fractions import Fraction
from unittest import mock

import numpy as np
import pytest

from emulator import reference_peers
from emulator.errors import UnknownNameError
from emulator.formats import FORMATS, FP32, Format
from emulator.golden import expected
from emulator.layout import input_layout, output_layout
from emulator.peer_stimulus import DIRECTED, peer_stimulus, peer_stimulus_names
from emulator.peer_words import (
    LEAST_MULTIPLIER,
    MOST_MULTIPLIER,
    Patterns,
    multipliers,
    quantize_lanes,
)
from emulator.peers import PEERS, peer
from emulator.recipes import recipe
from emulator.scaled_words import expected_scaled, scaled_words

from . import peer_data

TORCHAO, TE = "peer-torchao-nvfp4-1level", "peer-te-nvfp4"
FORMATS_IN = ("bf16", "fp16", "fp32")
BLOCK = 4


def by_reference(
    name: str, x_format: Format, x: Patterns, s: Patterns | None
) -> tuple[np.ndarray, np.ndarray]:
    """Element and scale codes in exact numbers."""
    rows = [[int(bits) for bits in row] for row in x]
    if s is None:
        found = [reference_peers.torchao(row, x_format) for row in rows]
    else:
        values = [FP32.value(int(pattern)) for pattern in s]
        found = [reference_peers.te(row, x_format, v) for row, v in zip(rows, values, strict=True)]
    return np.array([c for _, c in found]), np.array([code for code, _ in found])


@pytest.mark.parametrize("x_name", FORMATS_IN)
@pytest.mark.parametrize("name", [TORCHAO, TE])
def test_model_against_exact_numbers(name: str, x_name: str) -> None:
    """Two implementations, all stimuli (spec §25.2 to §25.8)."""
    x_format, compared = FORMATS[x_name], 0
    for stimulus in peer_stimulus_names():
        x, s = peer_stimulus(stimulus, name, x_format, BLOCK, seed=3)
        x, s = x[:250], None if s is None else s[:250]
        codes, scales = quantize_lanes(name, x_format, x, s)
        want = by_reference(name, x_format, x, s)
        assert np.array_equal(codes, want[0]) and np.array_equal(scales, want[1]), stimulus
        compared += len(x)
    assert compared > 1200


def test_multipliers_against_exact_numbers() -> None:
    """spec §25.3"""
    rng = np.random.Generator(np.random.PCG64(1))
    patterns = np.append(rng.integers(0, 0x7F800000, 2000), [0, 1, 0x7F7FFFFF, 0x45280000])
    amax = patterns.astype(np.uint32).view(np.float32)
    want = [reference_peers.multiplier(FP32.value(int(p))) for p in patterns]
    got = multipliers(amax)
    assert [FP32.value(int(p)) for p in got] == want
    assert (got.min(), got.max()) == (LEAST_MULTIPLIER, MOST_MULTIPLIER)


@pytest.mark.parametrize("kind", [*peer_data.KINDS, *peer_data.EDGES])
@pytest.mark.parametrize("name", [TORCHAO, TE])
def test_words_are_the_peer_on_whole_tensors(name: str, kind: str) -> None:
    """Lanes and multiplier give what the peer gives, which tables of its package confirm."""
    x = peer_data.tensor(kind, 1 << 14).astype(np.float32)
    q = peer(name).quantize(x)
    blocks = x.reshape(-1, 16)
    s = None
    if name == TE:
        s = np.full(len(blocks), multipliers(np.abs(x).max()), np.uint32)
    codes, scales = quantize_lanes(name, FP32, blocks.view(np.uint32), s)
    assert np.array_equal(codes, q.codes.reshape(codes.shape))
    assert np.array_equal(scales, q.scales.reshape(-1))


def test_vectors_tell_torchao_from_the_exact_recipe() -> None:
    """Blocks whose scale the clamp leaves alone: directed words differ, random ones do not."""
    r = recipe("ue4m3-absmax-b16")
    found = {}
    for stimulus in ("elements", "random"):
        for x_name in ("bf16", "fp32"):
            x_format = FORMATS[x_name]
            count = 3000 if stimulus == "random" else None
            x, _ = peer_stimulus(stimulus, TORCHAO, x_format, 16, blocks=count)
            words = input_layout(x_format, 16).pack(x=x)
            exact = output_layout(r.block_format).unpack(expected(r, x_format, words))
            codes, scales = quantize_lanes(TORCHAO, x_format, x)
            alike = (scales == exact["scale"][:, 0]) & (scales < 0x7E)
            assert alike.sum() > 1000
            found[stimulus, x_name] = int((codes != exact["codes"])[alike].any(axis=1).sum())
    assert found["elements", "bf16"] > 200 and found["elements", "fp32"] > 500, found
    assert found["random", "fp32"] < 5, found


def test_vectors_tell_te_from_the_exact_recipe() -> None:
    """Against the recipe with the tensor scale 1 / S (spec §14.7), in words and lanes."""
    r = recipe("ue4m3-absmax-h-b16")
    for x_name, least in (("bf16", 200), ("fp32", 1000)):
        x_format = FORMATS[x_name]
        x, s = peer_stimulus("elements", TE, x_format, 16)
        assert s is not None
        keep = s < 0x7E800000  # its reciprocal is a normal number, as a tensor scale has to be
        x, s = x[keep][:1500], s[keep][:1500]
        g = (np.float32(1) / s.view(np.float32)).view(np.uint32)
        words = expected_scaled(r, x_format, scaled_words(x, g, r, x_format))
        exact = output_layout(r.block_format).unpack(words)
        codes, scales = quantize_lanes(TE, x_format, x, s)
        same_scale = scales == exact["scale"][:, 0]
        different = (codes & 7 != exact["codes"] & 7).any(axis=1) & same_scale
        assert same_scale.sum() > 1000 and different.sum() > least, (x_name, different.sum())


def test_each_rounding_is_seen() -> None:
    """Without any one of the roundings to float32 the reference gives other words (spec §25.2)."""
    x, s = peer_stimulus("elements", TE, FP32, BLOCK)
    x, s = x[:400], None if s is None else s[:400]
    rounds = reference_peers.fl
    sound = by_reference(TE, FP32, x, s)
    seen = []
    for left_out in range(6):  # 1/6, S/6, amax times it, 1/S, s/S, its reciprocal; then products
        calls = 0

        def fl(value: Fraction, left_out: int = left_out) -> Fraction:
            nonlocal calls
            calls += 1
            return value if (calls - 1) % (6 + BLOCK) == left_out else rounds(value)

        with mock.patch.object(reference_peers, "fl", fl):
            found = by_reference(TE, FP32, x, s)
        seen.append(int((found[0] != sound[0]).any(axis=1).sum()))
        assert calls == len(x) * (6 + BLOCK)
    # Those of the scale code show in other words: amax of these blocks is apart from midpoints.
    assert min(seen[3:]) > 5, seen


def test_scale_roundings_are_seen() -> None:
    """The same for the scale code, at its midpoints (spec §25.6)."""
    x, s = peer_stimulus("scales", TE, FP32, 2)
    sound = by_reference(TE, FP32, x, s)[1]
    with mock.patch.object(reference_peers, "fl", lambda value: value):
        exact = by_reference(TE, FP32, x, s)[1]
    assert (sound != exact).sum() > 100


def test_refused() -> None:
    """spec §25.3"""
    x = np.zeros((1, 16), np.uint32)
    for pattern in (0, LEAST_MULTIPLIER - 1, MOST_MULTIPLIER + 1, 0xBF800000):
        with pytest.raises(ValueError, match=rf"multiplier {pattern:08x} is not between"):
            quantize_lanes(TE, FP32, x, np.array([pattern], np.uint32))
    with pytest.raises(ValueError, match="takes a multiplier"):
        quantize_lanes(TE, FP32, x)
    with pytest.raises(ValueError, match="takes no multiplier"):
        quantize_lanes(TORCHAO, FP32, x, np.array([LEAST_MULTIPLIER], np.uint32))
    with pytest.raises(UnknownNameError, match="did you mean elements"):
        peer_stimulus("element", TE, FP32, 16)
    with pytest.raises(ValueError, match="only 'random'"):
        peer_stimulus("scales", TE, FP32, 16, blocks=3)
    with pytest.raises(ValueError, match="is below 0"):
        peer_stimulus("random", TE, FP32, 16, blocks=-1)


def test_stimuli_are_deterministic() -> None:
    for name in peer_stimulus_names():
        (x, s), (y, t) = (peer_stimulus(name, TE, FP32, 16, seed=5) for _ in range(2))
        assert s is not None and t is not None
        assert np.array_equal(x, y) and np.array_equal(s, t)
        assert len(x) == len(s) == DIRECTED.get(name, 256)
    assert PEERS[TE].block_size == 16
