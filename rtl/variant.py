"""Device and Variant: what streams mean, and how gates compute it, for any unit.

A variant decides gates and cycles, never bits: all variants of one recipe give identical words.
Each unit has a subclass of its own; `rtl.variants` knows them all.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from emulator.layout import WordLayout

if TYPE_CHECKING:  # a list of variants needs no Amaranth
    from amaranth.lib import wiring


class Device(ABC):
    """Something with one stream in and one stream out (spec §12), as a bench sees it."""

    unit: ClassVar[str]
    """First word of the names."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Canonical name; `variant(v.name) == v`."""

    @property
    @abstractmethod
    def latency(self) -> int:
        """Cycles from an accepted word to its result, when nothing stalls (spec §12.5)."""

    @property
    def interval(self) -> int:
        """Cycles from one accepted word to the next, when nothing stalls (spec §12.5)."""
        return 1

    @property
    def last_bit(self) -> int | None:
        """Bit of `i_payload` that says that the word calls for an output; None if all words do."""
        return None

    @property
    @abstractmethod
    def input_layout(self) -> WordLayout:
        """Bits of `i_payload`."""

    @property
    @abstractmethod
    def output_layout(self) -> WordLayout:
        """Bits of `o_payload`."""

    def __str__(self) -> str:
        return self.name

    @abstractmethod
    def verilog(self) -> str:
        """Verilog whose top module is `module`; equal devices give equal bytes.

        Raises:
            ToolError: if yosys is missing or fails.
        """

    @property
    def module(self) -> str:
        """Name of the Verilog module."""
        return re.sub(r"[^a-z0-9]", "_", self.name)

    @property
    def ports(self) -> dict[str, tuple[str, int]]:
        """Direction and width of each port of the module (spec §12.1)."""
        return {
            "clk": ("input", 1),
            "rst": ("input", 1),
            "i_payload": ("input", self.input_layout.width),
            "i_valid": ("input", 1),
            "i_ready": ("output", 1),
            "o_payload": ("output", self.output_layout.width),
            "o_valid": ("output", 1),
            "o_ready": ("input", 1),
        }


class Variant(Device):
    """A unit that there are gates for.

    Subclasses are frozen dataclasses of plain parts, which they check when they are made.
    """

    grammar: ClassVar[str]
    """How names are put together, for messages."""

    @classmethod
    @abstractmethod
    def parse(cls, name: str) -> Variant | None:
        """The variant of a name, or None if the name does not fit the grammar.

        Raises:
            ValueError, UnknownNameError, NotAvailableError: if a part is out of its range.
        """

    @classmethod
    @abstractmethod
    def defaults(cls) -> Sequence[Variant]:
        """The variants of this unit that a comparison takes when none is named."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is, in a line."""

    @property
    @abstractmethod
    def registers(self) -> str:
        """Where its registers stand, in a line."""

    @property
    @abstractmethod
    def meanings(self) -> dict[str, str]:
        """What the bits of `i_payload` and `o_payload` mean, in a line each."""

    @abstractmethod
    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""

    @abstractmethod
    def component(self) -> wiring.Component:
        """The design: members `i` and `o`, streams of the two layouts."""

    def verilog(self) -> str:
        """See `rtl.verilog.to_verilog`."""
        from rtl.verilog import to_verilog

        return to_verilog(self)

    def describe(self) -> dict[str, Any]:
        """All that a list says of it, as plain data."""
        return {
            "name": self.name,
            "unit": self.unit,
            "module": self.module,
            **self.parts(),
            "latency": self.latency,
            "interval": self.interval,
            "ports": {
                port: {"direction": direction, "width": width}
                for port, (direction, width) in self.ports.items()
            },
        }


def check_cuts(cuts: str, places: Iterable[str], *, none: bool = False) -> None:
    """Check the letters of pipeline cuts.

    Args:
        cuts: letters, each at most once, in the order of ``places``.
        places: the letters that a unit has.
        none: whether there may be none.

    Raises:
        ValueError: if they are not such letters.
    """
    known = "".join(places)
    if cuts != "".join(c for c in known if c in cuts) or not (cuts or none):
        some = "" if none else "one or more "
        raise ValueError(f"cuts {cuts!r} are not {some}letters of {known!r} in that order")


def cut_places(cuts: str, places: Mapping[str, str]) -> str:
    """Where the registers of pipeline cuts stand, in a line."""
    return "; ".join(f"{letter} = {places[letter]}" for letter in cuts)
