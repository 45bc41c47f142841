"""Variants of the units that make a tensor scale.

tensor-amax-<input>-x<lanes>
tensor-scale-<kind>-<scale>-<input>
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from emulator.blocks import TENSOR_SCALES
from emulator.errors import UnknownNameError, near
from emulator.formats import FORMATS, UE4M3, UE5M3, Format
from emulator.layout import (
    TENSOR_SCALE_FIELDS,
    Field,
    WordLayout,
    tensor_amax_layout,
    tensor_scale_bits,
)
from rtl.quantizer_variant import INPUTS
from rtl.variant import Variant

if TYPE_CHECKING:
    from amaranth.lib import wiring

LANES = (1, 2, 4, 8, 16, 32)
"""Numbers per word that `tensor-amax` takes."""

SCALES = ("ue4m3", "ue5m3")
"""Scale formats under which there can be a tensor scale."""

_AMAX = re.compile(r"tensor-amax-(?P<input>[a-z0-9]+)-x(?P<lanes>0|[1-9][0-9]*)")
_SCALE = re.compile(r"tensor-scale-(?P<kind>[a-z0-9]+)-(?P<scale>[a-z0-9]+)-(?P<input>[a-z0-9]+)")


class TensorVariant(Variant):
    """A unit that makes a tensor scale, or its amax."""

    unit: ClassVar[str] = "tensor"
    grammar: ClassVar[str] = (
        "tensor-amax-<bf16|fp16|fp32>-x<lanes> or tensor-scale-<kind>-<scale>-<bf16|fp16|fp32>"
    )

    @classmethod
    def parse(cls, name: str) -> TensorVariant | None:
        """See `Variant.parse`."""
        if match := _AMAX.fullmatch(name):
            return TensorAmaxVariant(_input(name, match["input"]), int(match["lanes"]))
        if match := _SCALE.fullmatch(name):
            for what, known in (("kind", TENSOR_SCALES), ("scale", SCALES)):
                if match[what] not in known:
                    raise UnknownNameError(
                        f"{name}: {what} {match[what]!r}{near(match[what], known)} is not one of "
                        f"{', '.join(known)}"
                    )
            scale = FORMATS[match["scale"]]
            return TensorScaleVariant(match["kind"], scale, _input(name, match["input"]))
        return None

    @classmethod
    def defaults(cls) -> Sequence[TensorVariant]:
        """See `Variant.defaults`."""
        bf16, scales = FORMATS["bf16"], (UE4M3, UE5M3)
        return [
            *(TensorAmaxVariant(bf16, lanes) for lanes in (8, 16, 32)),
            *(TensorScaleVariant(k, s, bf16) for k in ("h", "hbf16", "hp2") for s in scales),
            TensorScaleVariant("h256", UE4M3, bf16),
        ]

    @property
    @abstractmethod
    def input(self) -> Format:
        """Format of the tensor's elements."""


def _input(name: str, given: str) -> Format:
    if given not in INPUTS:
        raise UnknownNameError(
            f"{name}: input format {given!r}{near(given, INPUTS)} is not one of {', '.join(INPUTS)}"
        )
    return FORMATS[given]


@dataclass(frozen=True)
class TensorAmaxVariant(TensorVariant):
    """The amax of a tensor that comes as a stream of words, one word per cycle (spec §23.3).

    Args:
        elements: format of the tensor's elements.
        lanes: numbers per word, one of `LANES`.

    Raises:
        ValueError: if a part is out of its range.
    """

    elements: Format
    lanes: int

    def __post_init__(self) -> None:
        if self.lanes not in LANES:
            known = ", ".join(map(str, LANES))
            raise ValueError(f"{self.lanes} lanes of a tensor amax are not one of {known}")

    @property
    def input(self) -> Format:
        """Format of the tensor's elements."""
        return self.elements

    @property
    def name(self) -> str:
        """Canonical name."""
        return f"tensor-amax-{self.elements.name}-x{self.lanes}"

    @property
    def latency(self) -> int:
        """One cycle for the word, one for the tensor so far."""
        return 2

    @property
    def last_bit(self) -> int | None:
        """The bit above the lanes."""
        return self.elements.width * self.lanes

    @property
    def input_layout(self) -> WordLayout:
        """Bits of `i_payload` (spec §23.3)."""
        return tensor_amax_layout(self.elements, self.lanes)

    @property
    def output_layout(self) -> WordLayout:
        """Bits of `o_payload` (spec §23.3)."""
        return WordLayout((Field("amax", 0, self.elements.magnitude_bits),))

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"Largest finite magnitude of a {self.elements.name} tensor, {self.lanes} per cycle"

    @property
    def registers(self) -> str:
        """Where its registers stand, in a line."""
        return "after the tree; the largest so far; before the output port"

    @property
    def meanings(self) -> dict[str, str]:
        """What the bits of the payloads mean."""
        x, n = self.elements, self.lanes
        return {
            "i_payload": f"{n} {x.name} numbers, lane i at bit {x.width}*i; bit {x.width * n}: the "
            "tensor's last word (spec §23.3)",
            "o_payload": f"{x.name} pattern without sign: amax of the tensor (spec §14.1)",
        }

    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""
        return {"input": self.elements.name, "lanes": self.lanes}

    def component(self) -> wiring.Component:
        """The design."""
        from rtl.tensor_amax import TensorAmax

        return TensorAmax(self.elements, self.lanes)


