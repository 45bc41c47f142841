"""What there is Verilog of, by name; needs no Amaranth, so that kept results need none either."""

from __future__ import annotations

from rtl.tensor_quantizer_variant import UNIT, TensorQuantizerVariant, tensor_quantizer
from rtl.variant import Variant
from rtl.variants import variant

Exported = Variant | TensorQuantizerVariant
"""Kinds of designs with a name of their own."""


def exported(name: str) -> Exported:
    """The variant or the tensor quantizer of a name.

    Raises:
        UnknownNameError: if it is neither.
        ValueError, NotAvailableError: if a part is out of its range.
    """
    return tensor_quantizer(name) if name.startswith(f"{UNIT}-") else variant(name)
