"""Variants of the codecs: conversions between floats and the codes of a format.

encode-<format>-<input>[-ieee][-x<lanes>][-cut<stages>]
decode-<format>-<output>[-x<lanes>][-cut<stages>]
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from emulator.formats import FORMATS, Format
from emulator.layout import WordLayout, code_layout, input_layout
from rtl.variant import Variant, check_cuts, cut_places

if TYPE_CHECKING:
    from amaranth.lib import wiring

FLOATS = ("bf16", "fp16", "fp32")
"""Formats of the numbers."""

CUTS = {
    "i": "after the input port",
    "m": "between aligning and rounding",
    "o": "before the output port",
}
"""Places where a pipeline register can stand, from input to output, by letter."""

DEFAULT_CUTS = "o"
MAX_CODE_BITS = 16
MAX_LANES = 64

_NAME = re.compile(
    r"(?P<unit>encode|decode)-(?P<format>[a-z0-9]+)-(?P<number>[a-z0-9]+)(?P<ieee>-ieee)?"
    r"(?:-x(?P<lanes>[1-9][0-9]*))?(?:-cut(?P<cuts>[a-z]*))?"
)

DEFAULT_FORMATS = ("e2m1", "ue4m3", "ue5m3", "e8m0")
"""Formats of the variants that stand for all."""


@dataclass(frozen=True)
class CodecVariant(Variant):
    """A word of independent numbers per cycle, converted lane by lane; valid/ready on both ends.

    Args:
        fmt: format of the codes, at most 16 bits wide.
        number: format of the numbers, one of `FLOATS`.
        lanes: numbers per word, 1 to 64.
        cuts: letters of `CUTS` in their order; each is one register stage and one cycle of latency.

    Raises:
        ValueError: if a part is out of its range.
    """

    fmt: Format
    number: Format
    lanes: int = 1
    cuts: str = DEFAULT_CUTS

    def __post_init__(self) -> None:
        if self.number.name not in FLOATS:
            raise ValueError(f"number format {self.number.name} is not one of {', '.join(FLOATS)}")
        if self.fmt.width > MAX_CODE_BITS:
            raise ValueError(f"format {self.fmt.name} has more than {MAX_CODE_BITS} bits")
        if not 1 <= self.lanes <= MAX_LANES:
            raise ValueError(f"{self.lanes} lanes are not 1 to {MAX_LANES}")
        check_cuts(self.cuts, CUTS)

    @property
    def name(self) -> str:
        """Canonical name."""
        lanes = "" if self.lanes == 1 else f"-x{self.lanes}"
        tail = "" if self.cuts == DEFAULT_CUTS else f"-cut{self.cuts}"
        return f"{self.unit}-{self.fmt.name}-{self.number.name}{self._mode}{lanes}{tail}"

    @property
    def _mode(self) -> str:
        """The part of the name that says how infinity is treated, if it is not the usual way."""
        return ""

    @property
    @abstractmethod
    def source(self) -> Format:
        """Format of what goes in."""

    @property
    @abstractmethod
    def target(self) -> Format:
        """Format of what comes out."""

    @property
    @abstractmethod
    def ieee(self) -> bool:
        """Whether overflow gives infinity (spec §3.3, §21.4) and not the largest finite code."""

    @property
    def latency(self) -> int:
        """One cycle per cut (spec §12.5)."""
        return len(self.cuts)

    @property
    def registers(self) -> str:
        """Where its registers stand, in a line."""
        return cut_places(self.cuts, CUTS)

    def _numbers(self) -> WordLayout:
        return input_layout(self.number, self.lanes)

    def _codes(self) -> WordLayout:
        return code_layout(self.fmt, self.lanes)

    def _meanings(self) -> tuple[str, str]:
        """What a word of numbers and one of codes mean."""
        w, c = self.number.width, self.fmt.storage_bits
        return (
            f"{self.lanes} {self.number.name} numbers, lane i at bit {w}*i (spec §21.1)",
            f"{self.lanes} {self.fmt.name} codes, lane i at bit {c}*i (spec §21.1)",
        )

    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""
        return {
            "format": self.fmt.name,
            "number": self.number.name,
            "ieee": self.ieee,
            "lanes": self.lanes,
            "cuts": self.cuts,
        }

    def component(self) -> wiring.Component:
        """The design."""
        from rtl.codec import Codec

        return Codec(self)


@dataclass(frozen=True)
class EncodeVariant(CodecVariant):
    """Floats to codes (spec §21.2).

    Args:
        overflow_to_infinity: whether overflow gives infinity, for a format that has it.

    Raises:
        ValueError: if a part is out of its range.
    """

    unit: ClassVar[str] = "encode"
    grammar: ClassVar[str] = (
        "encode-<format>-<bf16|fp16|fp32>[-ieee][-x<lanes>][-cut<letters of imo>]"
    )

    overflow_to_infinity: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.overflow_to_infinity and self.fmt.inf_code is None:
            raise ValueError(f"-ieee: {self.fmt.name} has no infinity (spec §3.3)")

    @classmethod
    def parse(cls, name: str) -> EncodeVariant | None:
        """See `Variant.parse`."""
        match = _parse(cls.unit, name)
        if match is None:
            return None
        return cls(*_common(match), overflow_to_infinity=match["ieee"] is not None)

    @classmethod
    def defaults(cls) -> Sequence[EncodeVariant]:
        """See `Variant.defaults`."""
        return [cls(FORMATS[f], FORMATS[x]) for f in DEFAULT_FORMATS for x in ("bf16", "fp32")]

    @property
    def _mode(self) -> str:
        return "-ieee" if self.overflow_to_infinity else ""

    @property
    def source(self) -> Format:
        """Format of the numbers."""
        return self.number

    @property
    def target(self) -> Format:
        """Format of the codes."""
        return self.fmt

    @property
    def ieee(self) -> bool:
        """See `CodecVariant.ieee`."""
        return self.overflow_to_infinity

    @property
    def input_layout(self) -> WordLayout:
        """Bits of `i_payload` (spec §21.1)."""
        return self._numbers()

    @property
    def output_layout(self) -> WordLayout:
        """Bits of `o_payload` (spec §21.1)."""
        return self._codes()

    @property
    def title(self) -> str:
        """What it is, in a line."""
        overflow = "overflow to infinity" if self.ieee else "saturating"
        return f"Encoder of {self.number.name} numbers in {self.fmt.name}, {overflow}"

    @property
    def meanings(self) -> dict[str, str]:
        """What the bits of the payloads mean."""
        return dict(zip(("i_payload", "o_payload"), self._meanings(), strict=True))


@dataclass(frozen=True)
class DecodeVariant(CodecVariant):
    """Codes to floats, rounded once where they do not fit (spec §21.4).

    Raises:
        ValueError: if a part is out of its range.
    """

    unit: ClassVar[str] = "decode"
    grammar: ClassVar[str] = "decode-<format>-<bf16|fp16|fp32>[-x<lanes>][-cut<letters of imo>]"

    @classmethod
    def parse(cls, name: str) -> DecodeVariant | None:
        """See `Variant.parse`."""
        match = _parse(cls.unit, name)
        return None if match is None or match["ieee"] else cls(*_common(match))

    @classmethod
    def defaults(cls) -> Sequence[DecodeVariant]:
        """See `Variant.defaults`."""
        return [cls(FORMATS[f], FORMATS[y]) for f in DEFAULT_FORMATS for y in ("bf16", "fp16")]

    @property
    def source(self) -> Format:
        """Format of the codes."""
        return self.fmt

    @property
    def target(self) -> Format:
        """Format of the numbers."""
        return self.number

    @property
    def ieee(self) -> bool:
        """True: see `CodecVariant.ieee`."""
        return True

    @property
    def input_layout(self) -> WordLayout:
        """Bits of `i_payload` (spec §21.1)."""
        return self._codes()

    @property
    def output_layout(self) -> WordLayout:
        """Bits of `o_payload` (spec §21.1)."""
        return self._numbers()

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"Decoder of {self.fmt.name} codes to {self.number.name}"

    @property
    def meanings(self) -> dict[str, str]:
        """What the bits of the payloads mean."""
        return dict(zip(("o_payload", "i_payload"), self._meanings(), strict=True))


def _parse(unit: str, name: str) -> re.Match[str] | None:
    match = _NAME.fullmatch(name)
    if match is None or match["unit"] != unit:
        return None
    known = match["format"] in FORMATS and match["number"] in FLOATS
    return match if known else None


def _common(match: re.Match[str]) -> tuple[Format, Format, int, str]:
    lanes = int(match["lanes"] or 1)
    cuts = DEFAULT_CUTS if match["cuts"] is None else match["cuts"]
    return FORMATS[match["format"]], FORMATS[match["number"]], lanes, cuts
