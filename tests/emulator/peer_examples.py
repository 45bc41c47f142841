"""Runs the worked examples of spec §25 by the reference."""

from __future__ import annotations

import numpy as np

from emulator import reference_peers
from emulator.formats import FP32
from emulator.layout import Words, from_hex, to_hex
from emulator.reference import round_magnitude
from rtl.peer_variant import PeerVariant
from rtl.variants import variant
from tests.spec_examples import Example, floats


def expected_by_reference(v: PeerVariant, words: Words) -> Words:
    """Output words for input words, in exact numbers."""
    parts = v.input_layout.unpack(words)
    lanes = [[int(bits) for bits in row] for row in parts["x"]]
    if v.datapath.tensor:
        values = [FP32.value(int(s)) for s in parts["multiplier"][:, 0]]
        found = [reference_peers.te(x, v.input, s) for x, s in zip(lanes, values, strict=True)]
    else:
        found = [reference_peers.torchao(x, v.input) for x in lanes]
    codes = np.array([c for _, c in found], np.uint8).reshape(-1, v.block_size)
    return v.output_layout.pack(codes=codes, scale=np.array([s for s, _ in found], np.uint8))


def run_peer(e: Example) -> tuple[str, str]:
    v = variant(e.subject)
    assert isinstance(v, PeerVariant)
    words = from_hex(e.left.split(","), v.input_layout)
    return ",".join(to_hex(expected_by_reference(v, words), v.output_layout)), e.right


def run_multiplier(e: Example) -> tuple[str, str]:
    x_format, [amax] = floats(e.left)
    s = reference_peers.multiplier(x_format.value(amax))
    return f"fp32:{round_magnitude(s, FP32):08x}", e.right


PEER = {"peer": run_peer, "multiplier": run_multiplier}