@dataclass(frozen=True)
class TensorScaleVariant(TensorVariant):
    """The tensor scale of a tensor amax (spec §23.4): one quotient bit per cycle, none for hp2.

    Args:
        kind: of the tensor scale, one of `TENSOR_SCALES`.
        scale: format of the block scales, UE4M3 or UE5M3.
        elements: format of the tensor's elements.

    Raises:
        ValueError: if a part is out of its range.
    """

    kind: str
    scale: Format
    elements: Format

    def __post_init__(self) -> None:
        if self.kind == "h256" and self.scale.name != "ue4m3":
            raise ValueError(f"h256 is defined for ue4m3 scales only, not {self.scale.name}")

    @property
    def input(self) -> Format:
        """Format of the tensor's elements."""
        return self.elements

    @property
    def name(self) -> str:
        """Canonical name."""
        return f"tensor-scale-{self.kind}-{self.scale.name}-{self.elements.name}"

    @property
    def divisor(self) -> tuple[int, int]:
        """``(d, k)`` with odd d: A is divided by d * 2**k (spec §14.2, §14.3)."""
        _, c, q = (0, 1, 8) if self.kind == "h256" else self.scale.parts(self.scale.max_code)
        d = 3 * c
        zeros = (d & -d).bit_length() - 1
        return d >> zeros, q + 1 + zeros

    @property
    def g_bits(self) -> int:
        """Bits of the tensor scale's significand."""
        return TENSOR_SCALE_FIELDS[self.kind][1] + 1

    @property
    def steps(self) -> int:
        """Quotient bits that are made, one per cycle: `g_bits`, one to round, and leading zeros."""
        return 0 if self.kind == "hp2" else self.g_bits + 1 + self.divisor[0].bit_length()

    @property
    def latency(self) -> int:
        """A cycle per quotient bit, and one to take the amax."""
        return self.steps + 1

    @property
    def interval(self) -> int:
        """As the latency: one tensor at a time."""
        return self.latency

    @property
    def input_layout(self) -> WordLayout:
        """Bits of `i_payload` (spec §23.4)."""
        return WordLayout((Field("amax", 0, self.elements.magnitude_bits),))

    @property
    def output_layout(self) -> WordLayout:
        """Bits of `o_payload` (spec §23.4)."""
        return WordLayout((Field("g", 0, tensor_scale_bits(self.kind)),))

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"Tensor scale {self.kind} of {self.scale.name} blocks from a tensor amax"

    @property
    def registers(self) -> str:
        """Where its registers stand, in a line."""
        if not self.steps:
            return "before the output port"
        return f"a quotient that grows by a bit per cycle, {self.steps} times"

    @property
    def meanings(self) -> dict[str, str]:
        """What the bits of the payloads mean."""
        return {
            "i_payload": f"{self.elements.name} pattern without sign, finite: amax of the tensor",
            "o_payload": "tensor scale as words carry it (spec §23.1)",
        }

    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""
        return {"kind": self.kind, "scale": self.scale.name, "input": self.elements.name}

    def component(self) -> wiring.Component:
        """The design."""
        from rtl.tensor_scale import PowerTensorScale, TensorScale

        return PowerTensorScale(self) if self.kind == "hp2" else TensorScale(self)
