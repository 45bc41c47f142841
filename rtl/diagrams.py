"""Pictures: diagrams of variants and of their parts, and the list of those in docs/hardware.md.

A picture is made from the design alone, never drawn by hand. To add one, add a line to `PICTURES`,
run ``make pictures`` and show it in docs/hardware.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.lib import wiring

from rtl.diagram import Fields, Reader
from rtl.diagram_bits import netlist, use, wrapper_netlist
from rtl.diagram_shapes import Diagram
from rtl.diagram_svg import to_svg
from rtl.hierarchy import Hierarchy
from rtl.tensor_quantizer_variant import UNIT, TensorQuantizerVariant, tensor_quantizer
from rtl.variant import Variant
from rtl.variants import variant
from rtl.verilog import unit_rtlil

Design = Variant | TensorQuantizerVariant
"""What can be drawn."""

WRAPPER = "axis"
"""In place of a unit: the AXI4-Stream wrapper."""


@dataclass(frozen=True)
class Picture:
    """A picture of the documentation.

    Attributes:
        name: of its file, without ``.svg``.
        variant: name of the variant.
        unit: path of a part of it, ``""`` for the variant itself.
        least: bits of the narrowest value that is drawn.
    """

    name: str
    variant: str
    unit: str = ""
    least: int = 1

    @property
    def command(self) -> str:
        """What makes it."""
        unit = f" --unit {self.unit}" if self.unit else ""
        least = f" --least {self.least}" if self.least > 1 else ""
        return f"finescale draw {self.variant}{unit}{least} -o {self.name}.svg"

    def diagram(self) -> Diagram:
        """The diagram of today's design."""
        return diagram(design(self.variant), self.unit, self.least)

    def svg(self) -> str:
        """The text of the file."""
        return to_svg(self.diagram(), title(self.variant, self.unit))


_ABSMAX = "quantizer-ue5m3-absmax-b4-bf16"
_POWERS = "quantizer-e8m0-floor-b4-bf16"
_SCALED = "quantizer-ue4m3-absmax-h-b4-bf16"
_SELECT = "quantizer-ue5m3-4o6-b4-bf16"
_TOP3 = "quantizer-ue5m3-top3-b4-bf16"
_POP = "quantizer-ue5m3-pop-b4-bf16"
_TOP3_SCALED = "quantizer-ue4m3-top3-h-b4-bf16"
_POP_SCALED = "quantizer-ue4m3-pop-h-b4-bf16"
_RANDOM = "quantizer-ue5m3-absmax-sr4-b4-bf16-r1"
_RANDOM_SCALED = "quantizer-ue4m3-absmax-sr4-h-b4-bf16-r1"
_ENCODE = "encode-ue5m3-fp32-x4-cutimo"
_DEQUANTIZER = "dequantizer-ue4m3-absmax-h-b4-bf16-cutifpo"
_EXACT = "dot-ue5m3-b4-exact-h"
_SHORT = "dot-ue5m3-b4-fp32-hbf16"
_LIMITED = "quantizer-ue5m3-4o6-e6-b4-bf16"
_MEMORY = "tensor-quantizer-ue4m3-absmax-h-b4-bf16-two-w16"
_TABLE = "quantizer-ue5m3-4o6t-b4-bf16"
_CHOOSE_SCALED = "quantizer-ue4m3-4o6-h-b4-bf16"
_CHOOSE_POWER = "quantizer-ue4m3-4o6-hp2-b2-bf16"
_GIVEN = "quantizer-ue4m3-4o6-e6-h-b4-bf16"
_PEER = "quantizer-peer-te-nvfp4-b2-bf16"
_TORCHAO = "quantizer-peer-torchao-nvfp4-1level-b4-bf16"
_TABLE_POWER = "quantizer-ue4m3-4o6t-hp2-b4-bf16"
_RANDOM_POWERS = "quantizer-e8m0-even-sr4-b4-bf16-r1"
_RANDOM_SELECT = "quantizer-ue5m3-4o6-sr4-b4-bf16-turn-r3-cutaeorw"
_RANDOM_SELECT_SCALED = "quantizer-ue4m3-4o6-sr4-h-b4-bf16-turn-r9"
_RANDOM_SELECT_POWERS = "quantizer-e8m0-fc-sr4-b4-bf16-turn-r9-cutow"

