"""The same under a tensor scale, or under scales that are powers of two (spec §26.4, §26.5)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Value

from rtl.chain import numbered
from rtl.hierarchy import place
from rtl.random_scaled_element import RandomScaledElement
from rtl.random_scaled_shapes import RandomScaledShapes
from rtl.random_scaled_thresholds import RandomPowerThresholds, RandomScaledThresholds
from rtl.random_select import RandomSelectQuantizer


class RandomPowerSelect(RandomSelectQuantizer):
    """Under scales that are powers of two; lanes wait as they are.

    Args:
        variant: what to build; its scale format has no zero.

    Members:
        i: In, stream of input words (spec §26.1).
        o: Out, stream of output words (spec §11.2).
    """

    @property
    def shapes(self) -> RandomScaledShapes:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Widths of lanes and elements."""
        return RandomScaledShapes.of_recipe(self.variant.recipe, self.variant.input)

    def kept(self, m: Module, platform: object, word: Value) -> dict[str, Any]:
        """The lanes."""
        width, n = self.variant.input.width, self.variant.recipe.block_size
        return numbered([word.word_select(i, width) for i in range(n)])

    def thresholds(self, m: Module, platform: object, scale: Value, rest: Any) -> Any:
        """What all lanes share."""
        generator = RandomPowerThresholds(self.shapes)
        place(m, platform, "threshold_generator", generator, kind="thresholds")
        m.d.comb += generator.scale.eq(scale)
        return generator.thresholds

    def code(self, m: Module, platform: object, i: int, at: Any) -> Value:
        """The element code of a lane."""
        s = self.shapes
        element = RandomScaledElement(s)
        place(m, platform, f"element{i}", element, kind="element")
        m.d.comb += [
            element.x.eq(at[f"x{i}"]),
            element.thresholds.eq(at.thresholds),
            element.draw.eq(at.draws.word_select(i, s.bits)),
        ]
        return element.code


class RandomScaledSelect(RandomPowerSelect):
    """Under the product of scale and tensor scale, which waits with the lanes.

    Args:
        variant: what to build; its recipe has a tensor scale.

    Members:
        i: In, stream of input words (spec §26.4).
        o: Out, stream of output words (spec §11.2).
    """

    def kept(self, m: Module, platform: object, word: Value) -> dict[str, Any]:
        """The lanes, and the tensor scale; its sign, if it has one, is always 0 (spec §14.6)."""
        g = self.variant.input_layout.field("g")
        lanes = super().kept(m, platform, word)
        return {**lanes, "g": word[g.offset :][: sum(self.shapes.g_field)]}

    def thresholds(self, m: Module, platform: object, scale: Value, rest: Any) -> Any:
        """What all lanes share."""
        generator = RandomScaledThresholds(self.shapes)
        place(m, platform, "threshold_generator", generator, kind="thresholds")
        m.d.comb += [generator.scale.eq(scale), generator.g.eq(rest.g)]
        return generator.thresholds
