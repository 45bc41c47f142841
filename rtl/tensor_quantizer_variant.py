"""Variants of the tensor quantizer: a quantizer between a read port and a write port (spec §24).

tensor-quantizer-<recipe>-<input>[-turn][-cut<stages>]-<schedule>[-w<bytes>][-r<reads>]
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.errors import NotAvailableError, UnknownNameError, near
from emulator.layout import Field, WordLayout, tensor_scale_bits
from rtl.quantizer_variant import QuantizerVariant
from rtl.tensor_variant import TensorScaleVariant

if TYPE_CHECKING:
    from amaranth.lib import wiring

UNIT = "tensor-quantizer"
GRAMMAR = (
    "tensor-quantizer-<recipe>-<bf16|fp16|fp32>[-turn][-cut<letters>]-"
    "<one|two|delayed|local<blocks>>[-w<bytes>][-r<reads>]"
)
SCHEDULES = {
    "one": "one pass, of a recipe without tensor scale",
    "two": "two passes over the memory: tensor amax, then blocks",
    "delayed": "one pass under a tensor scale of the command, which measures the amax on its way",
    "local": "one pass over the memory and one over a local buffer, if the tensor fits",
}
"""How the passes over a tensor follow each other, by the name of the schedule (spec §24.7)."""

IN_TURN = ("one", "delayed")
"""Schedules under which quantizers may take longer than a cycle for a group (spec §24.7)."""

ADDRESS_BITS = 32
WIDTHS = (16, 32, 64, 128)
"""Bytes of a memory word."""

DEFAULT_WIDTH, DEFAULT_READS = 64, 512
MAX_READS = 4096
MAX_BUFFER = 1 << 20

_NAME = re.compile(
    UNIT + r"-(?P<quantizer>.+?)-(?P<schedule>one|two|delayed|local(?P<buffer>[0-9]+))"
    r"(?:-w(?P<width>[0-9]+))?(?:-r(?P<reads>[0-9]+))?"
)


@dataclass(frozen=True)
class TensorQuantizerVariant:
    """A quantizer of whole tensors that lie in a memory.

    Args:
        quantizer: what quantizes a block.
        schedule: one of `SCHEDULES`.
        width: bytes of a memory word, one of `WIDTHS`.
        reads: the most read requests that wait for their data at a time.
        buffer: blocks that the buffer of schedule ``local`` holds, a power of two; else 0.

    Raises:
        ValueError: if a part is out of its range, or the schedule does not fit the recipe.
        NotAvailableError: if there is no hardware for the combination.
    """

    quantizer: QuantizerVariant
    schedule: str
    width: int = DEFAULT_WIDTH
    reads: int = DEFAULT_READS
    buffer: int = 0

    def __post_init__(self) -> None:
        name = self.quantizer.recipe.name
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule {self.schedule!r} is not one of {', '.join(SCHEDULES)}")
        if (self.schedule == "one") != (self.kind is None):
            has = "no" if self.kind is None else "a"
            raise ValueError(f"schedule {self.schedule!r} of {name}, which has {has} tensor scale")
        if self.width not in WIDTHS:
            known = ", ".join(map(str, WIDTHS))
            raise ValueError(f"a memory word of {self.width} bytes is not one of {known}")
        if not 1 <= self.reads <= MAX_READS:
            raise ValueError(f"{self.reads} outstanding reads are not 1 to {MAX_READS}")
        local = self.schedule == "local"
        least = self.group if local else 0
        whole = self.buffer & (self.buffer - 1) == 0
        if not (whole and least <= self.buffer <= (MAX_BUFFER if local else 0)):
            what = f"a power of two from {least} to {MAX_BUFFER}" if local else "0"
            raise ValueError(f"a buffer of {self.buffer} blocks is not {what}")
        if self.schedule not in IN_TURN and self.quantizer.interval != 1:
            known = " and ".join(map(repr, IN_TURN))
            raise NotAvailableError(
                f"schedule {self.schedule!r} of {self.quantizer}: candidates in turn go with "
                f"schedules {known} only (spec §24.7)"
            )

    @classmethod
    def parse(cls, name: str) -> TensorQuantizerVariant | None:
        """The variant of a name, or None if the name does not fit the grammar.

        Raises:
            ValueError, UnknownNameError, NotAvailableError: if a part is out of its range.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        quantizer = QuantizerVariant.parse(f"quantizer-{match['quantizer']}")
        if quantizer is None:
            return None
        return cls(
            quantizer,
            "local" if match["buffer"] else match["schedule"],
            int(match["width"] or DEFAULT_WIDTH),
            int(match["reads"] or DEFAULT_READS),
            int(match["buffer"] or 0),
        )

    @classmethod
    def defaults(cls) -> Sequence[TensorQuantizerVariant]:
        """Some that stand for all."""
        return [
            tensor_quantizer(f"{UNIT}-{rest}")
            for rest in (
                "ue5m3-absmax-b16-bf16-one",
                "ue4m3-absmax-b16-bf16-one",
                "ue4m3-absmax-h-b16-bf16-two",
                "ue4m3-absmax-h-b16-bf16-delayed",
                "ue4m3-absmax-h-b16-bf16-local4096",
                "ue4m3-absmax-hp2-b16-bf16-two",
            )
        ]

    @property
    def name(self) -> str:
        """Canonical name."""
        schedule = f"{self.schedule}{self.buffer or ''}"
        width = "" if self.width == DEFAULT_WIDTH else f"-w{self.width}"
        reads = "" if self.reads == DEFAULT_READS else f"-r{self.reads}"
        return f"tensor-{self.quantizer.name}-{schedule}{width}{reads}"

    def __str__(self) -> str:
        return self.name

    @property
    def module(self) -> str:
        """Name of the Verilog module."""
        return re.sub(r"[^a-z0-9]", "_", self.name)

    @property
    def kind(self) -> str | None:
        """Kind of the tensor scale."""
        return self.quantizer.recipe.tensor_scale

    @property
    def block_bytes(self) -> int:
        """Bytes of a block of the input."""
        return self.quantizer.recipe.block_size * self.quantizer.input.width // 8

    @property
    def group(self) -> int:
        """Blocks that are quantized side by side: those of a memory word, or one."""
        return max(1, self.width // self.block_bytes)

    @property
    def group_words(self) -> int:
        """Memory words that a group of blocks takes."""
        return max(1, self.block_bytes // self.width)

    @property
    def pace(self) -> int:
        """Least number of cycles from one read request to the next (spec §24.9)."""
        return -(-self.quantizer.interval // self.group_words)

    @property
    def quantizer_cycles(self) -> int:
        """Cycles from a group being offered to the quantizers to its results.

        Candidates in turn without a register in front let the group wait outside (spec §12.5).
        """
        latency, interval = self.quantizer.latency, self.quantizer.interval
        waits = interval > 1 and not {"i", "a"} & set(self.quantizer.cuts)
        return latency + (interval - 1 if waits else 0)

    @property
    def scale_unit(self) -> TensorScaleVariant | None:
        """The unit that makes the tensor scale; None where none is made."""
        if self.kind is None or self.schedule == "delayed":
            return None
        return TensorScaleVariant(self.kind, self.quantizer.recipe.scale, self.quantizer.input)

    @property
    def word_bits(self) -> int:
        """Bits of an address that count within a memory word."""
        return self.width.bit_length() - 1

    @property
    def count_bits(self) -> int:
        """Bits of a number of blocks: a tensor is smaller than the address space."""
        return ADDRESS_BITS - (self.block_bytes.bit_length() - 1)

    @property
    def group_count_bits(self) -> int:
        """Bits of a number of groups of blocks, less 1."""
        return self.count_bits - (self.group.bit_length() - 1)

    @property
    def bases(self) -> tuple[str, ...]:
        """The fields of a command that are addresses."""
        names = ("x", "codes", "scales")
        return names if self.kind is None else (*names, "tensor_scale")

    @property
    def command_layout(self) -> WordLayout:
        """Bits of `command_payload` (spec §24.3)."""
        widths = dict.fromkeys(self.bases, ADDRESS_BITS) | {"blocks": self.count_bits}
        if self.schedule == "delayed":
            assert self.kind is not None
            widths["g"] = tensor_scale_bits(self.kind)
        return _layout(widths)

    @property
    def status_layout(self) -> WordLayout:
        """Bits of `status_payload` (spec §24.4)."""
        amax = {} if self.kind is None else {"amax": self.quantizer.input.magnitude_bits}
        return _layout({"refused": 2, **amax})

    @property
    def write_layout(self) -> WordLayout:
        """Bits of `write_payload` (spec §24.2)."""
        return _layout({"address": ADDRESS_BITS, "data": 8 * self.width, "mask": self.width})

    @property
    def ports(self) -> dict[str, tuple[str, int]]:
        """Direction and width of each port of the module (spec §24.1, §24.2)."""
        found = {"clk": ("input", 1), "rst": ("input", 1)}
        for stream, outward, width in (
            ("command", False, self.command_layout.width),
            ("request", True, ADDRESS_BITS),
            ("read", False, 8 * self.width),
            ("write", True, self.write_layout.width),
            ("status", True, self.status_layout.width),
        ):
            there, back = ("output", "input") if outward else ("input", "output")
            found |= {
                f"{stream}_payload": (there, width),
                f"{stream}_valid": (there, 1),
                f"{stream}_ready": (back, 1),
            }
        return found

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"Tensor quantizer of recipe {self.quantizer.recipe.name}, {self.described}"

    @property
    def described(self) -> str:
        """The schedule, in words."""
        return SCHEDULES[self.schedule]

    @property
    def summary(self) -> str:
        """How it is built, in a line."""
        held = f"; the buffer holds {self.buffer} blocks" if self.buffer else ""
        return (
            f"{self.group} x {self.quantizer.name}; memory words of {self.width} bytes, "
            f"{self.reads} reads outstanding{held}"
        )

    @property
    def meanings(self) -> dict[str, str]:
        """What the bits of the payloads mean."""
        return {
            "command_payload": f"{_fields(self.command_layout)} (spec §24.3)",
            "request_payload": "byte address of a memory word to be read",
            "read_payload": "a memory word, in the order of the requests",
            "write_payload": f"{_fields(self.write_layout)} (spec §24.2)",
            "status_payload": f"{_fields(self.status_layout)} (spec §24.4)",
        }

    def parts(self) -> dict[str, Any]:
        """Its parts by name, as plain data."""
        return {
            "quantizer": self.quantizer.name,
            "schedule": self.schedule,
            "width": self.width,
            "reads": self.reads,
            "buffer": self.buffer,
        }

    def component(self) -> wiring.Component:
        """The design: streams `command`, `request`, `read`, `write` and `status`."""
        from rtl.tensor_quantizer import TensorQuantizer

        return TensorQuantizer(self)

    def verilog(self) -> str:
        """Verilog whose top module is `module`; equal variants give equal bytes.

        Raises:
            ToolError: if yosys is missing or fails.
        """
        from rtl.verilog import convert, head

        meanings = dict(self.meanings)
        for stream in ("command", "request", "read", "write", "status"):
            meanings[f"{stream}_valid"] = "a word is offered; it stays until it is taken"
            meanings[f"{stream}_ready"] = f"the word is taken at this edge if {stream}_valid"
        facts = [f"Cycles: spec §24.9. Built of {self.summary}."]
        text = head(self.name, self.title, facts, self.ports, meanings)
        return text + convert(self.component(), self.module)

    def describe(self) -> dict[str, Any]:
        """All that a list says of it, as plain data."""
        return {
            "name": self.name,
            "unit": UNIT,
            "module": self.module,
            **self.parts(),
            "ports": {
                port: {"direction": direction, "width": width}
                for port, (direction, width) in self.ports.items()
            },
        }


def tensor_quantizer(name: str) -> TensorQuantizerVariant:
    """Parse the name of a tensor quantizer.

    Raises:
        UnknownNameError: if it does not fit the grammar.
        ValueError, NotAvailableError: if a part is out of its range.
    """
    found = TensorQuantizerVariant.parse(name)
    if found is None:
        known = [v.name for v in TensorQuantizerVariant.defaults()]
        raise UnknownNameError(
            f"unknown tensor quantizer {name!r}{near(name, known)} (names are {GRAMMAR})"
        )
    return found


def _layout(widths: dict[str, int]) -> WordLayout:
    """Fields one above the other."""
    fields, offset = [], 0
    for name, width in widths.items():
        fields.append(Field(name, offset, width))
        offset += width
    return WordLayout(tuple(fields))


def _fields(layout: WordLayout) -> str:
    return ", ".join(f"{f.name} at bit {f.offset}" for f in layout.fields)