PICTURES = (
    Picture("quantizer", f"{_ABSMAX}-cutiasto"),
    Picture("unpack", _ABSMAX, "unpack"),
    Picture("amax", _ABSMAX, "amax"),
    Picture("amax-powers", _POWERS, "amax"),
    Picture("scale", _ABSMAX, "scale"),
    Picture("thresholds", _ABSMAX, "thresholds"),
    Picture("element", _ABSMAX, "element"),
    Picture("quantizer-powers", _POWERS),
    Picture("power-reference", _POWERS, "power_reference"),
    Picture("steps", _POWERS, "steps"),
    Picture("element-powers", _POWERS, "element"),
    Picture("stage", _ABSMAX, "stage_a"),
    Picture("encode", _ENCODE),
    Picture("decode", "decode-ue5m3-fp32-x4"),
    Picture("align", _ENCODE, "align"),
    Picture("round", _ENCODE, "round"),
    Picture("dequantizer", _DEQUANTIZER),
    Picture("factor", _DEQUANTIZER, "factor"),
    Picture("products", _DEQUANTIZER, "products"),
    Picture("lane", _DEQUANTIZER, "lane"),
    Picture("dot-block", "dot-ue5m3-b4-block"),
    Picture("dot-fp32", "dot-ue5m3-b4-x2-fp32"),
    Picture("dot-exact", f"{_EXACT}-cutispco"),
    Picture("dot-tc", "dot-ue5m3-b16-tc25"),
    Picture("dot-hbf16", f"{_SHORT}-cutispco"),
    Picture("sum", _EXACT, "sum"),
    Picture("product", "dot-ue5m3-b4-block", "sum/product"),
    Picture("scales", _EXACT, "scales"),
    Picture("scaled", _EXACT, "scaled"),
    Picture("normal", "dot-ue5m3-b4-block", "normal"),
    Picture("convert", _EXACT, "convert/round"),
    Picture("exact-round", _EXACT, "convert"),
    Picture("add-fp32", "dot-ue5m3-b4-x2-fp32", "accumulator/add"),
    Picture("add-exact", _EXACT, "accumulator/add"),
    Picture("step", "dot-ue5m3-b16-tc25", "accumulator/step"),
    Picture("accumulator-fp32", "dot-ue5m3-b4-x2-fp32", "accumulator"),
    Picture("accumulator-exact", _EXACT, "accumulator"),
    Picture("accumulator-tc", "dot-ue5m3-b16-tc25", "accumulator"),
    Picture("multiply", _EXACT, "multiply"),
    Picture("tensor-scales", _SHORT, "tensor_scales"),
    Picture("epilogue", _SHORT, "epilogue"),
    Picture("pack", _SHORT, "epilogue/pack"),
    Picture("quantizer-scaled", f"{_SCALED}-cutiasto"),
    Picture("amax-scaled", _SCALED, "amax"),
    Picture("normalise", _SCALED, "scale/normalise"),
    Picture("scale-scaled", _SCALED, "scale"),
    Picture("thresholds-scaled", _SCALED, "thresholds"),
    Picture("element-scaled", _SCALED, "element"),
    Picture("tensor-amax", "tensor-amax-bf16-x4"),
    Picture("tensor-scale", "tensor-scale-h-ue4m3-bf16"),
    Picture("tensor-scale-hp2", "tensor-scale-hp2-ue4m3-bf16"),
    Picture("tensor-quantizer", _MEMORY, least=2),
    Picture("tensor-reader", _MEMORY, "tensor_reader", 2),
    Picture("read-requests", _MEMORY, "tensor_reader/read_requests"),
    Picture("gather", _MEMORY, "tensor_reader/gather"),
    Picture("tensor-measure", _MEMORY, "tensor_measure", 2),
    Picture("result-writer", _MEMORY, "result_writer", 8),
    Picture("packer", _MEMORY, "result_writer/codes_packer", 4),
    Picture("select", f"{_SELECT}-cutiastefo"),
    Picture("select-turn", "quantizer-ue5m3-3c-b4-bf16-turn"),
    Picture("candidates", _SELECT, "candidates"),
    Picture("merit", _SELECT, "merit"),
    Picture("term", _SELECT, "merit/term"),
    Picture("chooser", _SELECT, "chooser"),
    Picture("select-scaled", "quantizer-ue4m3-4o6-h-b4-bf16"),
    Picture("candidates-scaled", _CHOOSE_SCALED, "candidates"),
    Picture("quotient", _CHOOSE_SCALED, "candidates/quotient"),
    Picture("thresholds-candidate", _CHOOSE_SCALED, "thresholds"),
    Picture("element-candidate", _CHOOSE_SCALED, "element"),
    Picture("merit-scaled", _CHOOSE_POWER, "merit"),
    Picture("term-scaled", _CHOOSE_POWER, "merit/term"),
    Picture("select-table", "quantizer-ue5m3-4o6t-b4-bf16"),
    Picture("table", "quantizer-ue5m3-4o6t-b4-bf16", "table"),
    Picture("cell", "quantizer-ue5m3-4o6t-b4-bf16", "cell"),
    Picture("table-choice", _TABLE, "choice"),
    Picture("select-limited", _LIMITED),
    Picture("below", _TABLE, "below"),
    Picture("near-thresholds", _TABLE, "near_thresholds"),
    Picture("near-element", _TABLE, "element"),
    Picture("amax-hp2", _TABLE_POWER, "scaled_amax"),
    Picture("near", _TABLE_POWER, "near"),
    Picture("limits", _LIMITED, "limits"),
    Picture("seen", _LIMITED, "seen"),
    Picture("nearest", _LIMITED, "nearest"),
    Picture("merit-limited", _LIMITED, "merit"),
    Picture("term-limited", _LIMITED, "merit/term"),
    Picture("select-given", _GIVEN),
    Picture("exceeds", _GIVEN, "exceeds"),
    Picture("limits-rounded", _GIVEN, "limits"),
    Picture("merit-given", _GIVEN, "merit"),
    Picture("peer-torchao", "quantizer-peer-torchao-nvfp4-1level-b4-bf16-cutiasrpo"),
    Picture("peer-te", "quantizer-peer-te-nvfp4-b2-bf16", least=2),
    Picture("normal-scale", _TORCHAO, "scale"),
    Picture("round-scale", _PEER, "scale"),
    Picture("sixth", _PEER, "sixth"),
    Picture("scale-times-inverse", _PEER, "scale_times_inverse"),
    Picture("rows", _PEER, "rows8"),
    Picture("round-reciprocal", _PEER, "round_reciprocal"),
    Picture("reciprocal", _TORCHAO, "reciprocal"),
    Picture("product-peer", _PEER, "product"),
    Picture("multiply-peer", _PEER, "multiply"),
    Picture("triple", _PEER, "scale_times_inverse/triple"),
    Picture("element-peer", _PEER, "element"),
    Picture("votes", f"{_TOP3}-cutiasvto"),
    Picture("votes-pop", _POP),
    Picture("leading", _TOP3, "leading"),
    Picture("vote", _TOP3, "vote"),
    Picture("vote-pop", _POP, "vote"),
    Picture("choice", _TOP3, "choice"),
    Picture("votes-scaled", f"{_TOP3_SCALED}-cutiasvto"),
    Picture("votes-pop-scaled", _POP_SCALED),
    Picture("reference-scaled", _TOP3_SCALED, "reference", 4),
    Picture("vote-scaled", _TOP3_SCALED, "vote", 4),
    Picture("vote-pop-scaled", _POP_SCALED, "vote"),
    Picture("element-normalised", _POP_SCALED, "element"),
    Picture("quantizer-random", f"{_RANDOM}-cutiato"),
    Picture("draws", _RANDOM, "draws"),
    Picture("cipher-round", _RANDOM, "draws/round"),
    Picture("key-round", _RANDOM, "draws/key_round"),
    Picture("element-random", _RANDOM, "element"),
    Picture("quantizer-random-scaled", f"{_RANDOM_SCALED}-cutiato"),
    Picture("quantizer-random-powers", _RANDOM_POWERS),
    Picture("thresholds-random-scaled", _RANDOM_SCALED, "thresholds"),
    Picture("thresholds-random-powers", _RANDOM_POWERS, "thresholds"),
    Picture("element-random-scaled", _RANDOM_SCALED, "element"),
    Picture("random-select", _RANDOM_SELECT),
    Picture("random-select-scaled", _RANDOM_SELECT_SCALED),
    Picture("random-select-choice", _RANDOM_SELECT_SCALED, "choice"),
    Picture("random-select-powers", _RANDOM_SELECT_POWERS),
    Picture("axis", _ABSMAX, WRAPPER),
)
"""The pictures of docs/hardware.md, in its order."""


