"""The quantizer that votes under a tensor scale as a subject: words where a vote changes."""

from __future__ import annotations

import numpy as np

from cocotb_tests.scaled_quantizer_subject import ScaledQuantizerSubject
from cocotb_tests.subject import MIXED, evenly
from emulator.layout import Words
from emulator.scaled_stimulus import scaled_stimulus_names
from emulator.scaled_votes import scaled_vote_names, scaled_vote_stimulus

MIXED_EACH = 8
"""Words of each other stimulus in the mixed one."""


class ScaledVoteSubject(ScaledQuantizerSubject):
    """See `Subject`."""

    def names(self) -> list[str]:
        """Those of a quantizer with a tensor scale, those of votes, and some words of them all."""
        return [*super().names(), *scaled_vote_names(), MIXED]

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of `emulator.scaled_votes`, or of `emulator.scaled_stimulus`."""
        if name in scaled_stimulus_names():
            return super().stimulus(name, words=words, seed=seed)
        assert words is None, f"stimulus {name!r} has a fixed number of words"
        if name == MIXED:
            return self._mixed(seed)
        return scaled_vote_stimulus(name, self.variant.recipe, self.variant.input, seed=seed)

    def _mixed(self, seed: int) -> Words:
        """As many words of each other stimulus, evenly spread over it, and twice of random ones."""
        parts = [self.stimulus(name, seed=seed) for name in self.names() if name != MIXED]
        kept = [evenly(part, MIXED_EACH) for part in parts]
        return np.concatenate([*kept, self.stimulus("random", words=2 * MIXED_EACH, seed=seed)])
