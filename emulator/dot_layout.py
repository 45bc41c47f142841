"""The words of a stream of dot products: which bits are what (spec §22)."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.accumulation import Accumulation
from emulator.blocks import BlockFormat
from emulator.layout import Field, WordLayout, tensor_scale_bits

SCALE_BITS = 8


@dataclass(frozen=True)
class DotWords:
    """What the words of a stream of dot products say.

    Args:
        stored: format of both operands.
        accumulation: how the blocks of several words are summed, or None if each word is a dot
            product of its own.
        blocks: blocks of each operand in a word.
        tensor_scale: kind of the tensor scales that multiply the result: one float32 for ``h``
            (spec §22.6), that of each operand for ``hbf16`` and ``hp2`` (spec §22.11), or None.
        exact_blocks: of `exact`: for how many blocks the accumulator is wide enough (spec §22.7).
    """

    stored: BlockFormat
    accumulation: Accumulation | None
    blocks: int = 1
    tensor_scale: str | None = None
    exact_blocks: int = 1

    @property
    def exact(self) -> bool:
        """Whether there is an overflow flag."""
        return self.accumulation is not None and self.accumulation.kind == "exact"

    @property
    def operands(self) -> WordLayout:
        """The word of some blocks of both operands (spec §22.1, §22.2, §22.6, §22.11)."""
        n, bits = self.stored.block_size * self.blocks, self.stored.element.width
        fields: list[Field] = []
        end = 0
        parts = [("codes", bits, n), ("scales", SCALE_BITS, self.blocks)]
        parts = [(f"{x}_{name}", *rest) for x in "ab" for name, *rest in parts]
        parts += [("last", 1, 1)] * (self.accumulation is not None)
        parts += self.tensor_scales
        for name, width, count in parts:
            fields.append(Field(name, end, width, count))
            end += width * count
        return WordLayout(tuple(fields))

    @property
    def tensor_scales(self) -> list[tuple[str, int, int]]:
        """Name, bits and number of the fields of tensor scales."""
        if self.tensor_scale is None:
            return []
        width = tensor_scale_bits(self.tensor_scale)
        names = ["g"] if self.tensor_scale == "h" else ["a_g", "b_g"]
        return [(name, width, 1) for name in names]

    @property
    def results(self) -> WordLayout:
        """The word of a dot product (spec §22.4)."""
        flag = [Field("overflow", 32, 1)] * self.exact
        return WordLayout((Field("y", 0, 32), *flag))