def title(name: str, unit: str = "") -> str:
    """Title of a picture."""
    return f"{unit} of {name}" if unit else name


def design(name: str) -> Design:
    """The variant or the tensor quantizer of a name; errors are those of `variant`."""
    return tensor_quantizer(name) if name.startswith(f"{UNIT}-") else variant(name)


def diagram(of: Design, unit: str = "", least: int = 1) -> Diagram:
    """The diagram of a variant or of a part of it.

    Args:
        of: the variant.
        unit: path of the part: the kinds of units on the way to it, with ``/`` between them; or
            `WRAPPER`.
        least: bits of the narrowest value that is drawn.

    Raises:
        ValueError: if there is no such part; the message lists those that there are.
        ToolError: if yosys is missing or fails.
    """
    if unit == WRAPPER and isinstance(of, Variant):
        return Reader(wrapper_netlist(of), WRAPPER, {}, least).read()
    component = of.component()
    path = unit.split("/") if unit else []
    for depth, kind in enumerate(path):
        parts = _parts(component)
        if kind not in parts:
            where = "/".join([of.name, *path[:depth]])
            known = ", ".join(parts) or "none"
            raise ValueError(f"{kind!r} is no unit of {where} (units: {known})")
        component = parts[kind]
    name = path[-1] if path else of.unit if isinstance(of, Variant) else UNIT
    return Reader(netlist(component), name, _words(of, path), least).read()


def _parts(component: wiring.Component) -> dict[str, wiring.Component]:
    """The parts of a unit by their kinds."""
    hierarchy = Hierarchy("")
    unit_rtlil(component, "unit", hierarchy)
    use(hierarchy)
    return {name.removeprefix("_"): unit for name, unit in sorted(hierarchy.units.items())}


def _words(of: Design, path: list[str]) -> Fields:
    """The fields of a variant's words."""
    if path or not isinstance(of, Variant):
        return {}
    layouts = {"i_payload": of.input_layout, "o_payload": of.output_layout}
    return {
        port: [(f.name, f.count, f.width) for f in layout.fields]
        for port, layout in layouts.items()
    }
