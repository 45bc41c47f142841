"""Designs by name: variants, tensor quantizers, and combinational units inside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.errors import NotAvailableError, UnknownNameError, near
from emulator.formats import FORMATS
from rtl.exported import exported
from rtl.tensor_quantizer_variant import TensorQuantizerVariant
from rtl.variants import UNITS

if TYPE_CHECKING:
    from amaranth.lib import wiring


@dataclass(frozen=True)
class Design:
    """Something to be mapped.

    Attributes:
        name: of a variant, a tensor quantizer or one of `UNITS_INSIDE`.
        top: name of its Verilog module.
    """

    name: str
    top: str

    def verilog(self) -> str:
        """Its Verilog.

        Raises:
            ToolError: if yosys is missing or fails.
        """
        from rtl.verilog import convert

        if self.name in UNITS_INSIDE:
            return convert(UNITS_INSIDE[self.name](), self.top)
        return exported(self.name).verilog()


def _block_sum(lanes: int) -> Callable[[], wiring.Component]:
    def make() -> wiring.Component:
        from rtl.dot_product import BlockSum
        from rtl.dot_shapes import DotShapes

        return BlockSum(DotShapes(FORMATS["ue5m3"], lanes))

    return make


def _scale_product(scale: str) -> Callable[[], wiring.Component]:
    def make() -> wiring.Component:
        from rtl.dot_scales import ScaleProduct
        from rtl.dot_shapes import DotShapes

        return ScaleProduct(DotShapes(FORMATS[scale], 16))

    return make


def _element_product() -> wiring.Component:
    from rtl.dot_product import ElementProduct

    return ElementProduct()


def _float_add() -> wiring.Component:
    from rtl.dot_add import FloatAdd
    from rtl.dot_shapes import DotShapes

    return FloatAdd(DotShapes(FORMATS["ue5m3"], 16))


def _float_multiply() -> wiring.Component:
    from rtl.dot_multiply import FloatMultiply

    return FloatMultiply()


UNITS_INSIDE: dict[str, Callable[[], wiring.Component]] = {
    "element-product": _element_product,
    "block-sum-b16": _block_sum(16),
    "block-sum-b32": _block_sum(32),
    "scale-product-ue4m3": _scale_product("ue4m3"),
    "scale-product-ue5m3": _scale_product("ue5m3"),
    "float-add": _float_add,
    "float-multiply": _float_multiply,
}
"""Combinational units, without registers or handshake, by name."""


def design(name: str) -> Design:
    """The design of a name.

    Raises:
        UnknownNameError: if it is neither a variant's nor that of a unit inside; near names are
            listed.
        ValueError, NotAvailableError: if a part of a variant's name is out of its range, or if it
            is a tensor quantizer with a buffer, which is no matter of gates.
    """
    if name in UNITS_INSIDE:
        return Design(name, name.replace("-", "_"))
    if name.partition("-")[0] not in UNITS:
        raise UnknownNameError(
            f"unknown design {name!r}{near(name, UNITS_INSIDE)}: neither a variant nor one of "
            f"{', '.join(UNITS_INSIDE)}"
        )
    found = exported(name)
    if isinstance(found, TensorQuantizerVariant) and found.buffer:
        raise NotAvailableError(
            f"{found}: its buffer of {8 * found.buffer * found.block_bytes:,} bits is a memory, "
            "which a mapping to cells would make of flip-flops"
        )
    return Design(found.name, found.module)
