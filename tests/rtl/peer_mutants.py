"""Quantizers of peers without registers, and with one deliberate fault each (spec §25)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Cat, Const, Module, Value

from cocotb_tests.subjects import subject
from emulator.layout import Words
from rtl import peer_quantizer, peer_round
from rtl.hierarchy import place
from rtl.peer_quantizer import PeerQuantizer
from rtl.peer_reciprocal import RoundReciprocal
from rtl.peer_round import Rest, RoundElement
from rtl.peer_tensor import Sixth
from rtl.peer_variant import PeerVariant
from rtl.verilog import convert
from tests.rtl.gates import netlist


def combinational(variant: PeerVariant) -> str:
    """Verilog of module ``words``: a variant with wires where it has registers."""
    bare = replace(variant)
    object.__setattr__(bare, "cuts", "")  # which no name can say
    return convert(PeerQuantizer(bare), "words")


class Truncated(RoundReciprocal):
    """A reciprocal that is cut off instead of rounded (spec §25.5, §25.7)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = RoundReciprocal()
        place(m, platform, "sound", sound, kind="sound_reciprocal")
        m.d.comb += [
            # Those of a power of two are all ones, which only rounding makes right.
            sound.bits.eq(Cat(self.bits.all(), self.bits[1:])),
            sound.lost.eq(self.lost),
            self.fraction.eq(sound.fraction),
            self.carry.eq(sound.carry),
        ]
        return m


class ExactRest(Rest):
    """Products are not rounded to float32 (spec §25.2)."""

    @classmethod
    def of(cls, m: Module, product: Value, heads: int) -> Rest:
        sound = super().of(m, product, heads)
        return cls(sound.top, sound.head, Const(0, 1), sound.any, sound.any)


class KeptSign(RoundElement):
    """The sign of a product that rounds to zero is kept (spec §25.7)."""

    def _signed(self, m: Module, rest: Rest) -> Value:
        return self.some


class TruncatedSixth(Sixth):
    """The last place of S / 6 is always 0 (spec §25.6)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = Sixth()
        place(m, platform, "sound", sound, kind="sound_sixth")
        m.d.comb += [
            sound.fraction.eq(self.fraction),
            self.sixth.eq(sound.sixth & ~1),
            self.carry.eq(sound.carry),
        ]
        return m


@dataclass(frozen=True)
class PeerMutant:
    """Module and name of what is replaced, by what."""

    where: Any
    unit: str
    spoiled: Any


MUTANTS = {
    "truncated-reciprocal": PeerMutant(peer_quantizer, "RoundReciprocal", Truncated),
    "exact-product": PeerMutant(peer_round, "Rest", ExactRest),
    "kept-sign": PeerMutant(peer_quantizer, "RoundElement", KeptSign),
    "simple-sixth": PeerMutant(peer_quantizer, "Sixth", TruncatedSixth),
}


def differing(variant: PeerVariant, verilog: str, folder: Path) -> dict[str, int]:
    """How many words of each stimulus a combinational design gives wrong, of at most 64 bits."""
    gates, about = netlist(verilog, "words", folder), subject(variant)
    found = {}
    for name in [*about.names(), "random"]:
        words = about.stimulus(name)
        given = {port: np.ones(len(words), np.uint8) for port in gates.inputs}
        got = gates.run(**(given | {"i_payload": as_integers(words)}))["o_payload"]
        found[name] = int((got != as_integers(about.expected(words))).sum())
    return found


def as_integers(words: Words) -> npt.NDArray[np.uint64]:
    """Words of at most 64 bits as integers."""
    padded = np.zeros((len(words), 8), np.uint8)
    padded[:, : words.shape[1]] = words
    return padded.view(np.uint64)[:, 0]


def mutant(variant: PeerVariant, name: str) -> str:
    """The combinational Verilog of a variant with the fault of that name."""
    fault = MUTANTS[name]
    with mock.patch.object(fault.where, fault.unit, fault.spoiled):
        return combinational(variant)
