"""The quantizer that chooses under a tensor scale as a subject: words where the choice changes."""

from __future__ import annotations

from cocotb_tests.scaled_quantizer_subject import ScaledQuantizerSubject
from emulator.layout import Words
from emulator.scaled_choices import choice_names, choice_stimulus


class ScaledSelectSubject(ScaledQuantizerSubject):
    """See `Subject`."""

    def names(self) -> list[str]:
        """Those of a quantizer with a tensor scale, and those of a choice."""
        return [*super().names(), *choice_names()]

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of `emulator.scaled_choices`, or of `emulator.scaled_stimulus`."""
        if name not in choice_names():
            return super().stimulus(name, words=words, seed=seed)
        assert words is None, f"stimulus {name!r} has a fixed number of words"
        return choice_stimulus(name, self.variant.recipe, self.variant.input, seed=seed)
