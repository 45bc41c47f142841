"""Variants of block quantizers that compute what another library computes, by multiplication.

quantizer-peer-<library>-<mode>[-b<block>]-<input>[-cut<stages>]
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from emulator.blocks import BlockFormat
from emulator.errors import NotAvailableError
from emulator.formats import E2M1, FORMATS, UE4M3, Format
from emulator.layout import Field, WordLayout, output_layout
from rtl.quantizer_variant import INPUTS, MAX_LANES
from rtl.variant import Variant, check_cuts, cut_places

if TYPE_CHECKING:
    from amaranth.lib import wiring

CUTS = {
    "i": "after the input port",
    "a": "after the amax tree and half of the tensor's reciprocal",
    "s": "after the scale encoder and the other half",
    "v": "after the scale times the tensor's reciprocal",
    "b": "after a third of the rows of the block's reciprocal",
    "c": "after two thirds of them",
    "r": "after the factor of the elements",
    "p": "after the products",
    "o": "before the output port",
}
"""Places where a pipeline register can stand, from input to output, by letter."""


@dataclass(frozen=True)
class PeerDatapath:
    """What there is of a peer's arithmetic.

    Args:
        tensor: whether words carry the tensor's multiplier.
        places: letters of `CUTS` that there are.
        cuts: those of names without any.
    """

    tensor: bool
    places: str
    cuts: str


PEERS: Mapping[str, PeerDatapath] = {
    "peer-torchao-nvfp4-1level": PeerDatapath(False, "iasrpo", "aso"),
    "peer-te-nvfp4": PeerDatapath(True, "iasvbcrpo", "asro"),
}
"""Peers that there is hardware for, by name (spec §25)."""

BLOCK_SIZE = 16
"""Elements per block of both libraries, and of names that give none."""

MULTIPLIER_BITS = 32

_NAME = re.compile(
    r"quantizer-(?P<peer>peer-.+?)(?:-b(?P<block>[0-9]+))?-(?P<input>bf16|fp16|fp32)"
    r"(?:-cut(?P<cuts>[a-z]*))?"
)


@dataclass(frozen=True)
class PeerVariant(Variant):
    """A pipelined quantizer with the bits of a peer: one block per cycle (spec §25).

    Args:
        peer: its name, one of `PEERS`.
        input: format of the input lanes, one of `INPUTS`.
        cuts: letters of the peer's places in their order; empty stands for the default.
        block_size: lanes, a power of two from 2 to 32; the libraries themselves have 16.

    Raises:
        ValueError: if a part is out of its range.
        NotAvailableError: if there is no hardware for the peer, or the block is too wide.
    """

    unit: ClassVar[str] = "quantizer"
    grammar: ClassVar[str] = (
        "quantizer-peer-<library>-<mode>[-b<block>]-<bf16|fp16|fp32>[-cut<letters>]"
    )

    peer: str
    input: Format
    cuts: str = ""
    block_size: int = BLOCK_SIZE

    def __post_init__(self) -> None:
        if self.peer not in PEERS:
            raise NotAvailableError(
                f"{self.peer}: there is no hardware for this peer (there is for {', '.join(PEERS)})"
            )
        if not self.cuts:
            object.__setattr__(self, "cuts", self.datapath.cuts)
        if self.input.name not in INPUTS:
            raise ValueError(f"input format {self.input.name} is not one of {', '.join(INPUTS)}")
        n = self.block_size
        if n > MAX_LANES:
            raise NotAvailableError(f"block size {n} exceeds the {MAX_LANES} lanes of a quantizer")
        if n < 2 or n & (n - 1):
            raise ValueError(f"block size {n} is not a power of two from 2 to {MAX_LANES}")
        check_cuts(self.cuts, self.datapath.places)

    @classmethod
    def parse(cls, name: str) -> PeerVariant | None:
        """See `Variant.parse`."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        block = BLOCK_SIZE if match["block"] is None else int(match["block"])
        if match["cuts"] == "":
            check_cuts("", CUTS)
        return cls(match["peer"], FORMATS[match["input"]], match["cuts"] or "", block)

    @classmethod
    def defaults(cls) -> Sequence[PeerVariant]:
        """See `Variant.defaults`."""
        return [cls(peer, FORMATS["bf16"]) for peer in PEERS]

    @property
    def datapath(self) -> PeerDatapath:
        """What there is of the peer's arithmetic."""
        return PEERS[self.peer]

    @property
    def block_format(self) -> BlockFormat:
        """How its blocks are stored; the tensor's constant is no part of a word."""
        return BlockFormat(E2M1, UE4M3, self.block_size, None)

    @property
    def name(self) -> str:
        """Canonical name."""
        block = "" if self.block_size == BLOCK_SIZE else f"-b{self.block_size}"
        tail = "" if self.cuts == self.datapath.cuts else f"-cut{self.cuts}"
        return f"quantizer-{self.peer}{block}-{self.input.name}{tail}"

    @property
    def latency(self) -> int:
        """One cycle per cut (spec §12.5)."""
        return len(self.cuts)

    @property
    def input_layout(self) -> WordLayout:
        """Bits of `i_payload` (spec §25.1)."""
        lanes = Field("x", 0, self.input.width, self.block_size)
        if not self.datapath.tensor:
            return WordLayout((lanes,))
        end = self.input.width * self.block_size
        return WordLayout((lanes, Field("multiplier", end, MULTIPLIER_BITS)))

    @property
    def output_layout(self) -> WordLayout:
        """Bits of `o_payload` (spec §25.1)."""
        return output_layout(self.block_format)

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"Block quantizer with the bits of {self.peer}, by multiplication"

    @property
    def registers(self) -> str:
        """Where its registers stand, in a line."""
        return cut_places(self.cuts, CUTS)

    @property
    def meanings(self) -> dict[str, str]:
        """What the bits of the payloads mean."""
        n, w = self.block_size, self.input.width
        given = f"{n} {self.input.name} numbers, lane i at bit {w}*i (spec §25.1)"
        if self.datapath.tensor:
            given += f"; the tensor's multiplier as float32 at bit {n * w} (spec §25.3)"
        return {
            "i_payload": given,
            "o_payload": f"{n} e2m1 codes, lane i at bit 4*i; ue4m3 scale code at bit {4 * n} "
            "(spec §25.1)",
        }

    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""
        return {
            "peer": self.peer,
            "block_size": self.block_size,
            "input": self.input.name,
            "cuts": self.cuts,
        }

    def component(self) -> wiring.Component:
        """The design."""
        from rtl.peer_quantizer import PeerQuantizer

        return PeerQuantizer(self)
