"""Quantizers with the bits of a peer as subjects: the peer's model gives their words (spec §25)."""

from __future__ import annotations

from cocotb_tests.subject import Subject
from emulator.layout import Words
from emulator.peer_stimulus import peer_stimulus, peer_stimulus_names
from emulator.peer_words import quantize_lanes
from rtl.peer_variant import PeerVariant


class PeerSubject(Subject[PeerVariant]):
    """See `Subject`."""

    def names(self) -> list[str]:
        """All stimuli but the random one."""
        return [name for name in peer_stimulus_names() if name != "random"]

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of `emulator.peer_stimulus`."""
        v = self.variant
        x, s = peer_stimulus(name, v.peer, v.input, v.block_size, blocks=words, seed=seed)
        return v.input_layout.pack(x=x, **({} if s is None else {"multiplier": s}))

    def expected(self, words: Words) -> Words:
        """Words by the model of the peer."""
        v = self.variant
        parts = v.input_layout.unpack(words)
        s = parts["multiplier"][:, 0] if "multiplier" in parts else None
        codes, scales = quantize_lanes(v.peer, v.input, parts["x"], s)
        return v.output_layout.pack(codes=codes, scale=scales)
