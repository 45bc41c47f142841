"""Variants of the dot product.

dot-<scale>-b<block>[-x<blocks>]-<accumulation>[-<tensor scale>][-cut<stages>]
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from emulator.accumulation import GROUP, Accumulation, accumulation
from emulator.blocks import BlockFormat
from emulator.dot_layout import DotWords
from emulator.errors import NotAvailableError
from emulator.formats import E2M1, FORMATS, Format
from emulator.layout import WordLayout
from rtl.variant import Variant, check_cuts, cut_places

if TYPE_CHECKING:
    from amaranth.lib import wiring

SCALES = ("ue4m3", "ue5m3", "e8m0")
"""Scale formats that there is hardware for."""

TENSOR_SCALES = ("h", "hbf16", "hp2")
"""Kinds of tensor scales that there is hardware for; ``h256`` is one of ``h``."""

MAX_LANES = 256
"""Elements of a word."""

EXACT_BLOCKS = 65536
"""Blocks that an exact accumulator holds, whatever they are, if its name does not say."""

CUTS = {
    "i": "after the input port",
    "s": "after the sums of element products and the scale products",
    "p": "after the products of blocks",
    "c": "before the tensor scale",
    "o": "before the output port",
}
"""Places where a pipeline register can stand besides the accumulator, by letter."""

_NAME = re.compile(
    r"dot-(?P<scale>[a-z0-9]+)-b(?P<block>[0-9]+)(?:-x(?P<x>[0-9]+))?"
    r"(?:-(?P<acc>block|fp32|exact|tc[0-9]+(?:-k[0-9]+)?(?:-zeros)?))(?:-n(?P<blocks>[0-9]+))?"
    r"(?:-(?P<g>h|hbf16|hp2))?(?:-cut(?P<cuts>[a-z]*))?"
)


@dataclass(frozen=True)
class Product:
    """In place of an accumulation: each word is a dot product of its own, of one block."""

    kind: str = "block"
    name: str = "block"


@dataclass(frozen=True)
class DotVariant(Variant):
    """A pipelined dot product: some blocks of both operands per cycle (spec §22).

    Args:
        scale: format of the scales of both operands, one of `SCALES`.
        block_size: elements of a block.
        accumulation: how blocks are summed, or `Product` for the product of one block.
        blocks: blocks of each operand per word; a word of `tc` is a step (spec §22.5).
        tensor_scale: kind of the tensor scales that the result is multiplied by, or None: ``h``, a
            float32 (spec §22.6); ``hbf16`` or ``hp2``, that of each operand (spec §22.11).
        exact_blocks: for how many blocks the accumulator of `exact` is wide enough (spec §22.7).
        cuts: letters of `CUTS` in their order; each is one register stage and one cycle of latency.

    Raises:
        ValueError: if a part is out of its range.
        NotAvailableError: if there is no such hardware.
    """

    unit: ClassVar[str] = "dot"
    grammar: ClassVar[str] = (
        "dot-<scale>-b<block>[-x<blocks>]-<block|fp32|exact[-n<blocks>]|tc<F>[-k<K>][-zeros]>"
        "[-<h|hbf16|hp2>][-cut<letters of ispco>]"
    )

    scale: Format
    block_size: int
    accumulation: Accumulation | Product
    blocks: int = 1
    tensor_scale: str | None = None
    exact_blocks: int = EXACT_BLOCKS
    cuts: str | None = None

    def __post_init__(self) -> None:
        if self.scale.name not in SCALES:
            raise NotAvailableError(
                f"dot products with {self.scale.name} scales: no hardware yet (scales with "
                f"hardware: {', '.join(SCALES)})"
            )
        kind = self.accumulation.kind
        stored = self.stored  # checks the block size
        if isinstance(self.accumulation, Accumulation) and kind == "tc":
            step = self.accumulation.step or 0
            if self.block_size < GROUP:
                raise ValueError(
                    f"blocks of {self.block_size} elements are smaller than the groups of {GROUP} "
                    f"of {self.accumulation} (spec §16.7)"
                )
            if step % self.block_size:
                raise NotAvailableError(
                    f"{self.accumulation}: a step of {step} elements is no multiple of the block "
                    f"size {self.block_size} (spec §22.5)"
                )
            object.__setattr__(self, "blocks", step // self.block_size)
        if self.blocks < 1:
            raise ValueError(f"{self.blocks} blocks per word are not 1 or more")
        if self.blocks * self.block_size > MAX_LANES:
            raise NotAvailableError(
                f"{self.blocks} blocks of {self.block_size} exceed the {MAX_LANES} lanes of a dot "
                "product"
            )
        if kind == "block" and (self.blocks > 1 or self.tensor_scale):
            raise ValueError("the product of a block has one block per word and no tensor scale")
        if self.tensor_scale not in (None, *TENSOR_SCALES):
            raise NotAvailableError(
                f"dot products with tensor scales {self.tensor_scale}: no hardware (kinds with "
                f"hardware: {', '.join(TENSOR_SCALES)})"
            )
        if self.tensor_scale and not self.scale.has_zero:
            raise ValueError(f"{self.scale.name} scales have no tensor scale (spec §14)")
        if self.exact_blocks != EXACT_BLOCKS and kind != "exact":
            raise ValueError("a number of blocks (-n) goes with exact only")
        if not 1 <= self.exact_blocks <= 1 << 32:
            raise ValueError(f"{self.exact_blocks} blocks are not 1 to 2**32")
        assert stored.scale is self.scale
        if self.cuts is None:
            object.__setattr__(self, "cuts", self.default_cuts)
        places = self.places
        check_cuts(str(self.cuts), places, none=True)
        if kind == "block" and not self.cuts:
            raise ValueError("the product of a block needs a cut")

    @classmethod
    def parse(cls, name: str) -> DotVariant | None:
        """See `Variant.parse`."""
        match = _NAME.fullmatch(name)
        if match is None or match["scale"] not in FORMATS:
            return None
        chosen = Product() if match["acc"] == "block" else accumulation(match["acc"])
        if match["x"] and chosen.kind == "tc":
            return None  # the step says how many
        return cls(
            FORMATS[match["scale"]],
            int(match["block"]),
            chosen,
            int(match["x"] or 1),
            match["g"],
            int(match["blocks"] or EXACT_BLOCKS),
            match["cuts"],
        )

    @classmethod
    def defaults(cls) -> Sequence[DotVariant]:
        """See `Variant.defaults`."""
        sums = ("fp32", "exact", "tc35")
        shapes = [(FORMATS[scale], block) for scale in SCALES for block in (4, 8, 16, 32)]
        found = [cls(scale, block, Product()) for scale, block in shapes]
        found += [
            cls(scale, block, accumulation(kind), tensor_scale=g)
            for scale, block in shapes
            for g in (None, *(TENSOR_SCALES if scale.name == "ue4m3" else ()))
            for kind in sums
            if (kind != "tc35" or block >= GROUP)
            # An exact accumulator of powers of two is many times as wide as any other.
            and (kind != "exact" or scale.has_zero)
        ]
        return found

    @property
    def stored(self) -> BlockFormat:
        """How both operands are stored."""
        return BlockFormat(E2M1, self.scale, self.block_size)

    @property
    def words(self) -> DotWords:
        """What its words say."""
        kind = self.accumulation if isinstance(self.accumulation, Accumulation) else None
        return DotWords(self.stored, kind, self.blocks, self.tensor_scale, self.exact_blocks)

    @property
    def group(self) -> int:
        """Elements that are summed before the scales enter."""
        return GROUP if self.accumulation.kind == "tc" else self.block_size

    @property
    def groups(self) -> int:
        """Sums per word."""
        return self.blocks * self.block_size // self.group

    @property
    def places(self) -> str:
        """Letters of the cuts that the variant can have."""
        without = "" if self.tensor_scale else "c"
        return "".join(c for c in CUTS if c not in without)

    @property
    def default_cuts(self) -> str:
        """The cuts that a name without cuts stands for."""
        if self.accumulation.kind == "block":
            return "so"
        if self.tensor_scale:
            return "spco" if self.accumulation.kind == "exact" else "spo"
        return "spo" if self.accumulation.kind == "exact" else "sp"

    @property
    def name(self) -> str:
        """Canonical name."""
        kind = self.accumulation.kind
        x = f"-x{self.blocks}" if self.blocks > 1 and kind != "tc" else ""
        n = f"-n{self.exact_blocks}" if self.exact_blocks != EXACT_BLOCKS else ""
        h = f"-{self.tensor_scale}" if self.tensor_scale else ""
        cut = "" if self.cuts == self.default_cuts else f"-cut{self.cuts}"
        scale = self.scale.name
        return f"dot-{scale}-b{self.block_size}{x}-{self.accumulation.name}{n}{h}{cut}"

    @property
    def accumulates(self) -> bool:
        """Whether words are summed."""
        return self.accumulation.kind != "block"

    @property
    def latency(self) -> int:
        """One cycle per cut and one for the accumulator (spec §22.8)."""
        return len(self.cuts or "") + self.accumulates

    @property
    def last_bit(self) -> int | None:
        """See `Variant.last_bit` (spec §22.2)."""
        return self.input_layout.field("last").offset if self.accumulates else None

    @property
    def input_layout(self) -> WordLayout:
        """Bits of `i_payload` (spec §22.1 to §22.3)."""
        return self.words.operands

    @property
    def output_layout(self) -> WordLayout:
        """Bits of `o_payload` (spec §22.4)."""
        return self.words.results

    @property
    def title(self) -> str:
        """What it is, in a line."""
        scaled = {
            "h": ", times a tensor scale",
            "hbf16": ", times two bfloat16 tensor scales",
            "hp2": ", times two tensor scales that are powers of two",
        }.get(self.tensor_scale or "", "")
        what = f"accumulation {self.accumulation.name}" if self.accumulates else "of one block"
        if self.accumulation.kind == "exact":
            what += f" of up to {self.exact_blocks} blocks"
        return (
            f"Dot product of E2M1 blocks of {self.block_size} with {self.scale.name} scales, "
            f"{what}{scaled}"
        )

    @property
    def registers(self) -> str:
        """Where its registers stand, in a line."""
        accumulator = ["the accumulator"] * self.accumulates
        return "; ".join([*accumulator, *filter(None, [cut_places(self.cuts or "", CUTS)])])

    @property
    def meanings(self) -> dict[str, str]:
        """What the bits of the payloads mean."""
        layout = self.input_layout
        many = "one block" if self.blocks == 1 else f"{self.blocks} blocks"
        parts = [f"{f.name} at bit {f.offset}" for f in layout.fields]
        flag = ", overflow flag at bit 32" if self.accumulation.kind == "exact" else ""
        return {
            "i_payload": f"{many} of each operand: {', '.join(parts)} (spec §22.1)",
            "o_payload": f"float32{flag} (spec §22.4)",
        }

    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""
        exact = self.accumulation.kind == "exact"
        return {
            "scale": self.scale.name,
            "block_size": self.block_size,
            "accumulation": self.accumulation.name,
            "blocks": self.blocks,
            "tensor_scale": self.tensor_scale,
            "exact_blocks": self.exact_blocks if exact else None,
            "cuts": self.cuts,
        }

    def component(self) -> wiring.Component:
        """The design."""
        from rtl.dot import Dot

        return Dot(self)
